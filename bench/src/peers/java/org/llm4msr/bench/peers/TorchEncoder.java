package org.llm4msr.bench.peers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.llm4msr.bench.encoding.EncodingWorkload;
import org.llm4msr.bench.encoding.RandomCheckpoint;
import org.llm4msr.model.checkpoint.Checkpoint;
import org.llm4msr.model.checkpoint.StoredTensor;

/**
 * The llama forward pass in PyTorch, operator by operator as the transformers library runs it (with
 * {@code scaled_dot_product_attention}), F32.
 */
final class TorchEncoder implements AutoCloseable {
  private static final int HEAD_DIM = RandomCheckpoint.HIDDEN / RandomCheckpoint.HEADS;
  private static final int TENSORS_PER_LAYER = 9;

  private final NDManager manager;
  private final TorchScript script;

  TorchEncoder(NDManager parent, Path model) {
    manager = parent.newSubManager();
    script = new TorchScript(manager, source(), List.of("w"));
    // The arrays borrow the mapped file's memory, which "load" copies.
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      NDList weights = new NDList();
      for (String name : RandomCheckpoint.names()) {
        weights.add(array(checkpoint.tensor(name)));
      }
      weights.add(inverseFrequencies());
      weights.forEach(array -> array.setName("initial[]"));
      script.call("load", false, weights).close();
      weights.forEach(NDArray::close);
    }
  }

  private NDArray array(StoredTensor tensor) {
    NDArray array = manager.create(new Shape(tensor.shape().toArray()), DataType.FLOAT32);
    array.set(tensor.data().asByteBuffer().order(ByteOrder.nativeOrder()));
    return array;
  }

  private NDArray inverseFrequencies() {
    float[] frequencies = new float[HEAD_DIM / 2];
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = (float) Math.pow(RandomCheckpoint.ROPE_THETA, -2.0 * i / HEAD_DIM);
    }
    return manager.create(frequencies);
  }

  /** Token ids {@code [prompts, tokens]}. */
  NDArray ids(EncodingWorkload workload) {
    long[] ids =
        workload.tokenIds().stream()
            .flatMapToLong(prompt -> Arrays.stream(prompt).asLongStream())
            .toArray();
    Shape shape = new Shape(workload.prompts(), workload.tokens());
    return manager.create(LongBuffer.wrap(ids), shape, DataType.INT64);
  }

  /** Hidden states after the final norm {@code [prompts, tokens, hidden]}; the caller closes it. */
  NDArray encode(NDArray ids) {
    return script.call("encode", false, new NDList(ids));
  }

  private static String source() {
    StringBuilder code =
        new StringBuilder(
            """
            class M(Module):
                __parameters__ = []
                __buffers__ = []
                training : bool
                w : List[Tensor]
                def load(self: __torch__.M, initial: List[Tensor]) -> Tensor:
                    w = annotate(List[Tensor], [])
                    for p in initial:
                        _0 = torch.append(w, torch.clone(p))
                    self.w = w
                    return torch.clone(w[0][0])
                def encode(self: __torch__.M, ids: Tensor) -> Tensor:
                    w = self.w
                    n = torch.size(ids, 0)
                    l = torch.size(ids, 1)
                    x = torch.embedding(w[0], ids)
                    positions = torch.arange(l, dtype=6)
                    angles = torch.outer(positions, w[%d])
                    angles = torch.cat([angles, angles], 1)
                    cos = torch.cos(angles)
                    sin = torch.sin(angles)
            """
                .formatted(2 + RandomCheckpoint.LAYERS * TENSORS_PER_LAYER));
    for (int layer = 0; layer < RandomCheckpoint.LAYERS; layer++) {
      layer(code, 1 + layer * TENSORS_PER_LAYER);
    }
    norm(code, 1 + RandomCheckpoint.LAYERS * TENSORS_PER_LAYER);
    return code.append("        return h\n").toString();
  }

  private static void layer(StringBuilder code, int first) {
    norm(code, first);
    project(code, "q", first + 1);
    project(code, "k", first + 2);
    project(code, "v", first + 3);
    rotate(code, "q");
    rotate(code, "k");
    code.append(
        """
                a = torch.scaled_dot_product_attention(q, k, v, None, 0., True)
                a = torch.reshape(torch.transpose(a, 1, 2), [n, l, %d])
                x = torch.add(x, torch.linear(a, w[%d]))
        """
            .formatted(RandomCheckpoint.HIDDEN, first + 4));
    norm(code, first + 5);
    code.append(
        """
                g = torch.mul(torch.silu(torch.linear(h, w[%d])), torch.linear(h, w[%d]))
                x = torch.add(x, torch.linear(g, w[%d]))
        """
            .formatted(first + 6, first + 7, first + 8));
  }

  private static void norm(StringBuilder code, int weight) {
    code.append(
        """
                m = torch.mean(torch.pow(x, 2), [-1], True)
                h = torch.mul(w[%d], torch.mul(x, torch.rsqrt(torch.add(m, %s))))
        """
            .formatted(weight, RandomCheckpoint.RMS_NORM_EPSILON));
  }

  private static void project(StringBuilder code, String name, int weight) {
    code.append(
        """
                %s = torch.transpose(torch.view(torch.linear(h, w[%d]), [n, l, %d, %d]), 1, 2)
        """
            .formatted(name, weight, RandomCheckpoint.HEADS, HEAD_DIM));
  }

  private static void rotate(StringBuilder code, String name) {
    code.append(
        """
                r = torch.cat([torch.neg(torch.slice(%1$s, 3, %2$d)), torch.slice(%1$s, 3, 0, %2$d)], 3)
                %1$s = torch.add(torch.mul(%1$s, cos), torch.mul(r, sin))
        """
            .formatted(name, HEAD_DIM / 2));
  }

  @Override
  public void close() {
    script.close();
    manager.close();
  }
}
