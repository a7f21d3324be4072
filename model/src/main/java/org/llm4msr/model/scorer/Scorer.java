package org.llm4msr.model.scorer;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import org.llm4msr.bindings.cpu.ScoringProgram;
import org.llm4msr.runtime.memory.HostBuffer;

/**
 * Scores items for users of one snapshot, one native call for each request. For one thread at a
 * time: threads bring a scorer each. After the first call with a number of items nothing is
 * allocated, and nothing waits for another thread.
 */
public final class Scorer implements AutoCloseable {
  private static final int EMPTY = -1;

  private final Snapshot snapshot;
  private final ScoringProgram[] programs;
  private final UserRecords users;
  private final HostBuffer state;
  private final MemorySegment[] slots;
  private final long[] slotKeys;
  private final HostBuffer rows;
  private final HostBuffer context;
  private HostBuffer itemBuffer;
  private HostBuffer resultBuffer;
  private boolean closed;

  Scorer(Snapshot snapshot, int rememberedUsers) {
    if (rememberedUsers < 1) {
      throw new IllegalArgumentException("a scorer remembers at least one user");
    }
    this.snapshot = snapshot;
    programs = snapshot.programs().toArray(ScoringProgram[]::new);
    users = snapshot.userRecords();
    long columns = 0;
    for (ScoringProgram program : programs) {
      columns = Math.max(columns, program.sizes().columns());
    }
    long stateBytes = snapshot.stateBytes();
    slots = new MemorySegment[rememberedUsers];
    slotKeys = new long[rememberedUsers];
    Arrays.fill(slotKeys, EMPTY);
    state = HostBuffer.allocate(stateBytes * rememberedUsers, "users of a scorer");
    rows = HostBuffer.allocate(columns * ScoringProgram.LANES * Float.BYTES, "rows of a scorer");
    context =
        HostBuffer.allocate((long) snapshot.contextWidth() * Float.BYTES, "context of a scorer");
    for (int i = 0; i < rememberedUsers; i++) {
      slots[i] = state.segment().asSlice(i * stateBytes, stateBytes);
    }
    for (ContextField field : snapshot.context()) {
      field.clear(context.segment());
    }
    grow(64);
  }

  private void grow(int items) {
    if (itemBuffer != null) {
      itemBuffer.close();
      resultBuffer.close();
    }
    itemBuffer = HostBuffer.allocate((long) items * Integer.BYTES, "items of a scorer");
    resultBuffer = HostBuffer.allocate((long) items * Float.BYTES, "results of a scorer");
  }

  public Snapshot snapshot() {
    return snapshot;
  }

  /**
   * What the following requests say about themselves, until it is set anew; unknown at the start.
   *
   * @param field position in {@link Snapshot#contextFields}
   * @param value as the log has it, null for unknown
   * @throws IllegalArgumentException if the field is no category
   */
  public void setContext(int field, String value) {
    snapshot.context().get(field).set(value, context.segment());
  }

  /**
   * The same for a number.
   *
   * @param number in the unit of the log, NaN for unknown
   * @throws IllegalArgumentException if the field is neither a number nor put into buckets
   */
  public void setContext(int field, double number) {
    snapshot.context().get(field).set(number, context.segment());
  }

  /**
   * The same for a list. As in training, unknown values are passed over, and of a list that is too
   * long the first values count, of a history the last.
   *
   * @param values for a history the keys of liked items, oldest first
   * @throws IllegalArgumentException if the field is no list
   */
  public void setContext(int field, List<String> values) {
    snapshot.context().get(field).set(values, context.segment());
  }

  /**
   * Scores items.
   *
   * @param scenario number of the scenario
   * @param user number of the user, or {@link Snapshot#UNKNOWN}
   * @param items int32 {@code [n]} in native memory: numbers of items, or {@link Snapshot#UNKNOWN}
   * @param probabilities float32 {@code [n]} in native memory, written
   * @throws IllegalArgumentException if a number is out of range or memory too small
   * @throws IllegalStateException if this is closed, or the model {@link Snapshot#needsLogits}
   */
  public void score(
      int scenario, int user, MemorySegment items, int n, MemorySegment probabilities) {
    if (snapshot.needsLogits()) {
      throw new IllegalStateException("this model needs the existing recommender's logits");
    }
    run(scenario, user, items, n, MemorySegment.NULL, probabilities);
  }

  /**
   * The same for a model that reads an existing recommender's logits.
   *
   * @param logits float32 {@code [n]} in native memory
   */
  public void score(
      int scenario,
      int user,
      MemorySegment items,
      int n,
      MemorySegment logits,
      MemorySegment probabilities) {
    run(scenario, user, items, n, logits, probabilities);
  }

  private void run(
      int scenario,
      int user,
      MemorySegment items,
      int n,
      MemorySegment logits,
      MemorySegment probabilities) {
    if (closed) {
      throw new IllegalStateException("the scorer is closed");
    }
    if (scenario < 0 || scenario >= programs.length) {
      throw new IllegalArgumentException(
          "scenario " + scenario + ", expected 0 to " + (programs.length - 1));
    }
    if (user < Snapshot.UNKNOWN || user >= snapshot.users()) {
      throw new IllegalArgumentException(
          "user " + user + ", expected 0 to " + (snapshot.users() - 1) + " or UNKNOWN");
    }
    // A user always falls into the same slot; who comes later takes it over.
    long key = (user + 1L) * programs.length + scenario;
    int slot = (int) Long.remainderUnsigned(key * 0x9E3779B97F4A7C15L >>> 20, slots.length);
    boolean kept = slotKeys[slot] == key;
    slotKeys[slot] = EMPTY;
    programs[scenario].run(
        kept,
        snapshot.constants(),
        users.segment(user),
        users.offset(user),
        context.segment(),
        logits,
        items,
        n,
        slots[slot],
        rows.segment(),
        probabilities);
    slotKeys[slot] = key;
  }

  /**
   * Scores items that lie on the heap; for more speed use the form on native memory.
   *
   * @param items numbers of items, or {@link Snapshot#UNKNOWN}
   * @param probabilities as long as {@code items}, written
   */
  public void score(int scenario, int user, int[] items, float[] probabilities) {
    if (probabilities.length < items.length) {
      throw new IllegalArgumentException(
          items.length + " items, room for " + probabilities.length + " probabilities");
    }
    load(items);
    score(scenario, user, itemBuffer.segment(), items.length, resultBuffer.segment());
    MemorySegment.copy(resultBuffer.segment(), JAVA_FLOAT, 0, probabilities, 0, items.length);
  }

  private void load(int[] items) {
    if (itemBuffer.byteSize() < (long) items.length * Integer.BYTES) {
      grow(Math.max(items.length, 2 * (int) (itemBuffer.byteSize() / Integer.BYTES)));
    }
    MemorySegment.copy(items, 0, itemBuffer.segment(), JAVA_INT, 0, items.length);
  }

  /**
   * The most probable of the items, best first; among equals the earlier one.
   *
   * @param best receives positions in {@code items}; its length says how many are wanted
   * @return how many were found, the smaller of both lengths
   */
  public int topK(int scenario, int user, int[] items, int[] best) {
    load(items);
    MemorySegment results = resultBuffer.segment();
    score(scenario, user, itemBuffer.segment(), items.length, results);
    int found = 0;
    for (int i = 0; i < items.length; i++) {
      float probability = results.getAtIndex(JAVA_FLOAT, i);
      int at = found;
      while (at > 0 && results.getAtIndex(JAVA_FLOAT, best[at - 1]) < probability) {
        at--;
      }
      if (at < best.length) {
        found = Math.min(found + 1, best.length);
        System.arraycopy(best, at, best, at + 1, found - 1 - at);
        best[at] = i;
      }
    }
    return found;
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    state.close();
    rows.close();
    context.close();
    itemBuffer.close();
    resultBuffer.close();
    snapshot.release();
  }
}
