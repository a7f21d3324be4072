package org.llm4msr.model.encoder;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.llm4msr.runtime.UserError;

/** Sorts prompts into batches. The same prompts in any order give batches of the same content. */
final class Packing {
  /**
   * A batch whose prompts share beginnings may have so many times as many keys as tokens: they are
   * gathered, and memory for that should stay in proportion.
   */
  static final int KEYS_PER_TOKEN = 8;

  private Packing() {}

  /** See {@link FrozenEncoder#fitted(int[])}. */
  static int[] fitted(int[] tokens, int most, int vocabularySize) {
    if (tokens.length == 0) {
      throw new UserError("the prompt has no tokens, expected at least one");
    }
    for (int i = 0; i < tokens.length; i++) {
      if (tokens[i] < 0 || tokens[i] >= vocabularySize) {
        throw new UserError(
            "token "
                + i
                + " has the id "
                + tokens[i]
                + ", but the model's ids end at "
                + (vocabularySize - 1)
                + ": the tokenizer does not fit the model");
      }
    }
    if (tokens.length <= most) {
      return tokens;
    }
    int[] shortened = Arrays.copyOf(tokens, most);
    int tail = most / 2;
    System.arraycopy(tokens, tokens.length - tail, shortened, most - tail, tail);
    return shortened;
  }

  /**
   * The longest prompts first, so that memory is at its largest from the beginning.
   *
   * @return indices into {@code prompts}, batch by batch; a prompt above the budget is alone
   */
  static List<int[]> byLength(List<int[]> prompts, int budget) {
    int[] order =
        sorted(
            prompts,
            Comparator.comparingInt((int[] tokens) -> -tokens.length)
                .thenComparing(Arrays::compare));
    List<int[]> batches = new ArrayList<>();
    int begin = 0;
    while (begin < order.length) {
      int end = begin + 1;
      long total = prompts.get(order[begin]).length;
      while (end < order.length && total + prompts.get(order[end]).length <= budget) {
        total += prompts.get(order[end++]).length;
      }
      batches.add(Arrays.copyOfRange(order, begin, end));
      begin = end;
    }
    return batches;
  }

  /**
   * Prompts that begin alike together; a batch is full when what is computed reaches the budget.
   *
   * @return as {@link #byLength}, the batch with the longest prompt first
   */
  static List<int[]> byBeginning(List<int[]> prompts, int budget) {
    int[] order = sorted(prompts, Arrays::compare);
    List<int[]> batches = new ArrayList<>();
    int begin = 0;
    while (begin < order.length) {
      int[] previous = prompts.get(order[begin]);
      long rows = previous.length;
      long keys = previous.length;
      int end = begin + 1;
      while (end < order.length) {
        int[] next = prompts.get(order[end]);
        // The tree shares all but fewer than LEAST_SHARED tokens of what two neighbours share.
        int common = PackedBatch.commonBeginning(previous, next);
        boolean same = common == next.length && common == previous.length;
        int shared = same ? common : Math.max(0, common - PackedBatch.LEAST_SHARED + 1);
        rows += next.length - shared;
        keys += next.length;
        if (rows > budget || keys > (long) budget * KEYS_PER_TOKEN) {
          break;
        }
        previous = next;
        end++;
      }
      batches.add(Arrays.copyOfRange(order, begin, end));
      begin = end;
    }
    batches.sort(
        Comparator.comparingInt(
            batch -> -Arrays.stream(batch).map(i -> prompts.get(i).length).max().orElse(0)));
    return batches;
  }

  /**
   * Packs prompts of at most {@code length} tokens and longer ones apart.
   *
   * @param packed forms batches of the prompts it is given
   */
  static List<int[]> apart(
      List<int[]> prompts, int length, Function<List<int[]>, List<int[]>> packed) {
    Map<Boolean, List<Integer>> sides =
        IntStream.range(0, prompts.size())
            .boxed()
            .collect(Collectors.partitioningBy(i -> prompts.get(i).length > length));
    List<int[]> batches = new ArrayList<>();
    for (boolean beyond : new boolean[] {true, false}) {
      List<Integer> side = sides.get(beyond);
      for (int[] batch : packed.apply(side.stream().map(prompts::get).toList())) {
        batches.add(Arrays.stream(batch).map(side::get).toArray());
      }
    }
    return batches;
  }

  /** As {@link #byLength}, with a limited number of prompts in a batch. */
  static List<int[]> inGroups(List<int[]> prompts, int budget, int most) {
    List<int[]> groups = new ArrayList<>();
    for (int[] batch : byLength(prompts, budget)) {
      for (int begin = 0; begin < batch.length; begin += most) {
        groups.add(Arrays.copyOfRange(batch, begin, Math.min(batch.length, begin + most)));
      }
    }
    return groups;
  }

  private static int[] sorted(List<int[]> prompts, Comparator<int[]> byTokens) {
    return IntStream.range(0, prompts.size())
        .boxed()
        .sorted(Comparator.comparing(prompts::get, byTokens))
        .mapToInt(Integer::intValue)
        .toArray();
  }
}
