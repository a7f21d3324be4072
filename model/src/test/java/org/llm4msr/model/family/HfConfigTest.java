package org.llm4msr.model.family;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.model.TestFiles;
import org.llm4msr.model.checkpoint.StrictJson;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.op.AttentionOp.Mask;
import tools.jackson.databind.node.ObjectNode;

class HfConfigTest {
  @TempDir Path folder;

  private static final String BASE =
      """
      {"model_type":"llama","vocab_size":32000,"hidden_size":96,"intermediate_size":128,
       "num_hidden_layers":3,"num_attention_heads":6}\
      """;

  /** The base config with {@code changes} over it. */
  private ModelConfig read(String changes) throws IOException {
    ObjectNode config = StrictJson.object(BASE, "base");
    config.setAll(StrictJson.object(changes, "changes"));
    Files.writeString(folder.resolve("config.json"), config.toString());
    return HfConfig.read(folder);
  }

  private static RopeConfig rope(ModelConfig config) {
    return config.attention().layers().get(0).rope();
  }

  private static RopeConfig rope(double theta, RopeConfig.Scaling scaling) {
    return new RopeConfig(theta, 16, false, scaling);
  }

  private static List<Integer> reaches(ModelConfig config) {
    return config.attention().layers().stream().map(layer -> layer.mask().before()).toList();
  }

  @Test
  void readsTheOlderStyle() {
    ModelConfig config = HfConfig.read(TestFiles.resource("golden/transformers/qwen2"));
    assertThat(config.family()).isEqualTo("qwen2");
    assertThat(config.vocabularySize()).isEqualTo(384);
    assertThat(config.attention().kvHeads()).isEqualTo(2);
    assertThat(config.attention().headDim()).isEqualTo(16);
    assertThat(config.attention().bias()).isTrue();
    assertThat(config.attention().outputBias()).isFalse();
    assertThat(config.head().tied()).isTrue();
    assertThat(rope(config)).isEqualTo(rope(1e6, new RopeConfig.None()));
  }

  @Test
  void readsTodaysStyle() {
    ModelConfig config = HfConfig.read(TestFiles.resource("golden/transformers/llama3"));
    assertThat(rope(config)).isEqualTo(rope(500_000, new RopeConfig.Llama3(8, 1, 4, 64)));
    assertThat(config.attention().bias()).isFalse();
    assertThat(config.norms().epsilon()).isEqualTo(1e-5);
  }

  @Test
  void bothStylesOfRopeSayTheSame() throws IOException {
    RopeConfig expected = rope(7777, new RopeConfig.Llama3(8, 1, 4, 64));
    String scaling =
        "\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
            + "\"original_max_position_embeddings\":64";
    String older =
        "{\"rope_theta\":7777,\"rope_scaling\":{\"rope_type\":\"llama3\"," + scaling + "}}";
    String today =
        "{\"rope_parameters\":{\"rope_theta\":7777.0,\"rope_type\":\"llama3\"," + scaling + "}}";
    assertThat(rope(read(older))).isEqualTo(expected);
    assertThat(rope(read(today))).isEqualTo(expected);
    assertThat(rope(read("{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}")))
        .isEqualTo(rope(10_000, new RopeConfig.Linear(2)));
  }

  @Test
  void defaultsAreThoseOfTheOriginalLibrary() throws IOException {
    ModelConfig config = read("{\"rope_scaling\":null,\"head_dim\":null}");
    assertThat(config.attention().kvHeads()).isEqualTo(6);
    assertThat(config.attention().headDim()).isEqualTo(16);
    assertThat(config.maxPositions()).isEqualTo(2048);
    assertThat(config.norms().epsilon()).isEqualTo(1e-6);
    assertThat(rope(config)).isEqualTo(rope(10_000, new RopeConfig.None()));
    assertThat(config.head().tied()).isFalse();
    assertThat(read("{\"model_type\":\"qwen3\"}").attention().headDim()).isEqualTo(128);
    assertThat(read("{\"model_type\":\"phi3\"}").norms().epsilon()).isEqualTo(1e-5);
    ModelConfig gemma = read("{\"model_type\":\"gemma2\",\"num_key_value_heads\":3}");
    assertThat(gemma.attention().headDim()).isEqualTo(256);
    assertThat(gemma.attention().layers().get(0).mask()).isEqualTo(new Mask(4095, 0, 50));
    assertThat(gemma.head()).isEqualTo(new ModelConfig.Head(true, true, 30));
  }

  @Test
  void headDimMayDifferAndLlamaMayHaveBiases() throws IOException {
    ModelConfig config = read("{\"head_dim\":24,\"attention_bias\":true,\"mlp_bias\":true}");
    assertThat(config.attention().headDim()).isEqualTo(24);
    assertThat(config.attention().bias()).isTrue();
    assertThat(config.attention().outputBias()).isTrue();
    assertThat(config.mlp().bias()).isTrue();
  }

  @Test
  void windowsCountWhereTheyAreSwitchedOn() throws IOException {
    String qwen = "{\"model_type\":\"qwen2\",\"sliding_window\":64,\"use_sliding_window\":";
    List<Integer> none = List.of(Mask.ALL, Mask.ALL, Mask.ALL);
    assertThat(reaches(read(qwen + "false}"))).isEqualTo(none);
    assertThat(reaches(read(qwen + "true,\"max_window_layers\":3}"))).isEqualTo(none);
    assertThat(reaches(read(qwen + "true,\"max_window_layers\":1}")))
        .containsExactly(Mask.ALL, 63, 63);
    String types = "\"layer_types\":[\"full_attention\",\"sliding_attention\",\"full_attention\"]}";
    assertThat(reaches(read(qwen + "true," + types))).containsExactly(Mask.ALL, 63, Mask.ALL);
    String mistral = "{\"model_type\":\"mistral\",\"num_key_value_heads\":2";
    assertThat(reaches(read(mistral + "}"))).containsExactly(4095, 4095, 4095);
    assertThat(reaches(read(mistral + ",\"sliding_window\":null}"))).isEqualTo(none);
    assertThat(reaches(read("{\"model_type\":\"phi3\",\"sliding_window\":8}")))
        .containsExactly(7, 7, 7);
    String gemma2 = "{\"model_type\":\"gemma2\",\"sliding_window\":9,\"num_key_value_heads\":2";
    assertThat(reaches(read(gemma2 + "}"))).containsExactly(8, Mask.ALL, 8);
    assertThat(reaches(read(gemma2 + "," + types))).containsExactly(Mask.ALL, 8, Mask.ALL);
    assertThat(
            reaches(
                read(
                    "{\"model_type\":\"gemma3_text\",\"num_key_value_heads\":2,"
                        + "\"sliding_window\":5,\"sliding_window_pattern\":2}")))
        .containsExactly(4, Mask.ALL, 4);
    ModelConfig modern = read("{\"model_type\":\"modernbert\",\"local_attention\":9}");
    assertThat(modern.attention().layers().stream().map(ModelConfig.Layer::mask))
        .containsExactly(Mask.bidirectional(), new Mask(4, 4, 0), new Mask(4, 4, 0));
  }

  @Test
  void layersThatSlideMayTurnAtAnotherBase() throws IOException {
    String gemma3 =
        "{\"model_type\":\"gemma3_text\",\"num_key_value_heads\":2,\"head_dim\":16,"
            + "\"sliding_window_pattern\":3,";
    List<RopeConfig> expected =
        List.of(
            rope(500, new RopeConfig.None()),
            rope(500, new RopeConfig.None()),
            rope(9e5, new RopeConfig.Linear(8)));
    String older =
        "\"rope_theta\":900000,\"rope_local_base_freq\":500,"
            + "\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":8}}";
    String today =
        "\"rope_parameters\":{\"sliding_attention\":{\"rope_theta\":500},\"full_attention\":"
            + "{\"rope_type\":\"linear\",\"factor\":8,\"rope_theta\":900000}}}";
    for (String style : new String[] {older, today}) {
      assertThat(read(gemma3 + style).attention().layers().stream().map(ModelConfig.Layer::rope))
          .isEqualTo(expected);
    }
    ModelConfig modern =
        read("{\"model_type\":\"modernbert\",\"global_rope_theta\":77,\"local_rope_theta\":null}");
    assertThat(modern.attention().layers().stream().map(layer -> layer.rope().theta()))
        .containsExactly(77.0, 77.0, 77.0);
  }

  @Test
  void aPartOfEachHeadMayTurn() throws IOException {
    assertThat(rope(read("{\"model_type\":\"glm\",\"num_key_value_heads\":2,\"head_dim\":24}")))
        .isEqualTo(new RopeConfig(10_000, 12, true, new RopeConfig.None()));
    String phi3 = "{\"model_type\":\"phi3\",\"partial_rotary_factor\":0.75}";
    assertThat(rope(read(phi3)).dims()).isEqualTo(12);
    String neox = "{\"model_type\":\"gpt_neox\",";
    assertThat(rope(read(neox + "\"rotary_pct\":0.375,\"rotary_emb_base\":99}")))
        .isEqualTo(new RopeConfig(99, 6, false, new RopeConfig.None()));
    String today =
        "\"rope_parameters\":{\"partial_rotary_factor\":0.5,\"rope_theta\":77,"
            + "\"rope_type\":\"default\"}}";
    assertThat(rope(read(neox + today)))
        .isEqualTo(new RopeConfig(77, 8, false, new RopeConfig.None()));
  }

  @Test
  void gpt2MayScaleByLayer() throws IOException {
    String gpt2 =
        "{\"model_type\":\"gpt2\",\"n_embd\":96,\"n_layer\":2,\"n_head\":6,"
            + "\"scale_attn_by_inverse_layer_idx\":true";
    assertThat(read(gpt2 + "}").attention().layers().stream().map(ModelConfig.Layer::scale))
        .containsExactly(0.25, 0.125);
    assertThat(
            read(gpt2 + ",\"scale_attn_weights\":false}").attention().layers().stream()
                .map(ModelConfig.Layer::scale))
        .containsExactly(1.0, 0.5);
  }

  @Test
  void aModelOfPicturesAndTextHasATextHalf() throws IOException {
    ModelConfig config =
        read(
            "{\"model_type\":\"gemma3\",\"text_config\":{\"model_type\":\"gemma3_text\","
                + "\"hidden_size\":2560,\"num_hidden_layers\":34,\"intermediate_size\":10240}}");
    assertThat(config.hiddenSize()).isEqualTo(2560);
    assertThat(config.vocabularySize()).isEqualTo(262_208);
    assertThat(config.attention().heads()).isEqualTo(8);
    assertThat(config.attention().headDim()).isEqualTo(256);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\u0001',
      textBlock =
          """
          {"model_type":"mamba"}                                         | model_type is "mamba", supported are bert, chatglm, gemma2,
          {"model_type":null}                                            | model_type is missing
          {"model_type":7}                                               | model_type is 7, expected a string
          {"hidden_size":null}                                           | hidden_size is missing
          {"hidden_size":96.5}                                           | hidden_size is 96.5, expected a whole number
          {"hidden_size":-96}                                            | hidden_size is -96, expected 1 to
          {"hidden_size":1000000000}                                     | hidden_size is 1000000000, expected 1 to
          {"vocab_size":99999999999}                                     | vocab_size is 99999999999, expected a whole number
          {"num_key_value_heads":4}                                      | expected a divisor of num_attention_heads, 6
          {"num_attention_heads":7}                                      | expected a divisor of the width, 96
          {"head_dim":15}                                                | head_dim is 15, expected an even number
          {"num_attention_heads":96}                                     | head_dim is 1, expected an even number
          {"num_attention_heads":192}                                    | expected a divisor of the width
          {"num_attention_heads":1000000,"head_dim":1000000}             | times num_attention_heads exceeds
          {"rms_norm_eps":0}                                             | rms_norm_eps is 0, expected a number above 0
          {"rms_norm_eps":1e999}                                         | rms_norm_eps is
          {"rms_norm_eps":"1e-5"}                                        | rms_norm_eps is "1e-5", expected a number
          {"rope_theta":-1}                                              | rope_theta is -1
          {"rope_scaling":{"type":"longrope","short_factor":[1]}}         | rope_scaling: short_factor has 1 entries, expected 8 numbers
          {"rope_scaling":{"type":"longrope","short_factor":[1,2,3,4,5,6,7,0]}} | short_factor holds something else than numbers above 0
          {"rope_scaling":{"type":"longrope","short_factor":[1,2,3,4,5,6,7,8]}} | long_factor is missing
          {"rope_scaling":{"type":"su"}}                                 | rope_type is "su", supported are default, linear, dynamic, llama3, yarn and longrope
          {"rope_scaling":{"rope_type":"dynamic"}}                       | factor is missing
          {"rope_scaling":{"rope_type":"dynamic","factor":2,"alpha":1000}} | alpha is not supported
          {"model_type":"gemma3_text","num_key_value_heads":2,"head_dim":4,"rope_parameters":{"full_attention":{"rope_type":"longrope","short_factor":[1,1],"long_factor":[1,1]}}} | full_attention is longrope
          {"rope_parameters":{"rope_type":"linear"}}                     | rope_parameters: factor is missing
          {"rope_parameters":{"full_attention":{"rope_theta":1}}}        | full_attention is not supported
          {"rope_parameters":{"mrope_section":[1,2]}}                    | mrope_section is not supported
          {"rope_parameters":{"partial_rotary_factor":0.5}}              | partial_rotary_factor is not 1
          {"rope_parameters":{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4}} | expected more than low_freq_factor
          {"rope_scaling":{"type":"yarn","factor":2,"extrapolation":1}}   | rope_scaling: extrapolation is not supported here
          {"partial_rotary_factor":0.5}                                  | partial_rotary_factor is not 1
          {"rope_scaling":"linear"}                                      | rope_scaling is not an object
          {"hidden_act":"quick_gelu"}                                    | hidden_act is "quick_gelu", supported are gelu, gelu_accurate
          {"num_local_experts":8}                                        | mixture of experts
          {"quantization_config":{"quant_method":"awq"}}                 | quantization_config is set
          {"sliding_window":64}                                          | sliding_window is set, but llama has no sliding window
          {"layer_types":["sliding_attention"]}                          | layer_types holds "sliding_attention"
          {"model_type":"qwen3","layer_types":["full_attention"]}        | layer_types has 1 entries for 3 layers
          {"model_type":"qwen3","layer_types":["full_attention","chunked_attention","full_attention"]} | layer_types holds "chunked_attention"
          {"model_type":"qwen3","layer_types":["full_attention","sliding_attention","full_attention"]} | sliding_window is missing
          {"model_type":"mixtral"}                                       | no mixture of experts
          {"model_type":"qwen3_moe"}                                     | no mixture of experts
          {"model_type":"mistral","num_key_value_heads":2,"attention_bias":true} | mistral has no biases
          {"model_type":"phi3","rope_scaling":{"type":"su","short_factor":[1]}} | short_factor has 1 entries
          {"model_type":"gemma2","num_key_value_heads":2,"use_bidirectional_attention":true} | bidirectional attention is not supported
          {"model_type":"gemma3_text","num_key_value_heads":2,"attn_logit_softcapping":50} | gemma3 has no cap there
          {"model_type":"gemma3"}                                        | text_config is missing
          {"model_type":"glm","num_key_value_heads":2,"partial_rotary_factor":0.01} | which turns 1 numbers of each head
          {"model_type":"bert","position_embedding_type":"relative_key"} | supported is absolute
          {"model_type":"bert","is_decoder":true}                        | bert as a decoder
          {"model_type":"chatglm"}                                       | padded_vocab_size is missing
          {"model_type":"chatglm","apply_residual_connection_post_layernorm":true} | residuals taken after the norm
          {"model_type":"chatglm","original_rope":false}                 | only the original rope
          {"model_type":"chatglm","quantization_bit":4}                  | quantization_bit is set
          {"model_type":"chatglm","pre_seq_len":128}                     | prefix tuning
          {"model_type":"gpt2"}                                          | n_embd is missing
          {"add_cross_attention":true}                                   | cross-attention is not supported
          {"is_encoder_decoder":true}                                    | encoder-decoder models
          {"attention_chunk_size":8}                                     | chunked attention
          {"model_type":"qwen2","attention_bias":false}                  | qwen2 always has
          {"attention_bias":"yes"}                                       | attention_bias is "yes", expected true or false
          """)
  void refusesByName(String changes, String message) {
    assertThatThrownBy(() -> read(changes))
        .isInstanceOf(UserError.class)
        .hasMessageStartingWith(folder.resolve("config.json").toString())
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\u0001',
      textBlock =
          """
          {"model_type":"llama","model_type":"qwen2"} | Duplicate
          {"rms_norm_eps":NaN}                        | not valid JSON
          {} {}                                       | not valid JSON
          []                                          | expected a JSON object
          {"model_type":                              | not valid JSON
          """)
  void refusesWhatIsNoJson(String content, String message) throws IOException {
    Files.writeString(folder.resolve("config.json"), content);
    assertThatThrownBy(() -> HfConfig.read(folder))
        .isInstanceOf(UserError.class)
        .hasMessageContaining(message)
        .hasMessageNotContaining("\n");
  }

  @Test
  void refusesAMissingConfig() {
    assertThatThrownBy(() -> HfConfig.read(folder))
        .isInstanceOf(UserError.class)
        .hasMessage(folder.resolve("config.json") + ": no such file");
  }

  @Test
  void llama3ScalesByWavelength() {
    RopeConfig rope = new RopeConfig(500_000, 128, false, new RopeConfig.Llama3(8, 1, 4, 8192));
    double[] plain =
        new RopeConfig(500_000, 128, false, new RopeConfig.None()).inverseFrequencies(1);
    double[] scaled = rope.inverseFrequencies(1);
    assertThat(plain[0]).isEqualTo(1);
    assertThat(scaled[0]).isEqualTo(1);
    assertThat(scaled[63] / plain[63]).isCloseTo(1.0 / 8, within(1e-15));
    for (int i = 0; i < 64; i++) {
      double wavelength = 2 * Math.PI / plain[i];
      double ratio = scaled[i] / plain[i];
      // 8192 / 4 = 2048 and 8192 / 1: the passage, linear in 1 / wavelength, lies between.
      double expected =
          wavelength <= 2048
              ? 1
              : wavelength >= 8192 ? 0.125 : 0.125 + 0.875 * (8192 / wavelength - 1) / 3;
      assertThat(ratio).isCloseTo(expected, within(1e-12));
    }
    assertThat(new RopeConfig(1e4, 4, false, new RopeConfig.Linear(4)).inverseFrequencies(1))
        .containsExactly(0.25, 0.0025);
  }

  /** Figures from the paper's formulas for Qwen2.5's published setting, worked out by hand. */
  @Test
  void yarnKeepsFastPairsAndDividesSlowOnes() throws IOException {
    ModelConfig config =
        read(
            "{\"model_type\":\"qwen2\",\"hidden_size\":768,\"max_position_embeddings\":32768,"
                + "\"rope_theta\":1000000.0,\"rope_scaling\":{\"factor\":4.0,"
                + "\"original_max_position_embeddings\":32768,\"type\":\"yarn\"}}");
    RopeConfig yarn = rope(config);
    assertThat(yarn.attentionFactor()).isCloseTo(0.1 * Math.log(4) + 1, within(1e-15));
    double[] scaled = yarn.inverseFrequencies(1);
    double[] plain = new RopeConfig(1e6, 128, false, new RopeConfig.None()).inverseFrequencies(1);
    // Pair d turns 32768 / (2 pi 1e6^(d/64)) times: 32 times at 23.6, once at 39.7.
    for (int pair = 0; pair < 64; pair++) {
      double passage = Math.clamp((pair - 23) / (40 - 23.0), 0, 1);
      double expected = plain[pair] * (1 - passage) + plain[pair] / 4 * passage;
      assertThat(scaled[pair]).isCloseTo(expected, within(1e-12 * plain[pair]));
    }
    String deepSeek =
        "{\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":40,\"mscale\":0.5,"
            + "\"mscale_all_dim\":1.0,\"original_max_position_embeddings\":1024}}";
    assertThat(rope(read(deepSeek)).attentionFactor())
        .isCloseTo((0.05 * Math.log(40) + 1) / (0.1 * Math.log(40) + 1), within(1e-15));
    // The ratio of positions where no factor is given.
    assertThat(
            rope(read(
                    "{\"rope_scaling\":{\"type\":\"yarn\",\"attention_factor\":1.5,"
                        + "\"original_max_position_embeddings\":512}}"))
                .scaling())
        .isEqualTo(new RopeConfig.Yarn(4, 512, 32, 1, true, 1.5));
  }

  /** ChatGLM 2 and 3 mean different things by the same key. */
  @Test
  void theModelsCodeSaysWhatTheRatioScales() throws IOException {
    String config =
        "{\"model_type\":\"chatglm\",\"padded_vocab_size\":100,\"num_layers\":1,"
            + "\"ffn_hidden_size\":8,\"kv_channels\":16,\"rope_ratio\":50}";
    assertThatThrownBy(() -> read(config)).hasMessageContaining("rope_ratio is not 1");
    Path code = folder.resolve("modeling_chatglm.py");
    Files.writeString(code, "  base = base * self.rope_ratio\n");
    assertThat(rope(read(config))).isEqualTo(new RopeConfig(5e5, 8, true, new RopeConfig.None()));
    Files.writeString(code, "  seq_idx = torch.arange(seq_len) / self.rope_ratio\n");
    assertThat(rope(read(config)))
        .isEqualTo(new RopeConfig(1e4, 8, true, new RopeConfig.Linear(50)));
    Files.writeString(code, "  pass\n");
    assertThatThrownBy(() -> read(config)).hasMessageContaining("says neither");
  }
}
