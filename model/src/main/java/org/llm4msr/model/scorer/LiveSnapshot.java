package org.llm4msr.model.scorer;

import java.nio.file.Path;

/**
 * The snapshot that requests use, which may be replaced while they run: no request waits, and the
 * old file is unmapped when the last scorer on it is gone.
 *
 * <p>Each thread keeps a scorer and renews it before a request; numbers of users and items belong
 * to the renewed scorer's snapshot:
 *
 * <pre>{@code
 * scorer = live.renew(scorer);
 * int user = scorer.snapshot().user(key);
 * }</pre>
 */
public final class LiveSnapshot implements AutoCloseable {
  private volatile Snapshot current;

  /**
   * @param first owned by this from now on
   */
  public LiveSnapshot(Snapshot first) {
    current = first;
  }

  /**
   * Requests that begin from now on use another snapshot.
   *
   * @param next owned by this from now on
   * @throws IllegalStateException if this is closed; {@code next} is then closed too
   */
  public synchronized void replace(Snapshot next) {
    Snapshot before = current;
    if (before == null) {
      next.close();
      throw new IllegalStateException("the live snapshot is closed");
    }
    current = next;
    before.close();
  }

  /**
   * Requests that begin from now on know of users what a knowledge file says; see {@link
   * Snapshot#withKnowledge}. Updates add up, until the snapshot is replaced. Reading the file takes
   * its time in this thread only.
   *
   * @throws org.llm4msr.runtime.UserError if the file is refused; requests then go on as before
   * @throws IllegalStateException if this is closed
   */
  public synchronized KnowledgeUpdate update(Path knowledge) {
    Snapshot before = snapshot();
    try (UserRecords.Update update = KnowledgeReader.read(before, knowledge)) {
      current = before.withUsers(update);
      before.close();
      return update.counts();
    }
  }

  /** The snapshot that requests use now. */
  public Snapshot snapshot() {
    Snapshot snapshot = current;
    if (snapshot == null) {
      throw new IllegalStateException("the live snapshot is closed");
    }
    return snapshot;
  }

  /**
   * The thread's scorer if it is on the current snapshot; else it is closed, and another takes its
   * place.
   *
   * @param scorer null for a thread's first request
   * @throws IllegalStateException if this is closed
   */
  public Scorer renew(Scorer scorer) {
    if (scorer != null && scorer.snapshot() == current) {
      return scorer;
    }
    if (scorer != null) {
      scorer.close();
    }
    while (true) {
      Snapshot snapshot = snapshot();
      try {
        return snapshot.scorer();
      } catch (IllegalStateException e) {
        // Replaced and closed since it was read: there is a newer one.
        if (snapshot == current) {
          throw e;
        }
      }
    }
  }

  /** Lets go of the snapshot; scorers that are open go on. */
  @Override
  public synchronized void close() {
    Snapshot before = current;
    current = null;
    if (before != null) {
      before.close();
    }
  }
}
