package org.llm4msr.bench.peers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.llm4msr.bench.encoding.EncodingWorkload;
import org.llm4msr.model.checkpoint.Checkpoint;
import org.llm4msr.model.checkpoint.StoredTensor;

/**
 * The forward pass of a llama or qwen2 in PyTorch, operator by operator as the transformers library
 * runs it (with {@code scaled_dot_product_attention}), F32.
 */
final class TorchEncoder implements AutoCloseable {
  /** Who multiplies. */
  enum Linear {
    /** {@code nn.Linear} as it is: PyTorch's BLAS, here MKL. */
    EAGER,
    /** oneDNN with weights packed beforehand, as PyTorch's compiler arranges for frozen models. */
    ONE_DNN_PACKED
  }

  private final NDManager manager;
  private final LlamaForm form;
  private final Linear linear;
  private final TorchScript script;

  /**
   * @param tokens in a call, for which oneDNN packs
   */
  TorchEncoder(NDManager parent, Path model, Linear linear, int tokens) {
    manager = parent.newSubManager();
    this.linear = linear;
    form = LlamaForm.of(model);
    List<String> names = new ArrayList<>(List.of("model.embed_tokens.weight"));
    for (int layer = 0; layer < form.layers(); layer++) {
      names.addAll(form.tensors(layer));
    }
    names.add("model.norm.weight");
    script = new TorchScript(manager, source(tokens, names.size()), List.of("w"));
    // The arrays borrow the mapped file's memory, which "load" copies.
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      NDList weights = new NDList();
      for (String name : names) {
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
    float[] frequencies = new float[form.headDim() / 2];
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = (float) Math.pow(form.ropeTheta(), -2.0 * i / form.headDim());
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

  private String source(int tokens, int weights) {
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
                        q = torch.clone(p)
                        if %s:
                            q = ops.mkldnn._reorder_linear_weight(q, %d)
                        _0 = torch.append(w, q)
                    self.w = w
                    return torch.clone(initial[1])
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
                .formatted(packs("p"), tokens, weights));
    for (int layer = 0; layer < form.layers(); layer++) {
      layer(code, 1 + layer * form.tensors(layer).size());
    }
    norm(code, weights - 1);
    return code.append("        return h\n").toString();
  }

  private void layer(StringBuilder code, int first) {
    norm(code, first);
    int step = form.bias() ? 2 : 1;
    project(code, "q", first + 1, form.heads());
    project(code, "k", first + 1 + step, form.keyHeads());
    project(code, "v", first + 1 + 2 * step, form.keyHeads());
    rotate(code, "q");
    rotate(code, "k");
    repeat(code, "k");
    repeat(code, "v");
    int next = first + 1 + 3 * step;
    code.append(
        """
                a = torch.scaled_dot_product_attention(q, k, v, None, 0., True)
                a = torch.reshape(torch.transpose(a, 1, 2), [n, l, %d])
                x = torch.add(x, %s)
        """
            .formatted(form.hidden(), product("a", next, false)));
    norm(code, next + 1);
    code.append(
        """
                g = torch.mul(torch.silu(%s), %s)
                x = torch.add(x, %s)
        """
            .formatted(
                product("h", next + 2, false),
                product("h", next + 3, false),
                product("g", next + 4, false)));
  }

  /** Keys or values for every head of the queries. */
  private void repeat(StringBuilder code, String name) {
    if (form.keyHeads() < form.heads()) {
      code.append(
          """
                  %1$s = torch.repeat_interleave(%1$s, %2$d, 1)
          """
              .formatted(name, form.heads() / form.keyHeads()));
    }
  }

  /** Matrices are packed, but not the embedding table, which is looked up in. */
  private String packs(String tensor) {
    return linear == Linear.EAGER
        ? "False"
        : "torch.__and__(torch.eq(torch.dim(%1$s), 2), torch.ne(torch.size(%1$s, 0), %2$d))"
            .formatted(tensor, form.vocabulary());
  }

  private String product(String x, int weight, boolean bias) {
    String added = bias ? "w[%d]".formatted(weight + 1) : "None";
    return linear == Linear.EAGER
        ? "torch.linear(%s, w[%d], %s)".formatted(x, weight, added)
        : "ops.mkldnn._linear_pointwise(%s, w[%d], %s, \"none\", annotate(List[Optional[number]], []), \"\")"
            .formatted(x, weight, added);
  }

  private void norm(StringBuilder code, int weight) {
    code.append(
        """
                m = torch.mean(torch.pow(x, 2), [-1], True)
                h = torch.mul(w[%d], torch.mul(x, torch.rsqrt(torch.add(m, %s))))
        """
            .formatted(weight, form.rmsNormEpsilon()));
  }

  private void project(StringBuilder code, String name, int weight, int heads) {
    code.append(
        """
                %s = torch.transpose(torch.view(%s, [n, l, %d, %d]), 1, 2)
        """
            .formatted(name, product("h", weight, form.bias()), heads, form.headDim()));
  }

  private void rotate(StringBuilder code, String name) {
    code.append(
        """
                r = torch.cat([torch.neg(torch.slice(%1$s, 3, %2$d)), torch.slice(%1$s, 3, 0, %2$d)], 3)
                %1$s = torch.add(torch.mul(%1$s, cos), torch.mul(r, sin))
        """
            .formatted(name, form.headDim() / 2));
  }

  @Override
  public void close() {
    script.close();
    manager.close();
  }
}
