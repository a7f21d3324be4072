package org.llm4msr.bench.peers;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.llm4msr.bench.Arguments;
import org.llm4msr.bench.Cosines;
import org.llm4msr.bench.Machine;
import org.llm4msr.bench.Rounds;
import org.llm4msr.bench.encoding.EncodingWorkload;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.Pooling;
import org.llm4msr.model.encoder.Quantisation;
import org.llm4msr.runtime.UserError;

/**
 * A GGUF file through llama.cpp and through us, round by round; first the vectors are compared.
 *
 * <p>Vectors are the last tokens' states. llama.cpp is timed as it pools them, where some versions
 * multiply the output head for every token, and in its cheapest form, with the head for each
 * prompt's last token and no vectors given out; prompts are one batch, in that form also a batch
 * each, which may spare it attention between prompts. Ours also runs with {@code mean_prompt},
 * which needs every token's state.
 *
 * <p>Arguments: threads, prompts x tokens such as {@code 8x128}, rounds, MODEL.gguf, and how ours
 * computes: {@code float} or a name that {@code encode --quantize} takes.
 */
public final class LlamaComparison {
  private static final String FLOAT = "float";

  /** Less than this and one of both reads the file wrongly, whatever the type. */
  private static final double LEAST_COSINE = 0.9;

  private LlamaComparison() {}

  public static void main(String[] args) {
    try {
      run(args);
    } catch (UserError e) {
      System.err.println("bench/peers.sh llama: " + e.getMessage());
      System.exit(1);
    }
  }

  private static void run(String[] args) {
    int threads = Arguments.positive("THREADS", args[0]);
    EncodingWorkload workload = EncodingWorkload.parse(args[1]);
    int rounds = Arguments.positive("ROUNDS", args[2]);
    Path file = Path.of(args[3]);
    if (!Files.isRegularFile(file)) {
      throw new UserError(file + " is not a file, expected a model in GGUF");
    }
    String mode = args.length > 4 ? args[4] : FLOAT;
    EncoderOptions options =
        EncoderOptions.defaults().withThreads(threads).withQuantise(quantisation(mode));
    List<int[]> prompts = workload.tokenIds();
    int tokens = workload.totalTokens();
    int count = workload.prompts();
    try (FrozenEncoder last = FrozenEncoder.load(file, options.withPooling(Pooling.LAST_PROMPT));
        FrozenEncoder mean = FrozenEncoder.load(file, options.withPooling(Pooling.MEAN_PROMPT));
        LlamaEncoder pooled = new LlamaEncoder(file, threads, tokens, count, true);
        LlamaEncoder together = new LlamaEncoder(file, threads, tokens, count, false);
        LlamaEncoder single = new LlamaEncoder(file, threads, workload.tokens(), 1, false)) {
      LlamaEncoder.Batch pooledBatch = pooled.batch(prompts);
      LlamaEncoder.Batch batch = together.batch(prompts);
      List<LlamaEncoder.Batch> singles =
          prompts.stream().map(prompt -> single.batch(List.of(prompt))).toList();
      System.out.println(Machine.describe(last.description()));
      System.out.println("llama.cpp: " + LlamaLibrary.systemInfo());
      System.out.printf(
          "%s, ours %s, %s, threads %d%n", file.getFileName(), mode, args[1], threads);
      float[][] ours = last.encodeTokens(prompts);
      compare("pooled", ours, pooledBatch.encode());
      compare("not pooled", ours, batch.encode());
      Rounds measured =
          new Rounds(rounds, 1.0, rounds * 12.0)
              .add("llama.cpp pooled", tokens, pooledBatch::encode)
              .add("llama.cpp prefill", tokens, batch::prefill);
      if (count > 1) {
        measured.add(
            "llama.cpp prefill, prompt by prompt",
            tokens,
            () -> singles.forEach(LlamaEncoder.Batch::prefill));
      }
      measured
          .add("llm4msr mean_prompt", tokens, () -> mean.encodeTokens(prompts))
          .add("llm4msr last_prompt", tokens, () -> last.encodeTokens(prompts))
          .run()
          .forEach(System.out::println);
    }
  }

  private static Quantisation quantisation(String mode) {
    if (mode.equals(FLOAT)) {
      return null;
    }
    return Arrays.stream(Quantisation.values())
        .filter(type -> type.name().equalsIgnoreCase(mode))
        .findFirst()
        .orElseThrow(() ->
            new UserError(
                "no way to compute is called '"
                    + mode
                    + "', expected one of "
                    + Stream.concat(
                            Stream.of(FLOAT),
                            Arrays.stream(Quantisation.values())
                                .map(type -> type.name().toLowerCase(Locale.ROOT)))
                        .toList()));
  }

  private static void compare(String form, float[][] ours, float[][] theirs) {
    Cosines cosines = Cosines.of(ours, theirs);
    System.out.println("cosine to llama.cpp's, " + form + ": " + cosines);
    if (!(cosines.least() >= LEAST_COSINE)) {
      throw new UserError("vectors are no nearer than that, so times would compare nothing");
    }
  }
}
