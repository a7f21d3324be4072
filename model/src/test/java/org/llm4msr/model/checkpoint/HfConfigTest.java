package org.llm4msr.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.model.TestFiles;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.node.ObjectNode;

class HfConfigTest {
  @TempDir Path folder;

  private static final String BASE =
      """
      {"model_type":"llama","vocab_size":32000,"hidden_size":96,"intermediate_size":128,
       "num_hidden_layers":3,"num_attention_heads":6}\
      """;

  /** The base config with {@code changes} over it; null removes a field. */
  private HfConfig read(String changes) throws IOException {
    ObjectNode config = StrictJson.object(BASE, "base");
    config.setAll(StrictJson.object(changes, "changes"));
    Files.writeString(folder.resolve("config.json"), config.toString());
    return HfConfig.read(folder);
  }

  @Test
  void readsTheOlderStyle() {
    HfConfig config = HfConfig.read(TestFiles.resource("golden/transformers/qwen2"));
    assertThat(config.modelType()).isEqualTo("qwen2");
    assertThat(config.vocabularySize()).isEqualTo(384);
    assertThat(config.keyValueHeads()).isEqualTo(2);
    assertThat(config.headDim()).isEqualTo(16);
    assertThat(config.attentionBias()).isTrue();
    assertThat(config.outputBias()).isFalse();
    assertThat(config.tiedEmbeddings()).isTrue();
    assertThat(config.rope()).isEqualTo(new RopeConfig(1e6, new RopeConfig.None()));
  }

  @Test
  void readsTodaysStyle() {
    HfConfig config = HfConfig.read(TestFiles.resource("golden/transformers/llama3"));
    assertThat(config.rope())
        .isEqualTo(new RopeConfig(500_000, new RopeConfig.Llama3(8, 1, 4, 64)));
    assertThat(config.attentionBias()).isFalse();
    assertThat(config.rmsNormEps()).isEqualTo(1e-5);
  }

  @Test
  void bothStylesOfRopeSayTheSame() throws IOException {
    RopeConfig expected = new RopeConfig(7777, new RopeConfig.Llama3(8, 1, 4, 64));
    String scaling =
        "\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
            + "\"original_max_position_embeddings\":64";
    assertThat(
            read("{\"rope_theta\":7777,\"rope_scaling\":{\"rope_type\":\"llama3\","
                    + scaling
                    + "}}")
                .rope())
        .isEqualTo(expected);
    assertThat(
            read("{\"rope_parameters\":{\"rope_theta\":7777.0,\"rope_type\":\"llama3\","
                    + scaling
                    + "}}")
                .rope())
        .isEqualTo(expected);
    assertThat(read("{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}").rope())
        .isEqualTo(new RopeConfig(10_000, new RopeConfig.Linear(2)));
  }

  @Test
  void defaultsAreThoseOfTheOriginalLibrary() throws IOException {
    HfConfig config = read("{\"rope_scaling\":null,\"head_dim\":null}");
    assertThat(config.keyValueHeads()).isEqualTo(6);
    assertThat(config.headDim()).isEqualTo(16);
    assertThat(config.maxPositions()).isEqualTo(2048);
    assertThat(config.rmsNormEps()).isEqualTo(1e-6);
    assertThat(config.rope()).isEqualTo(new RopeConfig(10_000, new RopeConfig.None()));
    assertThat(config.tiedEmbeddings()).isFalse();
  }

  @Test
  void headDimMayDifferAndLlamaMayHaveBiases() throws IOException {
    HfConfig config = read("{\"head_dim\":24,\"attention_bias\":true,\"mlp_bias\":true}");
    assertThat(config.headDim()).isEqualTo(24);
    assertThat(config.attentionBias()).isTrue();
    assertThat(config.outputBias()).isTrue();
    assertThat(config.mlpBias()).isTrue();
  }

  @Test
  void aSlidingWindowThatIsSwitchedOffIsNoReasonToRefuse() throws IOException {
    read("{\"model_type\":\"qwen2\",\"sliding_window\":64,\"use_sliding_window\":false}");
    read(
        "{\"model_type\":\"qwen2\",\"sliding_window\":64,\"use_sliding_window\":true,"
            + "\"max_window_layers\":3}");
    read(
        "{\"model_type\":\"qwen2\",\"sliding_window\":64,\"use_sliding_window\":true,"
            + "\"layer_types\":[\"full_attention\",\"full_attention\",\"full_attention\"]}");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\u0001',
      textBlock =
          """
          {"model_type":"mamba"}                                         | model_type is "mamba", supported are llama and qwen2
          {"model_type":null}                                            | model_type is missing
          {"model_type":7}                                               | model_type is 7, expected a string
          {"hidden_size":null}                                           | hidden_size is missing
          {"hidden_size":96.5}                                           | hidden_size is 96.5, expected a whole number
          {"hidden_size":-96}                                            | hidden_size is -96, expected 1 to
          {"hidden_size":1000000000}                                     | hidden_size is 1000000000, expected 1 to
          {"vocab_size":99999999999}                                     | vocab_size is 99999999999, expected a whole number
          {"num_key_value_heads":4}                                      | expected a divisor of num_attention_heads, 6
          {"num_attention_heads":7}                                      | expected a divisor of hidden_size, 96
          {"head_dim":15}                                                | head_dim is 15, expected an even number
          {"num_attention_heads":96}                                     | head_dim is 1, expected an even number
          {"num_attention_heads":192}                                    | expected a divisor of hidden_size
          {"num_attention_heads":1000000,"head_dim":1000000}             | times num_attention_heads exceeds
          {"rms_norm_eps":0}                                             | rms_norm_eps is 0, expected a number above 0
          {"rms_norm_eps":1e999}                                         | rms_norm_eps is
          {"rms_norm_eps":"1e-5"}                                        | rms_norm_eps is "1e-5", expected a number
          {"rope_theta":-1}                                              | rope_theta is -1
          {"rope_scaling":{"type":"yarn","factor":2}}                    | rope_scaling: rope_type is "yarn", supported are default, linear and llama3
          {"rope_scaling":{"rope_type":"dynamic","factor":2}}            | rope_type is "dynamic"
          {"rope_parameters":{"rope_type":"linear"}}                     | rope_parameters: factor is missing
          {"rope_parameters":{"full_attention":{"rope_theta":1}}}        | full_attention is not supported
          {"rope_parameters":{"mrope_section":[1,2]}}                    | mrope_section is not supported
          {"rope_parameters":{"partial_rotary_factor":0.5}}              | partial_rotary_factor is not 1
          {"rope_parameters":{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4}} | expected more than low_freq_factor
          {"partial_rotary_factor":0.5}                                  | partial_rotary_factor is not 1
          {"rope_scaling":"linear"}                                      | rope_scaling is not an object
          {"hidden_act":"gelu"}                                          | hidden_act is "gelu", supported is silu
          {"num_local_experts":8}                                        | mixture of experts
          {"quantization_config":{"quant_method":"awq"}}                 | quantization_config is set
          {"sliding_window":64}                                          | sliding_window is in use
          {"layer_types":["sliding_attention"]}                          | layer_types holds "sliding_attention"
          {"model_type":"qwen2","sliding_window":64,"use_sliding_window":true,"max_window_layers":2} | sliding_window is in use
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
    RopeConfig rope = new RopeConfig(500_000, new RopeConfig.Llama3(8, 1, 4, 8192));
    double[] plain = new RopeConfig(500_000, new RopeConfig.None()).inverseFrequencies(128);
    double[] scaled = rope.inverseFrequencies(128);
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
    assertThat(new RopeConfig(1e4, new RopeConfig.Linear(4)).inverseFrequencies(4))
        .containsExactly(0.25, 0.0025);
  }
}
