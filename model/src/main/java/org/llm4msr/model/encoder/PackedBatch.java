package org.llm4msr.model.encoder;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Prompts laid end to end as rows of tokens, in segments: a prompt of its own is one segment;
 * prompts that begin alike share the segment of their common beginning and follow it with segments
 * of their own. So the segments form trees, and a prompt is the chain from a root to one of them.
 */
final class PackedBatch {
  /**
   * Prompts share a beginning of at least so many tokens: shorter ones cost more to look after than
   * to compute.
   */
  static final int LEAST_SHARED = 8;

  /**
   * One more stretch of tokens of the prompt at {@code prompt}, from {@code from} to {@code to}.
   */
  private record Segment(Segment parent, int index, int[] prompt, int from, int to, int row) {
    int length() {
      return to - from;
    }
  }

  private final List<Segment> segments = new ArrayList<>();
  private final Segment[] lastOf;
  private int rows;

  /** Prompts in the batch. */
  final int prompts;

  /** Tokens of all prompts. */
  final int promptTokens;

  /** Whether a segment belongs to several prompts, or a prompt to several segments. */
  final boolean shared;

  private PackedBatch(int prompts, int promptTokens, Segment[] lastOf, boolean shared) {
    this.prompts = prompts;
    this.promptTokens = promptTokens;
    this.lastOf = lastOf;
    this.shared = shared;
  }

  /**
   * Packs prompts.
   *
   * @param batch indices into {@code prompts}
   * @param share whether common beginnings are laid down once
   */
  static PackedBatch of(List<int[]> prompts, int[] batch, boolean share) {
    int total = 0;
    for (int prompt : batch) {
      total = Math.addExact(total, prompts.get(prompt).length);
    }
    PackedBatch packed = new PackedBatch(batch.length, total, new Segment[batch.length], share);
    int[][] tokens = Arrays.stream(batch).mapToObj(prompts::get).toArray(int[][]::new);
    if (share) {
      Integer[] order =
          IntStream.range(0, batch.length)
              .boxed()
              .sorted(Comparator.comparing((Integer i) -> tokens[i], Arrays::compare))
              .toArray(Integer[]::new);
      packed.grow(tokens, order, 0, order.length, 0, null);
    } else {
      for (int i = 0; i < tokens.length; i++) {
        packed.lastOf[i] = packed.add(null, tokens[i], 0, tokens[i].length);
      }
    }
    return packed;
  }

  /** How many leading tokens two prompts have in common. */
  static int commonBeginning(int[] a, int[] b) {
    int mismatch = Arrays.mismatch(a, b);
    return mismatch < 0 ? a.length : mismatch;
  }

  private Segment add(Segment parent, int[] prompt, int from, int to) {
    Segment segment = new Segment(parent, segments.size(), prompt, from, to, rows);
    segments.add(segment);
    rows += segment.length();
    return segment;
  }

  /**
   * Lays down the prompts {@code order[begin, end)}, sorted, whose first {@code depth} tokens are
   * the chain that ends with {@code parent}.
   */
  private void grow(
      int[][] tokens, Integer[] order, int begin, int end, int depth, Segment parent) {
    int from = begin;
    while (from < end) {
      int[] first = tokens[order[from]];
      if (first.length == depth) {
        lastOf[order[from++]] = parent;
        continue;
      }
      int to = from + 1;
      int common = first.length;
      while (to < end) {
        int next = commonBeginning(first, tokens[order[to]]);
        boolean same = next == first.length && next == tokens[order[to]].length;
        if (next - depth < LEAST_SHARED && !same) {
          break;
        }
        common = Math.min(common, next);
        to++;
      }
      grow(tokens, order, from, to, common, add(parent, first, depth, common));
      from = to;
    }
  }

  /** Rows that are computed; {@link #promptTokens} without sharing. */
  int rows() {
    return rows;
  }

  int segments() {
    return segments.size();
  }

  /** Row by row. */
  int[] tokenIds() {
    int[] ids = new int[rows];
    for (Segment segment : segments) {
      System.arraycopy(segment.prompt, segment.from, ids, segment.row, segment.length());
    }
    return ids;
  }

  int[] positions() {
    int[] positions = new int[rows];
    for (Segment segment : segments) {
      for (int i = 0; i < segment.length(); i++) {
        positions[segment.row + i] = segment.from + i;
      }
    }
    return positions;
  }

  /** Where each segment begins; one more at the end. */
  int[] offsets() {
    int[] offsets = new int[segments.size() + 1];
    for (Segment segment : segments) {
      offsets[segment.index + 1] = segment.row + segment.length();
    }
    return offsets;
  }

  /**
   * Rows of keys so that each segment sees one stretch of them: its chain.
   *
   * @param rows of all chains that no other chain continues
   * @param begins of each segment's stretch in {@code rows}; it ends after its own last key
   */
  record KeyRows(int[] rows, int[] begins, int[] ends) {}

  /** Keys for segments that see the whole chain before them. */
  KeyRows keyRows() {
    boolean[] continued = new boolean[segments.size()];
    for (Segment segment : segments) {
      if (segment.parent != null) {
        continued[segment.parent.index] = true;
      }
    }
    int total = 0;
    for (Segment segment : segments) {
      total = Math.addExact(total, continued[segment.index] ? 0 : segment.to);
    }
    int[] keys = new int[total];
    int[] begins = new int[segments.size()];
    int[] ends = new int[segments.size()];
    int at = 0;
    for (Segment leaf : segments) {
      if (continued[leaf.index]) {
        continue;
      }
      for (Segment segment = leaf; segment != null; segment = segment.parent) {
        begins[segment.index] = at;
        ends[segment.index] = at + segment.to;
        for (int i = 0; i < segment.length(); i++) {
          keys[at + segment.from + i] = segment.row + i;
        }
      }
      at += leaf.to;
    }
    return new KeyRows(keys, begins, ends);
  }

  /** Keys of {@link #keyRows} without forming them. */
  long keyCount() {
    boolean[] continued = new boolean[segments.size()];
    segments.stream()
        .filter(segment -> segment.parent != null)
        .forEach(segment -> continued[segment.parent.index] = true);
    return segments.stream()
        .filter(segment -> !continued[segment.index])
        .mapToLong(Segment::to)
        .sum();
  }

  /** The segment that a prompt ends with. */
  int lastSegment(int prompt) {
    return lastOf[prompt].index;
  }

  /** The row of a prompt's last token. */
  int lastRow(int prompt) {
    return lastOf[prompt].row + lastOf[prompt].length() - 1;
  }

  int length(int prompt) {
    return lastOf[prompt].to;
  }

  /** The segments of a prompt, from its end to its beginning. */
  int[] chain(int prompt) {
    List<Integer> chain = new ArrayList<>();
    for (Segment segment = lastOf[prompt]; segment != null; segment = segment.parent) {
      chain.add(segment.index);
    }
    return chain.stream().mapToInt(Integer::intValue).toArray();
  }
}
