package org.llm4msr.bench.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import org.llm4msr.bench.encoding.EncodingWorkload;
import org.llm4msr.model.checkpoint.Checkpoint;
import org.llm4msr.model.checkpoint.StoredTensor;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The forward pass of a llama or qwen2 in ONNX Runtime, operator by operator as an export of the
 * transformers library has it. The ONNX file is written beside {@code model.safetensors}, whose
 * matrices it refers to; ONNX Runtime packs them when it loads.
 *
 * <p>In 8 bits it is what its dynamic quantisation makes: weights as signed bytes, here with a
 * scale for each output, activations as unsigned bytes with one scale for all of them.
 */
final class OnnxLlama implements AutoCloseable {
  /** How the layers' matrices are multiplied. */
  enum Linear {
    F32,
    INT8
  }

  /** What no softmax lets through. */
  private static final float MASKED = -1e9f;

  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OnnxModel model = new OnnxModel();
  private final Path weightsFile;
  private final LlamaForm form;
  private final JsonNode offsets;
  private final long begin;
  private final Linear linear;
  private final int prompts;
  private final int tokens;
  private final OrtSession session;
  private final Map<String, OnnxTensor> inputs;

  /**
   * @param directory with one file {@code model.safetensors} of F32 weights
   */
  OnnxLlama(Path directory, Linear linear, EncodingWorkload workload, int threads)
      throws OrtException {
    this.linear = linear;
    prompts = workload.prompts();
    tokens = workload.tokens();
    weightsFile = directory.resolve("model.safetensors");
    form = LlamaForm.of(directory);
    try (FileChannel file = FileChannel.open(weightsFile)) {
      ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      file.read(length, 0);
      ByteBuffer header = ByteBuffer.allocate(Math.toIntExact(length.getLong(0)));
      file.read(header, Long.BYTES);
      begin = Long.BYTES + header.capacity();
      offsets = JsonMapper.shared().readTree(header.array());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Path written = directory.resolve(linear.name().toLowerCase(Locale.ROOT) + ".onnx");
    try (Checkpoint checkpoint = Checkpoint.open(directory);
        OrtSession.SessionOptions settings = new OrtSession.SessionOptions()) {
      build(checkpoint);
      Files.write(written, model.bytes());
      settings.setIntraOpNumThreads(threads);
      session = environment.createSession(written.toString(), settings);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    long[][] ids =
        workload.tokenIds().stream()
            .map(prompt -> Arrays.stream(prompt).asLongStream().toArray())
            .toArray(long[][]::new);
    inputs = Map.of("ids", OnnxTensor.createTensor(environment, ids));
  }

  private void build(Checkpoint weights) {
    String ids = model.input("ids", true, prompts, tokens);
    String looked = model.node("Gather", matrix(weights.tensor("model.embed_tokens.weight")), ids);
    String x = model.node("Reshape", looked, model.numbers((long) prompts * tokens, form.hidden()));
    String cos = rotation(true);
    String sin = rotation(false);
    String mask = mask();
    for (int layer = 0; layer < form.layers(); layer++) {
      String prefix = LlamaForm.prefix(layer);
      String h = norm(weights, prefix + "input_layernorm", x);
      String q =
          rotate(split(product(weights, prefix + "self_attn.q_proj", h), form.heads()), cos, sin);
      String k =
          rotate(
              split(product(weights, prefix + "self_attn.k_proj", h), form.keyHeads()), cos, sin);
      String v = split(product(weights, prefix + "self_attn.v_proj", h), form.keyHeads());
      String turned = model.node("Transpose", "perm", new long[] {0, 1, 3, 2}, repeated(k));
      String scale = model.constant(new float[] {(float) (1 / Math.sqrt(form.headDim()))});
      String scores = model.node("Mul", model.node("MatMul", q, turned), scale);
      String shares = model.node("Softmax", "axis", -1, model.node("Add", scores, mask));
      String mixed = model.node("MatMul", shares, repeated(v));
      String together =
          model.node(
              "Reshape",
              model.node("Transpose", "perm", new long[] {0, 2, 1, 3}, mixed),
              model.numbers((long) prompts * tokens, form.hidden()));
      x = model.node("Add", x, product(weights, prefix + "self_attn.o_proj", together));
      h = norm(weights, prefix + "post_attention_layernorm", x);
      String gate = product(weights, prefix + "mlp.gate_proj", h);
      String silu = model.node("Mul", gate, model.node("Sigmoid", gate));
      String inner = model.node("Mul", silu, product(weights, prefix + "mlp.up_proj", h));
      x = model.node("Add", x, product(weights, prefix + "mlp.down_proj", inner));
    }
    String normed = norm(weights, "model.norm", x);
    model.output(
        model.node("Reshape", normed, model.numbers(prompts, tokens, form.hidden())),
        prompts,
        tokens,
        form.hidden());
  }

  private String norm(Checkpoint weights, String name, String x) {
    String mean = model.node("ReduceMean", "axes", new long[] {-1}, model.node("Mul", x, x));
    String epsilon = model.constant(new float[] {(float) form.rmsNormEpsilon()});
    String root = model.node("Sqrt", model.node("Add", mean, epsilon));
    float[] scale = elements(weights.tensor(name + ".weight"));
    return model.node("Mul", model.node("Div", x, root), model.constant(scale, scale.length));
  }

  private String product(Checkpoint weights, String name, String x) {
    StoredTensor matrix = weights.tensor(name + ".weight");
    String bias = "";
    if (offsets.has(name + ".bias")) {
      float[] values = elements(weights.tensor(name + ".bias"));
      bias = model.constant(values, values.length);
    }
    return linear == Linear.F32
        ? model.node("Gemm", "transB", 1, x, matrix(matrix), bias)
        : quantised(matrix, x, bias);
  }

  /** With a scale for each output, of its largest weight. */
  private String quantised(StoredTensor matrix, String x, String bias) {
    int n = Math.toIntExact(matrix.shape().dim(0));
    int k = Math.toIntExact(matrix.shape().dim(1));
    float[] rows = elements(matrix);
    byte[] bytes = new byte[n * k];
    float[] scales = new float[n];
    for (int j = 0; j < n; j++) {
      float largest = 0;
      for (int p = 0; p < k; p++) {
        largest = Math.max(largest, Math.abs(rows[j * k + p]));
      }
      scales[j] = largest / Byte.MAX_VALUE;
      for (int p = 0; p < k; p++) {
        bytes[p * n + j] = (byte) Math.rint(rows[j * k + p] / scales[j]);
      }
    }
    String w = model.bytes(bytes, k, n);
    return model.microsoftNode("DynamicQuantizeMatMul", x, w, model.constant(scales, n), "", bias);
  }

  /** As it is stored, [outputs, inputs]. */
  private String matrix(StoredTensor tensor) {
    JsonNode range = offsets.path(tensor.name()).path("data_offsets");
    return model.external(
        weightsFile.getFileName().toString(),
        begin + range.path(0).asLong(),
        range.path(1).asLong() - range.path(0).asLong(),
        tensor.shape().toArray());
  }

  private static float[] elements(StoredTensor tensor) {
    FloatBuffer buffer =
        tensor.data().asByteBuffer().order(ByteOrder.nativeOrder()).asFloatBuffer();
    float[] elements = new float[buffer.remaining()];
    buffer.get(elements);
    return elements;
  }

  /** From [rows, count x width] to [prompts, count, tokens, width]. */
  private String split(String x, int count) {
    String apart = model.node("Reshape", x, model.numbers(prompts, tokens, count, form.headDim()));
    return model.node("Transpose", "perm", new long[] {0, 2, 1, 3}, apart);
  }

  /** Keys or values for every head of the queries. */
  private String repeated(String x) {
    if (form.keyHeads() == form.heads()) {
      return x;
    }
    String apart =
        model.node(
            "Reshape", x, model.numbers(prompts, form.keyHeads(), 1, tokens, form.headDim()));
    long each = form.heads() / form.keyHeads();
    String all =
        model.node(
            "Expand", apart, model.numbers(prompts, form.keyHeads(), each, tokens, form.headDim()));
    return model.node("Reshape", all, model.numbers(prompts, form.heads(), tokens, form.headDim()));
  }

  private String rotate(String x, String cos, String sin) {
    String first = slice(x, 0, form.headDim() / 2);
    String second = model.node("Neg", slice(x, form.headDim() / 2, form.headDim()));
    String turned = model.node("Concat", "axis", -1, second, first);
    return model.node("Add", model.node("Mul", x, cos), model.node("Mul", turned, sin));
  }

  private String slice(String x, long from, long to) {
    return model.node("Slice", x, model.numbers(from), model.numbers(to), model.numbers(3));
  }

  private String rotation(boolean cosines) {
    int headDim = form.headDim();
    float[] values = new float[tokens * form.headDim()];
    for (int i = 0; i < values.length; i++) {
      double frequency = Math.pow(form.ropeTheta(), -2.0 * (i % (headDim / 2)) / form.headDim());
      double angle = i / headDim * frequency;
      values[i] = (float) (cosines ? Math.cos(angle) : Math.sin(angle));
    }
    return model.constant(values, 1, 1, tokens, form.headDim());
  }

  private String mask() {
    float[] values = new float[tokens * tokens];
    for (int i = 0; i < values.length; i++) {
      values[i] = i % tokens > i / tokens ? MASKED : 0;
    }
    return model.constant(values, 1, 1, tokens, tokens);
  }

  void run() {
    try (OrtSession.Result result = session.run(inputs)) {
      result.get(0);
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The last tokens' states, {@code [prompts][hidden]}. */
  float[][] lastStates() throws OrtException {
    try (OrtSession.Result result = session.run(inputs)) {
      float[][][] states = (float[][][]) result.get(0).getValue();
      return Arrays.stream(states).map(prompt -> prompt[tokens - 1]).toArray(float[][]::new);
    }
  }

  @Override
  public void close() throws OrtException {
    inputs.values().forEach(OnnxTensor::close);
    session.close();
  }
}
