package org.llm4msr.model.scorer;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.llm4msr.bindings.cpu.CpuLibrary;
import org.llm4msr.bindings.cpu.ScoringProgram;
import org.llm4msr.bindings.cpu.ScoringProgram.Instruction;
import org.llm4msr.bindings.cpu.ScoringProgram.Sizes;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.HostBuffer;
import tools.jackson.databind.JsonNode;

/**
 * A trained model ready to score: immutable, mapped from its file, off the heap. Threads share it,
 * each with a {@link Scorer} of its own. The file stays mapped until the snapshot and all its
 * scorers are closed.
 *
 * <p>Users and items have numbers from 0, {@link #user} and {@link #item} find them by the keys of
 * the log. {@link #UNKNOWN} stands for one that the snapshot does not know: an unknown user has the
 * unknown value in every feature and a knowledge vector of zeros, as training has it for users
 * without a vector: beside the scenario's knowledge, layers speak that all such users share. An
 * unknown item has the unknown value in every feature.
 */
public final class Snapshot implements AutoCloseable {
  /** Number of a user or item that the snapshot does not know. */
  public static final int UNKNOWN = KeyIndex.ABSENT;

  private static final int MAX_COUNT = Integer.MAX_VALUE - 16;

  private final Path path;
  private final Arena arena;
  // Holds the mapped file of which this is a view with later knowledge; null for the file itself.
  private final Snapshot base;
  // The owner of the snapshot and each scorer hold it open.
  private final AtomicInteger holders = new AtomicInteger(1);
  private final AtomicInteger open = new AtomicInteger(1);
  private final String model;
  private final List<String> scenarios;
  private final List<ScoringProgram> programs;
  private final List<ContextField> context;
  private final MemorySegment constants;
  private final UserRecords users;
  private final KnowledgeLayers knowledge;
  private final KeyIndex items;
  private final boolean needsLogits;
  private final Precision precision;

  /**
   * Maps a snapshot and checks it.
   *
   * @throws UserError if the file is no snapshot, of another version or damaged, or if there are no
   *     native kernels to score with
   */
  public static Snapshot open(Path path) {
    CpuLibrary.Availability kernels = CpuLibrary.availability();
    if (!kernels.available()) {
      throw new UserError("scoring needs the native kernels: " + kernels.explanation());
    }
    Arena arena = Arena.ofShared();
    try {
      return new Snapshot(path, arena, SnapshotContainer.open(path, arena));
    } catch (SnapshotContainer.DamagedException
        | IllegalArgumentException
        | ArithmeticException e) {
      arena.close();
      throw SnapshotContainer.damaged(path, e.getMessage());
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  private Snapshot(Path path, Arena arena, SnapshotContainer file)
      throws SnapshotContainer.DamagedException {
    this.path = path;
    this.arena = arena;
    base = null;
    scenarios = new ArrayList<>();
    programs = new ArrayList<>();
    context = new ArrayList<>();
    JsonNode directory = file.directory();
    model = text(directory, "model");
    KeyIndex userKeys = new KeyIndex(file, "user_keys", count(directory, "users"));
    items = new KeyIndex(file, "item_keys", count(directory, "items"));
    int recordWidth = count(directory, "record");
    needsLogits = directory.path("input").asBoolean(false);
    precision = precision(directory);
    constants = file.section("constants");
    long rows = userKeys.count() + 1L;
    users =
        new UserRecords(
            userKeys,
            file.section("users", Math.multiplyExact(rows, (long) recordWidth * Float.BYTES)),
            recordWidth);
    knowledge = KnowledgeLayers.read(file, recordWidth);
    for (JsonNode field : directory.path("context")) {
      context.add(new ContextField(file, field));
    }
    for (ContextField field : context) {
      if (field.offset() > contextWidth() - field.dim()) {
        throw new SnapshotContainer.DamagedException("the place of " + field.name());
      }
    }
    int number = 0;
    for (JsonNode scenario : directory.path("scenarios")) {
      scenarios.add(text(scenario, "name"));
      programs.add(program(file, scenario, number++));
    }
    if (programs.isEmpty()) {
      throw new SnapshotContainer.DamagedException("it has no scenario");
    }
  }

  /** A view of the same file whose users know what came later. */
  private Snapshot(Snapshot before, Arena arena, UserRecords users) {
    path = before.path;
    this.arena = arena;
    base = before.base == null ? before : before.base;
    model = before.model;
    scenarios = before.scenarios;
    programs = before.programs;
    context = before.context;
    constants = before.constants;
    this.users = users;
    knowledge = before.knowledge;
    items = before.items;
    needsLogits = before.needsLogits;
    precision = before.precision;
    base.retain();
  }

  private ScoringProgram program(SnapshotContainer file, JsonNode scenario, int number)
      throws SnapshotContainer.DamagedException {
    MemorySegment instructions = file.section("program." + number);
    if (instructions.byteSize() % ((long) Instruction.WORDS * Long.BYTES) != 0) {
      throw new SnapshotContainer.DamagedException("half an instruction");
    }
    Sizes sizes =
        new Sizes(
            constants.byteSize() / Float.BYTES,
            (long) count(scenario, "state") + ScoringProgram.SLACK,
            count(scenario, "columns"),
            users.width(),
            contextWidth(),
            items.count(),
            needsLogits);
    return new ScoringProgram(
        instructions, count(scenario, "user_end"), count(scenario, "vector_end"), sizes);
  }

  static int count(JsonNode node, String name) throws SnapshotContainer.DamagedException {
    JsonNode value = node.path(name);
    if (!value.isIntegralNumber() || value.asLong() < 0 || value.asLong() > MAX_COUNT) {
      throw new SnapshotContainer.DamagedException("its " + name);
    }
    return (int) value.asLong();
  }

  static String text(JsonNode node, String name) throws SnapshotContainer.DamagedException {
    JsonNode value = node.path(name);
    if (!value.isString()) {
      throw new SnapshotContainer.DamagedException("its " + name);
    }
    return value.asString();
  }

  private static Precision precision(JsonNode directory) throws SnapshotContainer.DamagedException {
    String key = text(directory, "precision");
    for (Precision precision : Precision.values()) {
      if (precision.key().equals(key)) {
        return precision;
      }
    }
    throw new SnapshotContainer.DamagedException("its precision");
  }

  /** Name of the model's backbone. */
  public String model() {
    return model;
  }

  public Path path() {
    return path;
  }

  /** Names of the scenarios; {@link Scorer} takes their positions in this list. */
  public List<String> scenarios() {
    return List.copyOf(scenarios);
  }

  /**
   * Number of a scenario.
   *
   * @throws IllegalArgumentException if there is none of this name
   */
  public int scenario(String name) {
    int number = scenarios.indexOf(name);
    if (number < 0) {
      throw new IllegalArgumentException(
          "no scenario '" + name + "'; there are " + String.join(", ", scenarios));
    }
    return number;
  }

  /** How many users it knows, those that later knowledge added included. */
  public int users() {
    return users.count();
  }

  /** How many items it knows. */
  public int items() {
    return items.count();
  }

  /** Number of a user by her key in the log, or {@link #UNKNOWN}. */
  public int user(String key) {
    return users.find(key);
  }

  /** Number of an item by its key in the log, or {@link #UNKNOWN}. */
  public int item(String key) {
    return items.find(key);
  }

  /** Names of the features that a request may say about itself, such as the hour of the day. */
  public List<String> contextFields() {
    return context.stream().map(ContextField::name).toList();
  }

  /** Whether each item must come with the logit of an existing recommender. */
  public boolean needsLogits() {
    return needsLogits;
  }

  /** What a request says of a field, by its position in {@link #contextFields}. */
  public ContextKind contextKind(int field) {
    return context.get(field).kind();
  }

  /** In which matrices and items' tables are held. */
  public Precision precision() {
    return precision;
  }

  /** Bytes of the mapped file and of later knowledge that scoring reads. */
  public long byteSize() {
    return constants.byteSize() + users.byteSize();
  }

  /** How many users' knowledge came after the file was written. */
  public int updatedUsers() {
    return users.laterCount();
  }

  /**
   * A snapshot that differs from this in what it knows of users: those of a knowledge file have its
   * vectors, whether this knows them or not; all others stay as they are. A user whom this does not
   * know has the unknown value in every feature. Numbers of users stay the same. Scenarios'
   * vectors, which are part of the model, and those that leave a fold out are passed over.
   *
   * <p>Both share the mapped file; this stays as it is, and each must be closed.
   *
   * @param file from the language model and with the pooling that the snapshot was trained with
   * @throws UserError if it is no knowledge file or damaged, of another width, model or pooling, a
   *     vector is not finite, or this model reads no knowledge of users
   * @throws IllegalStateException if this is closed
   */
  public Snapshot withKnowledge(Path file) {
    requireOpen();
    try (UserRecords.Update update = KnowledgeReader.read(this, file)) {
      return withUsers(update);
    }
  }

  Snapshot withUsers(UserRecords.Update update) {
    Arena memory = Arena.ofShared();
    try {
      return new Snapshot(this, memory, update.in(memory));
    } catch (RuntimeException | Error e) {
      memory.close();
      throw e;
    }
  }

  /** A scorer for one thread that remembers the last user. */
  public Scorer scorer() {
    return scorer(1);
  }

  /**
   * A scorer for one thread.
   *
   * @param rememberedUsers how many users' generated layers it keeps at most; memory for each is
   *     {@link #stateBytes()}
   * @throws IllegalStateException if the snapshot is closed
   */
  public Scorer scorer(int rememberedUsers) {
    requireOpen();
    retain();
    try {
      return new Scorer(this, rememberedUsers);
    } catch (RuntimeException | Error e) {
      release();
      throw e;
    }
  }

  /** Bytes that a scorer keeps for each user that it remembers. */
  public long stateBytes() {
    long floats = programs.stream().mapToLong(program -> program.sizes().state()).max().orElse(0);
    return (floats * Float.BYTES + HostBuffer.ALIGNMENT - 1) & -HostBuffer.ALIGNMENT;
  }

  List<ScoringProgram> programs() {
    return programs;
  }

  List<ContextField> context() {
    return context;
  }

  int contextWidth() {
    return context.stream().mapToInt(ContextField::dim).reduce(0, Math::addExact);
  }

  MemorySegment constants() {
    return constants;
  }

  UserRecords userRecords() {
    return users;
  }

  /** Null where the model reads no knowledge of users, or none that can be replaced. */
  KnowledgeLayers knowledge() {
    return knowledge;
  }

  private void retain() {
    if (holders.getAndUpdate(n -> n == 0 ? 0 : n + 1) == 0) {
      throw closed();
    }
  }

  private void requireOpen() {
    if (open.get() == 0) {
      throw closed();
    }
  }

  private IllegalStateException closed() {
    return new IllegalStateException(path + ": the snapshot is closed");
  }

  void release() {
    if (holders.decrementAndGet() == 0) {
      arena.close();
      if (base != null) {
        base.release();
      }
    }
  }

  /** Lets go of the file; it stays mapped until the last scorer is closed. */
  @Override
  public void close() {
    if (open.getAndSet(0) == 1) {
      release();
    }
  }
}
