package org.llm4msr.app.serve;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.scorer.Snapshot;
import org.llm4msr.runtime.UserError;

/**
 * The snapshot that is served now, with a bounded number of scorers that requests borrow. When the
 * snapshot is replaced, requests in flight end on the old one, which is let go with the last of
 * them.
 */
public final class ScorerPool implements AutoCloseable {
  private final Semaphore free;
  private final Path knowledge;
  // What was read of the snapshot's file, without the knowledge file.
  private Snapshot file;
  // Of that file when it was read; null for the first, which somebody else has opened.
  private Stamp stamp;
  private volatile Generation current;

  /** Tells whether a file has been replaced. */
  private record Stamp(Object key, FileTime modified, long bytes) {
    static Stamp of(Path path) {
      FileErrors.requireFile(path);
      try {
        BasicFileAttributes found = Files.readAttributes(path, BasicFileAttributes.class);
        return new Stamp(found.fileKey(), found.lastModifiedTime(), found.size());
      } catch (IOException e) {
        throw FileErrors.reading(path, e);
      }
    }
  }

  /** A snapshot and those of its scorers that nobody uses. */
  private static final class Generation {
    final Snapshot snapshot;
    final int number;
    final Instant loaded = Instant.now();
    final Queue<RequestScorer> idle = new ConcurrentLinkedQueue<>();
    volatile boolean retired;

    Generation(Snapshot snapshot, int number) {
      this.snapshot = snapshot;
      this.number = number;
    }

    RequestScorer scorer() {
      RequestScorer scorer = idle.poll();
      return scorer == null ? new RequestScorer(snapshot, 1) : scorer;
    }

    void giveBack(RequestScorer scorer) {
      idle.add(scorer);
      // Also after retire() has emptied the queue nothing may stay in it.
      if (retired) {
        closeIdle();
      }
    }

    void retire() {
      retired = true;
      closeIdle();
      snapshot.close();
    }

    private void closeIdle() {
      for (RequestScorer scorer = idle.poll(); scorer != null; scorer = idle.poll()) {
        scorer.close();
      }
    }
  }

  /** A borrowed scorer. */
  public final class Lease implements AutoCloseable {
    private final Generation generation;
    private final RequestScorer scorer;

    private Lease(Generation generation, RequestScorer scorer) {
      this.generation = generation;
      this.scorer = scorer;
    }

    public RequestScorer scorer() {
      return scorer;
    }

    /** Which snapshot it is of, counted from 1. */
    public int generation() {
      return generation.number;
    }

    @Override
    public void close() {
      generation.giveBack(scorer);
      free.release();
    }
  }

  /**
   * What is served.
   *
   * @param generation counts snapshots from 1
   */
  public record Served(Snapshot snapshot, int generation, Instant loaded) {}

  /** A pool without a knowledge file. */
  public ScorerPool(Snapshot first, int scorers) {
    this(first, null, scorers);
  }

  /**
   * @param first owned by this from now on, also if this fails
   * @param knowledge file with what is known of users beside the snapshot; null for none
   * @param scorers how many requests are scored at the same time
   * @throws UserError if the knowledge file is no good
   */
  public ScorerPool(Snapshot first, Path knowledge, int scorers) {
    free = new Semaphore(scorers);
    this.knowledge = knowledge;
    file = first;
    try {
      current = new Generation(knowledge == null ? first : first.withKnowledge(knowledge), 1);
    } catch (RuntimeException | Error e) {
      first.close();
      throw e;
    }
  }

  /**
   * Borrows a scorer of the current snapshot.
   *
   * @return null if none became free in time
   * @throws IllegalStateException if this is closed
   */
  public Lease borrow(long waitMillis) throws InterruptedException {
    if (!free.tryAcquire(waitMillis, TimeUnit.MILLISECONDS)) {
      return null;
    }
    Lease lease = null;
    try {
      while (lease == null) {
        Generation generation = open();
        try {
          lease = new Lease(generation, generation.scorer());
        } catch (IllegalStateException e) {
          // Replaced since it was read: there is a newer one.
          if (!generation.retired) {
            throw e;
          }
        }
      }
      return lease;
    } finally {
      if (lease == null) {
        free.release();
      }
    }
  }

  private Generation open() {
    Generation generation = current;
    if (generation == null) {
      throw new IllegalStateException("the pool is closed");
    }
    return generation;
  }

  /**
   * Reads the snapshot's file anew, and the knowledge file if there is one; requests that begin
   * from now on use them. Beside a knowledge file a snapshot that has not been replaced is not read
   * again.
   *
   * @throws UserError if one is no good; what was served then goes on
   */
  public synchronized void reload() {
    Generation before = open();
    Path path = before.snapshot.path();
    Stamp now = Stamp.of(path);
    boolean replaced = knowledge == null || !now.equals(stamp);
    Snapshot opened = replaced ? Snapshot.open(path) : file;
    Snapshot next;
    try {
      next = knowledge == null ? opened : opened.withKnowledge(knowledge);
    } catch (RuntimeException | Error e) {
      if (replaced) {
        opened.close();
      }
      throw e;
    }
    current = new Generation(next, before.number + 1);
    before.retire();
    if (replaced) {
      file.close();
      file = opened;
      stamp = now;
    }
  }

  /** What is served now. */
  public Served served() {
    Generation generation = open();
    return new Served(generation.snapshot, generation.number, generation.loaded);
  }

  @Override
  public synchronized void close() {
    Generation last = current;
    current = null;
    if (last != null) {
      last.retire();
      file.close();
    }
  }
}
