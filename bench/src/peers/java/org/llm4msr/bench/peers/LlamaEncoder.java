package org.llm4msr.bench.peers;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;

/**
 * llama.cpp as an encoder of prompts to their last states. {@code pooled} it does so as in its
 * server and {@code LlamaModel.embed}, and every token's state may go through the output head too,
 * whose products nobody reads.
 */
final class LlamaEncoder implements AutoCloseable {
  private final boolean pooled;
  private final Arena arena = Arena.ofConfined();
  private final MemorySegment model;
  private final MemorySegment context;
  private final int width;

  LlamaEncoder(Path file, int threads, int tokens, int prompts, boolean pooled) {
    this.pooled = pooled;
    model = LlamaLibrary.load(file);
    width = LlamaLibrary.width(model);
    context = LlamaLibrary.context(model, threads, tokens, prompts, pooled);
  }

  /** Prompts that are ready to be computed together as often as wanted, as long as it is open. */
  final class Batch {
    private final List<int[]> prompts;
    private final MemorySegment batch = arena.allocate(LlamaLibrary.BATCH);

    private Batch(List<int[]> prompts) {
      this.prompts = prompts;
      int tokens = prompts.stream().mapToInt(prompt -> prompt.length).sum();
      MemorySegment ids = field("token", tokens, Integer.BYTES);
      MemorySegment positions = field("pos", tokens, Integer.BYTES);
      MemorySegment counts = field("n_seq_id", tokens, Integer.BYTES);
      MemorySegment sequences = field("seq_id", tokens, ADDRESS.byteSize());
      MemorySegment wanted = field("logits", tokens, Byte.BYTES);
      batch.set(JAVA_INT, 0, tokens);
      int row = 0;
      for (int p = 0; p < prompts.size(); p++) {
        MemorySegment sequence = arena.allocateFrom(JAVA_INT, p);
        int[] prompt = prompts.get(p);
        for (int i = 0; i < prompt.length; i++, row++) {
          ids.setAtIndex(JAVA_INT, row, prompt[i]);
          positions.setAtIndex(JAVA_INT, row, i);
          counts.setAtIndex(JAVA_INT, row, 1);
          sequences.setAtIndex(ADDRESS, row, sequence);
          wanted.set(JAVA_BYTE, row, (byte) (pooled || i == prompt.length - 1 ? 1 : 0));
        }
      }
    }

    private MemorySegment field(String name, long elements, long bytes) {
      MemorySegment values = arena.allocate(elements * bytes, 64);
      long offset = LlamaLibrary.BATCH.byteOffset(PathElement.groupElement(name));
      batch.set(ADDRESS, offset, values);
      return values;
    }

    /**
     * Computes the states without giving them out, and the output head for each prompt's last token
     * alone: the least work that llama.cpp can be asked for. Newer versions compute all or nothing
     * in the last layer where states are given out.
     */
    void prefill() {
      LlamaLibrary.setEmbeddings(context, false);
      LlamaLibrary.decode(context, batch);
    }

    /** Vectors {@code [prompts][width]}. */
    float[][] encode() {
      LlamaLibrary.setEmbeddings(context, true);
      LlamaLibrary.decode(context, batch);
      float[][] vectors = new float[prompts.size()][];
      int last = -1;
      for (int p = 0; p < vectors.length; p++) {
        last += prompts.get(p).length;
        vectors[p] =
            (pooled
                    ? LlamaLibrary.pooled(context, p, width)
                    : LlamaLibrary.state(context, last, width))
                .toArray(JAVA_FLOAT);
      }
      return vectors;
    }
  }

  Batch batch(List<int[]> prompts) {
    return new Batch(prompts);
  }

  @Override
  public void close() {
    LlamaLibrary.freeContext(context);
    LlamaLibrary.freeModel(model);
    arena.close();
  }
}
