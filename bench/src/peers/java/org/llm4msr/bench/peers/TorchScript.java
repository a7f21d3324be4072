package org.llm4msr.bench.peers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.ParameterStore;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * A program for PyTorch's own interpreter, handed over as source text: one call runs all of its
 * operators natively, so that neither Python nor a Java wrapper per operator costs the peer time.
 *
 * <p>The text defines {@code class M(Module)} in TorchScript's serialized form, where PyTorch's
 * operators are called {@code torch.name}. Here it becomes the archive that {@code torch.jit.save}
 * would have written.
 */
final class TorchScript implements AutoCloseable {
  private final NDManager manager;
  private final PtSymbolBlock module;

  /**
   * @param source the class; its attributes besides {@code training} are lists of tensors, empty at
   *     the start
   * @param attributes names of these lists
   */
  TorchScript(NDManager manager, String source, List<String> attributes) {
    this.manager = manager.newSubManager();
    // Operator by operator with PyTorch's ordinary automatic differentiation: measured faster than
    // the executor that rewrites graphs.
    JniUtils.setGraphExecutorOptimize(false);
    try {
      byte[] archive = archive(source, attributes);
      module =
          JniUtils.loadModule(
              (PtNDManager) this.manager, new ByteArrayInputStream(archive), false, false);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Calls a method that returns a tensor.
   *
   * @param gradients whether operators are recorded for differentiation
   * @param arguments tensors in order; those named {@code name[]} form a list
   */
  NDArray call(String method, boolean gradients, NDList arguments) {
    JniUtils.setGradMode(gradients);
    NDArray name = manager.create(0);
    name.setName("module_method:" + method);
    NDList all = new NDList(arguments);
    all.add(name);
    NDArray result = module.forward(new ParameterStore(manager, false), all, gradients).get(0);
    name.close();
    return result;
  }

  private static byte[] archive(String source, List<String> attributes) throws IOException {
    ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    // PROTO 2; an instance of __torch__.M, built from a dictionary of its attributes; STOP.
    pickle.write(new byte[] {(byte) 0x80, 2});
    pickle.write("c__torch__\nM\n)\u0081}(".getBytes(StandardCharsets.ISO_8859_1));
    string(pickle, "training");
    pickle.write(0x88);
    for (String attribute : attributes) {
      string(pickle, attribute);
      pickle.write(']');
    }
    pickle.write("ub.".getBytes(StandardCharsets.ISO_8859_1));
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      Map<String, byte[]> entries =
          Map.of(
              "m/version", "3\n".getBytes(StandardCharsets.UTF_8),
              "m/constants.pkl", new byte[] {(byte) 0x80, 2, ')', '.'},
              "m/data.pkl", pickle.toByteArray(),
              "m/code/__torch__.py", source.getBytes(StandardCharsets.UTF_8));
      for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
        store(zip, entry.getKey(), entry.getValue());
      }
    }
    return bytes.toByteArray();
  }

  private static void string(ByteArrayOutputStream pickle, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    pickle.write('X');
    pickle.write(new byte[] {(byte) bytes.length, 0, 0, 0});
    pickle.write(bytes);
  }

  private static void store(ZipOutputStream zip, String name, byte[] bytes) throws IOException {
    ZipEntry entry = new ZipEntry(name);
    CRC32 checksum = new CRC32();
    checksum.update(bytes);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(bytes.length);
    entry.setCrc(checksum.getValue());
    zip.putNextEntry(entry);
    zip.write(bytes);
    zip.closeEntry();
  }

  @Override
  public void close() {
    module.close();
    manager.close();
  }
}
