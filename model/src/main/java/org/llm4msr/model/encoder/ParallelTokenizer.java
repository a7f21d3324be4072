package org.llm4msr.model.encoder;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.llm4msr.runtime.UserError;

/** Tokenises many texts on several threads. */
final class ParallelTokenizer {
  private ParallelTokenizer() {}

  /**
   * @return tokens of each text, in their order
   */
  static List<int[]> encode(Function<String, int[]> tokenizer, List<String> texts, int threads) {
    int workers = Math.min(threads, texts.size());
    if (workers <= 1) {
      return texts.stream().map(tokenizer).toList();
    }
    int[][] tokens = new int[texts.size()][];
    try (ExecutorService pool = Executors.newFixedThreadPool(workers)) {
      List<Future<?>> parts = new ArrayList<>();
      for (int worker = 0; worker < workers; worker++) {
        int first = worker;
        parts.add(
            pool.submit(() -> {
              for (int i = first; i < tokens.length; i += workers) {
                tokens[i] = tokenizer.apply(texts.get(i));
              }
            }));
      }
      for (Future<?> part : parts) {
        part.get();
      }
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new UserError("interrupted while tokenising", e);
    }
    return Arrays.asList(tokens);
  }
}
