package org.llm4msr.bench.peers;

import ai.onnxruntime.OrtException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.llm4msr.bench.Cosines;
import org.llm4msr.bench.Machine;
import org.llm4msr.bench.Rounds;
import org.llm4msr.bench.encoding.EncodingWorkload;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.Pooling;
import org.llm4msr.model.encoder.Quantisation;

/**
 * A trained BERT's mean states, ours and ONNX Runtime's, round by round; first both must agree.
 *
 * <p>Arguments: threads, prompts x tokens such as {@code 8x128}, rounds, MODEL.onnx, the directory
 * that {@code bench/onnx_bert.py} made of it, and to compare W8A8 too the same model in 8 bits for
 * ONNX Runtime; then the cosines of both to the vectors in F32 are printed, for the prompts and for
 * the paragraphs of this project's pages.
 */
public final class OnnxComparison {
  private static final double TOLERANCE = 1e-4;

  /** Of the original uncased BERT, which its small descendants share. */
  private static final int VOCABULARY = 30_522;

  private static final int SHORTEST_PARAGRAPH = 80;

  private OnnxComparison() {}

  public static void main(String[] args) throws OrtException {
    int threads = Integer.parseInt(args[0]);
    EncodingWorkload workload = EncodingWorkload.parse(args[1]);
    int rounds = Integer.parseInt(args[2]);
    List<int[]> prompts =
        workload.tokenIds().stream()
            .map(ids -> Arrays.stream(ids).map(id -> id % VOCABULARY).toArray())
            .toList();
    Path directory = Path.of(args[4]);
    EncoderOptions options =
        EncoderOptions.defaults().withThreads(threads).withPooling(Pooling.MEAN_PROMPT);
    Rounds measured = new Rounds(rounds, 1.0, rounds * 20.0);
    int tokens = workload.totalTokens();
    try (OnnxBert onnx = new OnnxBert(args[3], threads);
        OnnxBert.Batch batch = onnx.batch(prompts);
        FrozenEncoder encoder = FrozenEncoder.load(directory, options)) {
      System.out.println(
          Machine.describe(encoder.description()) + "; ONNX Runtime " + onnx.version());
      System.out.println(workload + ", threads " + threads);
      float[][] expected = batch.means();
      Agreement.check("mean_prompt", encoder.encodeTokens(prompts), expected, TOLERANCE);
      measured
          .add("ONNX Runtime", tokens, batch::run)
          .add("llm4msr mean_prompt", tokens, () -> encoder.encodeTokens(prompts));
      if (args.length < 6) {
        measured.run().forEach(System.out::println);
        return;
      }
      try (OnnxBert int8 = new OnnxBert(args[5], threads);
          OnnxBert.Batch int8Batch = int8.batch(prompts);
          FrozenEncoder w8a8 =
              FrozenEncoder.load(directory, options.withQuantise(Quantisation.W8A8))) {
        System.out.println("cosines to F32, the prompts above:");
        System.out.println("  ONNX Runtime int8 " + Cosines.of(int8Batch.means(), expected));
        System.out.println(
            "  llm4msr w8a8      " + Cosines.of(w8a8.encodeTokens(prompts), expected));
        List<int[]> texts = encoder.tokenize(paragraphs()).stream().map(encoder::fitted).toList();
        float[][] exact = encoder.encodeTokens(texts);
        System.out.println(texts.size() + " paragraphs:");
        System.out.println("  ONNX Runtime int8 " + Cosines.of(int8.means(texts), exact));
        System.out.println("  llm4msr w8a8      " + Cosines.of(w8a8.encodeTokens(texts), exact));
        measured
            .add("ONNX Runtime int8", tokens, int8Batch::run)
            .add("llm4msr w8a8", tokens, () -> w8a8.encodeTokens(prompts))
            .run()
            .forEach(System.out::println);
      }
    }
  }

  /** English text of a few to a few hundred tokens. */
  private static List<String> paragraphs() {
    return Stream.of("README.md", "docs/method.md", "docs/architecture.md", "docs/datasets.md")
        .flatMap(page -> {
          try {
            return Arrays.stream(Files.readString(Path.of(page)).split("\n\\s*\n"));
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        })
        .map(paragraph -> paragraph.replace('\n', ' '))
        .filter(paragraph -> paragraph.length() >= SHORTEST_PARAGRAPH)
        .toList();
  }
}
