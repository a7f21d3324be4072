package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.llm4msr.model.data.Batch;
import org.llm4msr.model.data.Batcher;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.recommender.Evidence;
import org.llm4msr.runtime.UserError;

/**
 * Prepares batches on a second thread while the one before is computed. One thread fills them in
 * the batcher's order, so what comes out does not depend on timing.
 */
final class BatchPipeline implements AutoCloseable {
  private static final int SLOTS = 2;

  /** A prepared batch; it belongs to the taker until {@link #release}. */
  static final class Slot {
    private final Batch batch;
    private final MemorySegment evidence;
    private boolean endOfEpoch;
    private Throwable failure;

    private Slot(Batch batch, MemorySegment evidence) {
      this.batch = batch;
      this.evidence = evidence;
    }

    /** Whether an epoch ended here; there is no batch then. */
    boolean isEndOfEpoch() {
      return endOfEpoch;
    }

    Batch batch() {
      return batch;
    }

    /** {@code [rows, Evidence.FEATURES]}, or null where it is not wanted. */
    MemorySegment evidence() {
      return evidence;
    }
  }

  private final Batcher batcher;
  private final EvidenceCounts evidence;
  private final Arena arena = Arena.ofShared();
  private final BlockingQueue<Slot> free = new ArrayBlockingQueue<>(SLOTS);
  private final BlockingQueue<Slot> ready = new ArrayBlockingQueue<>(SLOTS);
  private final Thread thread;

  /**
   * Begins to prepare batches, epoch after epoch.
   *
   * @param batcher used by this pipeline alone until it is closed
   * @param evidence null where the model does not ask for it
   * @param batchSize rows of the batcher's largest batch
   */
  BatchPipeline(Batcher batcher, EvidenceCounts evidence, Dataset dataset, int batchSize) {
    this.batcher = batcher;
    this.evidence = evidence;
    for (int i = 0; i < SLOTS; i++) {
      Batch batch = new Batch(arena, batchSize, dataset);
      long evidenceBytes = JAVA_FLOAT.byteSize() * batchSize * Evidence.FEATURES;
      free.add(new Slot(batch, evidence == null ? null : arena.allocate(evidenceBytes, 64)));
    }
    thread = Thread.ofPlatform().name("llm4msr-batches").daemon().start(this::produce);
  }

  private void produce() {
    try {
      while (true) {
        Slot slot = free.take();
        try {
          slot.endOfEpoch = !batcher.next(slot.batch);
          if (evidence != null && !slot.endOfEpoch) {
            evidence.fill(slot.batch, slot.evidence);
          }
        } catch (RuntimeException | Error e) {
          slot.failure = e;
        }
        ready.put(slot);
        if (slot.failure != null) {
          return;
        }
      }
    } catch (InterruptedException e) {
      // Closed: nobody waits for batches any more.
    }
  }

  /**
   * The next batch, in order; waits for it.
   *
   * @throws UserError if an existing recommender could not be asked
   */
  Slot take() {
    Slot slot = uninterrupted(ready);
    switch (slot.failure) {
      case null -> {}
      case UserError e -> throw new UserError(e.getMessage(), e);
      default -> throw new IllegalStateException("a batch could not be prepared", slot.failure);
    }
    return slot;
  }

  /** Gives a slot back for the batches to come. */
  void release(Slot slot) {
    free.add(slot);
  }

  private static Slot uninterrupted(BlockingQueue<Slot> queue) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return queue.take();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @Override
  public void close() {
    thread.interrupt();
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    arena.close();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
