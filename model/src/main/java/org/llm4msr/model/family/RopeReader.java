package org.llm4msr.model.family;

/** Reads how rotary positions are scaled, in today's style and in the older one. */
final class RopeReader {
  private static final int MAX_POSITIONS = 1 << 27;
  private static final int PHI3_POSITIONS = 4_096;

  private final ConfigFields fields;
  private final int headDim;
  private final int maxPositions;
  private final boolean partial;
  private final boolean interleaved;

  /**
   * @param partial whether the family may turn a part of each head only
   */
  RopeReader(
      ConfigFields fields, int headDim, int maxPositions, boolean partial, boolean interleaved) {
    this.fields = fields;
    this.headDim = headDim;
    this.maxPositions = maxPositions;
    this.partial = partial;
    this.interleaved = interleaved;
  }

  /** One rope for all layers. */
  RopeConfig read(double theta, double fraction) {
    ConfigFields rope = fields.object("rope_parameters");
    if (rope == null) {
      rope = fields.object("rope_scaling");
    }
    return read(rope, fields.positive("rope_theta", theta), fraction);
  }

  /**
   * The rope of one kind of layers: {@code rope_parameters} holds one object for each kind.
   *
   * @param older what the older style says, where today's is absent
   */
  RopeConfig read(String layerType, double theta, RopeConfig older) {
    ConfigFields rope = fields.object("rope_parameters");
    if (rope == null) {
      return older;
    }
    rope.allowOnly("full_attention", "sliding_attention");
    RopeConfig read = read(rope.object(layerType), theta, 1);
    if (read.switchLength() < Integer.MAX_VALUE) {
      throw rope.error(layerType, "is longrope: not supported for layers of several kinds");
    }
    return read;
  }

  /** As {@code rope} says; null is an unscaled one. */
  RopeConfig read(ConfigFields rope, double theta, double fraction) {
    fraction = fields.positive("partial_rotary_factor", fraction);
    if (rope == null) {
      return config(theta, fraction, new RopeConfig.None());
    }
    theta = rope.positive("rope_theta", theta);
    fraction = rope.positive("partial_rotary_factor", fraction);
    String type = rope.string("rope_type", rope.string("type", "default"));
    if (phi3() && (type.equals("su") || type.equals("yarn"))) {
      // Its older names for the same.
      type = "longrope";
    }
    RopeConfig.Scaling scaling =
        switch (type) {
          case "default" -> {
            allow(rope);
            yield new RopeConfig.None();
          }
          case "linear" -> {
            allow(rope, "factor", "original_max_position_embeddings");
            yield new RopeConfig.Linear(rope.positive("factor"));
          }
          case "dynamic" -> {
            // Changes the base for sequences beyond the model's positions, which are never read.
            allow(rope, "factor", "original_max_position_embeddings");
            rope.positive("factor");
            yield new RopeConfig.None();
          }
          case "llama3" -> llama3(rope);
          case "yarn" -> yarn(rope, theta);
          case "longrope" -> longRope(rope, (int) (headDim * fraction) / 2);
          default ->
              throw rope.error(
                  "rope_type",
                  "is \""
                      + type
                      + "\", supported are default, linear, dynamic, llama3, yarn and longrope");
        };
    return config(theta, fraction, scaling);
  }

  private RopeConfig config(double theta, double fraction, RopeConfig.Scaling scaling) {
    if (fraction == 1) {
      if (headDim % 2 != 0) {
        throw fields.error(
            "head_dim", "is " + headDim + ", expected an even number (rope turns pairs)");
      }
    } else if (!partial) {
      throw fields.error("partial_rotary_factor", "is not 1: this family turns whole heads");
    }
    int dims = (int) (headDim * fraction);
    if (fraction > 1 || dims < 2 || dims % 2 != 0) {
      throw fields.error(
          "partial_rotary_factor",
          "is "
              + fraction
              + ", which turns "
              + dims
              + " numbers of each head, expected an even number up to "
              + headDim);
    }
    return new RopeConfig(theta, dims, interleaved, scaling);
  }

  /** Refuses keys that would be ignored. */
  private static void allow(ConfigFields rope, String... keys) {
    String[] all = new String[keys.length + 4];
    System.arraycopy(keys, 0, all, 4, keys.length);
    all[0] = "rope_theta";
    all[1] = "rope_type";
    all[2] = "type";
    all[3] = "partial_rotary_factor";
    rope.allowOnly(all);
  }

  private int originalPositions(ConfigFields rope) {
    return rope.count(
        "original_max_position_embeddings",
        MAX_POSITIONS,
        fields.count("original_max_position_embeddings", MAX_POSITIONS, maxPositions));
  }

  private RopeConfig.Llama3 llama3(ConfigFields rope) {
    allow(
        rope, "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings");
    double low = rope.positive("low_freq_factor");
    double high = rope.positive("high_freq_factor");
    if (high <= low) {
      throw rope.error(
          "high_freq_factor", "is " + high + ", expected more than low_freq_factor, " + low);
    }
    return new RopeConfig.Llama3(rope.positive("factor"), low, high, originalPositions(rope));
  }

  private RopeConfig.Yarn yarn(ConfigFields rope, double theta) {
    allow(
        rope,
        "factor",
        "original_max_position_embeddings",
        "attention_factor",
        "beta_fast",
        "beta_slow",
        "mscale",
        "mscale_all_dim",
        "truncate",
        "finetuned");
    if (theta <= 1) {
      throw rope.error("rope_theta", "is " + theta + ", expected more than 1 with yarn");
    }
    int original = originalPositions(rope);
    double factor = rope.positive("factor", (double) maxPositions / original);
    double fast = rope.positive("beta_fast", 32);
    double slow = rope.positive("beta_slow", 1);
    double attention = temperature(factor, 1);
    if (rope.has("attention_factor")) {
      attention = rope.positive("attention_factor");
    } else if (rope.has("mscale") && rope.has("mscale_all_dim")) {
      attention =
          temperature(factor, rope.positive("mscale"))
              / temperature(factor, rope.positive("mscale_all_dim"));
    }
    return new RopeConfig.Yarn(
        factor, original, fast, slow, rope.flag("truncate", true), attention);
  }

  private boolean phi3() {
    return fields.string("model_type", "").equals("phi3");
  }

  private RopeConfig.LongRope longRope(ConfigFields rope, int pairs) {
    allow(
        rope,
        "factor",
        "original_max_position_embeddings",
        "attention_factor",
        "short_factor",
        "long_factor");
    // The original library lets the model's own key win, which phi3 always has.
    int original =
        fields.count(
            "original_max_position_embeddings",
            MAX_POSITIONS,
            phi3() ? PHI3_POSITIONS : originalPositions(rope));
    double factor = rope.positive("factor", (double) maxPositions / original);
    double attention = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
    return new RopeConfig.LongRope(
        rope.positives("short_factor", pairs),
        rope.positives("long_factor", pairs),
        original,
        rope.positive("attention_factor", attention));
  }

  private static double temperature(double factor, double scale) {
    return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
  }
}
