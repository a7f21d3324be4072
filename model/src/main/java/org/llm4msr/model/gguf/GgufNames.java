package org.llm4msr.model.gguf;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.model.family.ModelConfig;
import org.llm4msr.model.family.TensorNames;
import org.llm4msr.model.family.TensorNames.Layout;
import org.llm4msr.model.family.TensorNames.Role;

/** llama.cpp's names of tensors, the same for all architectures. */
final class GgufNames {
  private static final Map<Role, String> NAMES =
      Map.ofEntries(
          Map.entry(Role.EMBEDDING, "token_embd"),
          Map.entry(Role.POSITIONS, "position_embd"),
          Map.entry(Role.TOKEN_TYPES, "token_types"),
          Map.entry(Role.EMBEDDING_NORM, "token_embd_norm"),
          Map.entry(Role.ATTENTION_NORM, "blk.#.attn_norm"),
          Map.entry(Role.QUERY, "blk.#.attn_q"),
          Map.entry(Role.KEY, "blk.#.attn_k"),
          Map.entry(Role.VALUE, "blk.#.attn_v"),
          Map.entry(Role.QUERY_KEY_VALUE, "blk.#.attn_qkv"),
          Map.entry(Role.QUERY_NORM, "blk.#.attn_q_norm"),
          Map.entry(Role.KEY_NORM, "blk.#.attn_k_norm"),
          Map.entry(Role.ATTENTION_OUTPUT, "blk.#.attn_output"),
          Map.entry(Role.ATTENTION_OUTPUT_NORM, "blk.#.post_attention_norm"),
          Map.entry(Role.MLP_NORM, "blk.#.ffn_norm"),
          Map.entry(Role.GATE, "blk.#.ffn_gate"),
          Map.entry(Role.UP, "blk.#.ffn_up"),
          Map.entry(Role.GATE_UP, "blk.#.ffn_up"),
          Map.entry(Role.DOWN, "blk.#.ffn_down"),
          Map.entry(Role.MLP_OUTPUT_NORM, "blk.#.post_ffw_norm"),
          Map.entry(Role.FINAL_NORM, "output_norm"));

  private GgufNames() {}

  /**
   * The names of a model's tensors.
   *
   * @param fused whether q, k and v are one matrix
   * @param gate whether the gate is a matrix of its own; else it lies above {@code ffn_up}
   */
  static TensorNames of(ModelConfig config, boolean fused, boolean gate) {
    Map<Role, String> names = new EnumMap<>(Role.class);
    config.tensors().names().keySet().stream()
        .filter(role -> !isAttentionInput(role) && !isMlpInput(role))
        .forEach(role -> names.put(role, NAMES.get(role)));
    add(names, fused ? List.of(Role.QUERY_KEY_VALUE) : List.of(Role.QUERY, Role.KEY, Role.VALUE));
    if (!config.mlp().gated()) {
      add(names, List.of(Role.UP));
    } else {
      add(names, gate ? List.of(Role.GATE, Role.UP) : List.of(Role.GATE_UP));
    }
    if (config.norms().wiring() == ModelConfig.Wiring.AFTER) {
      names.put(Role.ATTENTION_NORM, "blk.#.attn_output_norm");
      names.put(Role.MLP_NORM, "blk.#.layer_output_norm");
    }
    return new TensorNames(List.of(""), names, "output", Layout.ROWS, List.of());
  }

  private static void add(Map<Role, String> names, List<Role> roles) {
    roles.forEach(role -> names.put(role, NAMES.get(role)));
  }

  private static boolean isAttentionInput(Role role) {
    return switch (role) {
      case QUERY, KEY, VALUE, QUERY_KEY_VALUE -> true;
      default -> false;
    };
  }

  private static boolean isMlpInput(Role role) {
    return role == Role.GATE || role == Role.UP || role == Role.GATE_UP;
  }
}
