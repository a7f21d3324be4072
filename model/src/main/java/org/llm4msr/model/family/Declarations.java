package org.llm4msr.model.family;

import static org.llm4msr.model.family.TensorNames.Role.ATTENTION_NORM;
import static org.llm4msr.model.family.TensorNames.Role.ATTENTION_OUTPUT;
import static org.llm4msr.model.family.TensorNames.Role.ATTENTION_OUTPUT_NORM;
import static org.llm4msr.model.family.TensorNames.Role.DOWN;
import static org.llm4msr.model.family.TensorNames.Role.EMBEDDING;
import static org.llm4msr.model.family.TensorNames.Role.EMBEDDING_NORM;
import static org.llm4msr.model.family.TensorNames.Role.FINAL_NORM;
import static org.llm4msr.model.family.TensorNames.Role.GATE;
import static org.llm4msr.model.family.TensorNames.Role.GATE_UP;
import static org.llm4msr.model.family.TensorNames.Role.KEY;
import static org.llm4msr.model.family.TensorNames.Role.KEY_NORM;
import static org.llm4msr.model.family.TensorNames.Role.MLP_NORM;
import static org.llm4msr.model.family.TensorNames.Role.MLP_OUTPUT_NORM;
import static org.llm4msr.model.family.TensorNames.Role.POSITIONS;
import static org.llm4msr.model.family.TensorNames.Role.QUERY;
import static org.llm4msr.model.family.TensorNames.Role.QUERY_KEY_VALUE;
import static org.llm4msr.model.family.TensorNames.Role.QUERY_NORM;
import static org.llm4msr.model.family.TensorNames.Role.TOKEN_TYPES;
import static org.llm4msr.model.family.TensorNames.Role.UP;
import static org.llm4msr.model.family.TensorNames.Role.VALUE;

import java.util.List;
import java.util.Map;
import org.llm4msr.model.family.TensorNames.Layout;

/** Where each family keeps its weights in Hugging Face files. */
final class Declarations {
  static final TensorNames LLAMA =
      new TensorNames(
          List.of("model.", ""),
          Map.ofEntries(
              Map.entry(EMBEDDING, "embed_tokens"),
              Map.entry(ATTENTION_NORM, "layers.#.input_layernorm"),
              Map.entry(QUERY, "layers.#.self_attn.q_proj"),
              Map.entry(KEY, "layers.#.self_attn.k_proj"),
              Map.entry(VALUE, "layers.#.self_attn.v_proj"),
              Map.entry(ATTENTION_OUTPUT, "layers.#.self_attn.o_proj"),
              Map.entry(MLP_NORM, "layers.#.post_attention_layernorm"),
              Map.entry(GATE, "layers.#.mlp.gate_proj"),
              Map.entry(UP, "layers.#.mlp.up_proj"),
              Map.entry(DOWN, "layers.#.mlp.down_proj"),
              Map.entry(FINAL_NORM, "norm")),
          "lm_head",
          Layout.ROWS,
          List.of(".rotary_emb.inv_freq"));

  static final TensorNames QWEN3 =
      LLAMA.with(
          Map.of(QUERY_NORM, "layers.#.self_attn.q_norm", KEY_NORM, "layers.#.self_attn.k_norm"));

  static final TensorNames PHI3 =
      LLAMA
          .without(QUERY, KEY, VALUE, GATE, UP)
          .with(
              Map.of(
                  QUERY_KEY_VALUE,
                  "layers.#.self_attn.qkv_proj",
                  GATE_UP,
                  "layers.#.mlp.gate_up_proj"));

  static final TensorNames GEMMA2 =
      LLAMA.with(
          Map.of(
              ATTENTION_OUTPUT_NORM,
              "layers.#.post_attention_layernorm",
              MLP_NORM,
              "layers.#.pre_feedforward_layernorm",
              MLP_OUTPUT_NORM,
              "layers.#.post_feedforward_layernorm"));

  static final TensorNames GEMMA3 =
      GEMMA2
          .with(
              Map.of(
                  QUERY_NORM, "layers.#.self_attn.q_norm", KEY_NORM, "layers.#.self_attn.k_norm"))
          // The first two in models that also see pictures.
          .withPrefixes("language_model.model.", "model.language_model.", "model.", "");

  static final TensorNames GLM =
      LLAMA.without(GATE, UP).with(Map.of(GATE_UP, "layers.#.mlp.gate_up_proj"));

  static final TensorNames GLM4 =
      GLM.with(
          Map.of(
              ATTENTION_OUTPUT_NORM,
              "layers.#.post_self_attn_layernorm",
              MLP_OUTPUT_NORM,
              "layers.#.post_mlp_layernorm"));

  static final TensorNames CHATGLM =
      new TensorNames(
          List.of("transformer.", ""),
          Map.ofEntries(
              Map.entry(EMBEDDING, "embedding.word_embeddings"),
              Map.entry(ATTENTION_NORM, "encoder.layers.#.input_layernorm"),
              Map.entry(QUERY_KEY_VALUE, "encoder.layers.#.self_attention.query_key_value"),
              Map.entry(ATTENTION_OUTPUT, "encoder.layers.#.self_attention.dense"),
              Map.entry(MLP_NORM, "encoder.layers.#.post_attention_layernorm"),
              Map.entry(GATE_UP, "encoder.layers.#.mlp.dense_h_to_4h"),
              Map.entry(DOWN, "encoder.layers.#.mlp.dense_4h_to_h"),
              Map.entry(FINAL_NORM, "encoder.final_layernorm")),
          "transformer.output_layer",
          Layout.ROWS,
          List.of());

  static final TensorNames GPT2 =
      new TensorNames(
          List.of("transformer.", ""),
          Map.ofEntries(
              Map.entry(EMBEDDING, "wte"),
              Map.entry(POSITIONS, "wpe"),
              Map.entry(ATTENTION_NORM, "h.#.ln_1"),
              Map.entry(QUERY_KEY_VALUE, "h.#.attn.c_attn"),
              Map.entry(ATTENTION_OUTPUT, "h.#.attn.c_proj"),
              Map.entry(MLP_NORM, "h.#.ln_2"),
              Map.entry(UP, "h.#.mlp.c_fc"),
              Map.entry(DOWN, "h.#.mlp.c_proj"),
              Map.entry(FINAL_NORM, "ln_f")),
          "lm_head",
          Layout.COLUMNS,
          // Masks that old files store.
          List.of(".attn.bias", ".attn.masked_bias"));

  static final TensorNames GPT_NEOX =
      new TensorNames(
          List.of("gpt_neox.", ""),
          Map.ofEntries(
              Map.entry(EMBEDDING, "embed_in"),
              Map.entry(ATTENTION_NORM, "layers.#.input_layernorm"),
              Map.entry(QUERY_KEY_VALUE, "layers.#.attention.query_key_value"),
              Map.entry(ATTENTION_OUTPUT, "layers.#.attention.dense"),
              Map.entry(MLP_NORM, "layers.#.post_attention_layernorm"),
              Map.entry(UP, "layers.#.mlp.dense_h_to_4h"),
              Map.entry(DOWN, "layers.#.mlp.dense_4h_to_h"),
              Map.entry(FINAL_NORM, "final_layer_norm")),
          "embed_out",
          Layout.ROWS_BY_HEAD,
          List.of(".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"));

  static final TensorNames BERT =
      new TensorNames(
          List.of("bert.", ""),
          Map.ofEntries(
              Map.entry(EMBEDDING, "embeddings.word_embeddings"),
              Map.entry(POSITIONS, "embeddings.position_embeddings"),
              Map.entry(TOKEN_TYPES, "embeddings.token_type_embeddings"),
              Map.entry(EMBEDDING_NORM, "embeddings.LayerNorm"),
              Map.entry(QUERY, "encoder.layer.#.attention.self.query"),
              Map.entry(KEY, "encoder.layer.#.attention.self.key"),
              Map.entry(VALUE, "encoder.layer.#.attention.self.value"),
              Map.entry(ATTENTION_OUTPUT, "encoder.layer.#.attention.output.dense"),
              Map.entry(ATTENTION_NORM, "encoder.layer.#.attention.output.LayerNorm"),
              Map.entry(UP, "encoder.layer.#.intermediate.dense"),
              Map.entry(DOWN, "encoder.layer.#.output.dense"),
              Map.entry(MLP_NORM, "encoder.layer.#.output.LayerNorm")),
          null,
          Layout.ROWS,
          List.of());

  static final TensorNames MODERNBERT =
      new TensorNames(
          List.of("model.", ""),
          Map.ofEntries(
              Map.entry(EMBEDDING, "embeddings.tok_embeddings"),
              Map.entry(EMBEDDING_NORM, "embeddings.norm"),
              Map.entry(ATTENTION_NORM, "layers.#.attn_norm"),
              Map.entry(QUERY_KEY_VALUE, "layers.#.attn.Wqkv"),
              Map.entry(ATTENTION_OUTPUT, "layers.#.attn.Wo"),
              Map.entry(MLP_NORM, "layers.#.mlp_norm"),
              Map.entry(GATE_UP, "layers.#.mlp.Wi"),
              Map.entry(DOWN, "layers.#.mlp.Wo"),
              Map.entry(FINAL_NORM, "final_norm")),
          null,
          Layout.ROWS,
          List.of());

  private Declarations() {}
}
