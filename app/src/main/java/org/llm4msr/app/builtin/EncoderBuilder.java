package org.llm4msr.app.builtin;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.llm4msr.model.checkpoint.SafetensorsWriter;
import org.llm4msr.model.checkpoint.SafetensorsWriter.Declaration;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import tools.jackson.databind.json.JsonMapper;

/**
 * Makes the encoder that ships with the project: a byte-level BPE tokenizer trained on the demo
 * company's words, and a small llama-architecture model whose weights are drawn from a seed.
 *
 * <p>The model has never been trained. Its vectors are a random but fixed function of the text: the
 * residual stream is dominated by the token embeddings, so that the mean over a text's positions is
 * close to a random projection of its bag of words. Texts about the same things lie near each other
 * because they share words; that a cat is a pet the model does not know. Pool it by the mean: the
 * last position of an untrained model says little about what came before.
 *
 * <p>Whoever changes this class, {@link ByteLevelBpe} or the demo's words makes the resource again:
 *
 * <pre>{@code
 * ./mvnw -q -DskipTests package
 * java -cp 'app/target/llm4msr.jar:app/target/lib/*' org.llm4msr.app.builtin.EncoderBuilder \
 *     app/src/main/resources/org/llm4msr/builtin-encoder
 * }</pre>
 */
public final class EncoderBuilder {
  static final long SEED = 4;

  /** Rows of the embedding table; the tokenizer may use fewer. */
  static final int VOCABULARY = 3584;

  static final int HIDDEN = 192;
  static final int INTERMEDIATE = 128;
  static final int LAYERS = 2;
  static final int HEADS = 3;
  static final int POSITIONS = 2048;

  /** Share of a branch's own scale with which it enters the residual stream. */
  private static final double BRANCH_GAIN = 0.25;

  private EncoderBuilder() {}

  /** Writes the three files into the folder named by the only argument. */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 1) {
      System.err.println("usage: EncoderBuilder FOLDER");
      System.exit(2);
    }
    build(Path.of(arguments[0]));
  }

  /** The same bytes on every machine. */
  static void build(Path folder) throws IOException {
    Files.createDirectories(folder);
    ByteLevelBpe bpe = ByteLevelBpe.train(Corpus.texts(), VOCABULARY);
    Files.writeString(folder.resolve("tokenizer.json"), bpe.toJson());
    Files.writeString(folder.resolve("config.json"), config());
    writeWeights(folder.resolve("model.safetensors"));
  }

  private static String config() {
    Map<String, Object> config = new LinkedHashMap<>();
    config.put("architectures", List.of("LlamaForCausalLM"));
    config.put("model_type", "llama");
    config.put("vocab_size", VOCABULARY);
    config.put("hidden_size", HIDDEN);
    config.put("intermediate_size", INTERMEDIATE);
    config.put("num_hidden_layers", LAYERS);
    config.put("num_attention_heads", HEADS);
    config.put("num_key_value_heads", HEADS);
    config.put("max_position_embeddings", POSITIONS);
    config.put("hidden_act", "silu");
    config.put("rms_norm_eps", 1e-5);
    config.put("rope_theta", 10_000.0);
    config.put("attention_bias", false);
    config.put("mlp_bias", false);
    config.put("tie_word_embeddings", true);
    config.put("bos_token_id", 0);
    config.put("eos_token_id", 1);
    config.put("torch_dtype", "bfloat16");
    return JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(config) + "\n";
  }

  private record Weight(String name, Shape shape, double deviation) {}

  private static List<Weight> weights() {
    double in = 1 / Math.sqrt(HIDDEN);
    List<Weight> weights = new ArrayList<>();
    weights.add(new Weight("model.embed_tokens.weight", Shape.of(VOCABULARY, HIDDEN), 1));
    for (int l = 0; l < LAYERS; l++) {
      String layer = "model.layers." + l + ".";
      Shape square = Shape.of(HIDDEN, HIDDEN);
      Shape wide = Shape.of(INTERMEDIATE, HIDDEN);
      weights.add(new Weight(layer + "self_attn.q_proj.weight", square, in));
      weights.add(new Weight(layer + "self_attn.k_proj.weight", square, in));
      weights.add(new Weight(layer + "self_attn.v_proj.weight", square, in));
      weights.add(new Weight(layer + "self_attn.o_proj.weight", square, BRANCH_GAIN * in));
      weights.add(new Weight(layer + "mlp.gate_proj.weight", wide, in));
      weights.add(new Weight(layer + "mlp.up_proj.weight", wide, in));
      double out = BRANCH_GAIN / Math.sqrt(INTERMEDIATE);
      weights.add(new Weight(layer + "mlp.down_proj.weight", Shape.of(HIDDEN, INTERMEDIATE), out));
      weights.add(new Weight(layer + "input_layernorm.weight", Shape.of(HIDDEN), 0));
      weights.add(new Weight(layer + "post_attention_layernorm.weight", Shape.of(HIDDEN), 0));
    }
    weights.add(new Weight("model.norm.weight", Shape.of(HIDDEN), 0));
    return weights;
  }

  private static void writeWeights(Path file) {
    List<Weight> weights = weights();
    List<Declaration> declarations =
        weights.stream().map(w -> new Declaration(w.name(), DType.BF16, w.shape())).toList();
    Random random = new Random(SEED);
    Map<String, String> metadata = Map.of("format", "pt");
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, declarations, metadata)) {
      for (Weight weight : weights) {
        int count = Math.toIntExact(weight.shape().elements());
        ByteBuffer bytes = ByteBuffer.allocate(Short.BYTES * count).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < count; i++) {
          // The norms' weights are ones and take no number from the sequence.
          double value = weight.deviation() == 0 ? 1 : weight.deviation() * random.nextGaussian();
          bytes.putShort(bfloat16((float) value));
        }
        writer.write(MemorySegment.ofArray(bytes.array()));
      }
      writer.commit();
    }
  }

  /** The nearest BF16, ties to even; {@code value} is finite. */
  private static short bfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }
}
