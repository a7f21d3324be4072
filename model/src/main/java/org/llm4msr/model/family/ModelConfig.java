package org.llm4msr.model.family;

import java.nio.file.Path;
import java.util.List;
import org.llm4msr.runtime.op.AttentionOp.Mask;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * What the engine needs to know of a transformer, whatever its family and file format: sizes, and
 * which of its parts are wired how. One forward graph serves them all.
 *
 * @param file where it was read, for messages
 * @param family such as {@code llama}, for messages
 * @param maxPositions longest sequence
 * @param stopTokens ids that end a text
 * @param tensors where the weights are in the files
 */
public record ModelConfig(
    Path file,
    String family,
    int vocabularySize,
    int hiddenSize,
    int layers,
    int maxPositions,
    Embedding embedding,
    Attention attention,
    Mlp mlp,
    Norms norms,
    Head head,
    List<Integer> stopTokens,
    TensorNames tensors) {
  public ModelConfig {
    stopTokens = List.copyOf(stopTokens);
  }

  /** This config with other tokens that end a text. */
  public ModelConfig withStopTokens(List<Integer> tokens) {
    return new ModelConfig(
        file,
        family,
        vocabularySize,
        hiddenSize,
        layers,
        maxPositions,
        embedding,
        attention,
        mlp,
        norms,
        head,
        tokens,
        tensors);
  }

  /** This config with its tensors elsewhere. */
  public ModelConfig withTensors(TensorNames names) {
    return new ModelConfig(
        file,
        family,
        vocabularySize,
        hiddenSize,
        layers,
        maxPositions,
        embedding,
        attention,
        mlp,
        norms,
        head,
        stopTokens,
        names);
  }

  /**
   * What becomes of a token's row before the first layer.
   *
   * @param scale factor of the token's row
   * @param learnedPositions whether a table of positions is added
   * @param tokenTypes rows of the table of token types, of which the first is added; 0 for none
   * @param norm whether the sum is normalised
   */
  public record Embedding(double scale, boolean learnedPositions, int tokenTypes, boolean norm) {
    /** The token's row as it is. */
    public static final Embedding PLAIN = new Embedding(1, false, 0, false);
  }

  /**
   * @param headDim may differ from hiddenSize / heads
   * @param kvHeads a divisor of heads
   * @param bias whether the q, k and v projections have one
   * @param outputBias whether the output projection has one
   * @param headNorms whether each head of q and k is normalised before rope
   * @param layers what differs by layer, one for each
   */
  public record Attention(
      int heads,
      int kvHeads,
      int headDim,
      boolean bias,
      boolean outputBias,
      boolean headNorms,
      List<Layer> layers) {
    public Attention {
      layers = List.copyOf(layers);
    }

    public int queryWidth() {
      return heads * headDim;
    }

    public int keyWidth() {
      return kvHeads * headDim;
    }

    /** Sequences up to this length, and longer ones, are turned alike among themselves only. */
    public int switchLength() {
      return layers.stream()
          .filter(layer -> layer.rope != null)
          .mapToInt(layer -> layer.rope.switchLength())
          .min()
          .orElse(Integer.MAX_VALUE);
    }

    /** Whether no token sees what comes after it, so that a prefix never depends on the rest. */
    public boolean causal() {
      return layers.stream().allMatch(layer -> layer.mask.after() == 0);
    }
  }

  /**
   * Attention of one layer.
   *
   * @param scale factor of the scores
   * @param rope or null
   */
  public record Layer(Mask mask, double scale, RopeConfig rope) {}

  /**
   * @param gated {@code down(act(gate x) * up x)}, else {@code down(act(up x))}
   * @param bias whether all projections have one
   */
  public record Mlp(int width, UnaryOp.Kind activation, boolean gated, boolean bias) {}

  /**
   * @param layerNorm layer norms, else RMS norms
   * @param bias whether layer norms have a bias
   * @param onePlusWeight whether the factor is 1 + weight
   * @param inFirstLayer whether the first layer has a norm before attention
   * @param last whether the last layer's output is normalised
   */
  public record Norms(
      boolean layerNorm,
      double epsilon,
      boolean bias,
      boolean onePlusWeight,
      Wiring wiring,
      boolean inFirstLayer,
      boolean last) {

    /** RMS norms before each branch and after the last layer. */
    public static Norms rms(double epsilon) {
      return new Norms(false, epsilon, false, false, Wiring.BEFORE, true, true);
    }
  }

  /** Where the norms are; a is attention, m the MLP. */
  public enum Wiring {
    /** {@code x += a(n1(x)); x += m(n2(x))}. */
    BEFORE,
    /** {@code x = n1(x + a(x)); x = n2(x + m(x))}. */
    AFTER,
    /** {@code x += n2(a(n1(x))); x += n4(m(n3(x)))}. */
    AROUND,
    /** {@code x += a(n1(x)) + m(n2(x))}. */
    PARALLEL
  }

  /**
   * From hidden states to logits.
   *
   * @param present whether the model predicts tokens
   * @param tied whether it shares the embedding table
   * @param softCap logits become {@code softCap * tanh(logit / softCap)}; 0 for none
   */
  public record Head(boolean present, boolean tied, double softCap) {
    /** An encoder that predicts no next token. */
    public static final Head NONE = new Head(false, false, 0);
  }
}
