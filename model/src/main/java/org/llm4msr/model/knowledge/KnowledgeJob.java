package org.llm4msr.model.knowledge;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.checkpoint.SafetensorsWriter;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.prompt.PromptSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.json.JsonMapper;

/**
 * Encodes prompts into a {@link KnowledgeFile}. Finished vectors go to a file {@code
 * <target>.partial} at once; the same call after a crash or a stop goes on from there, and its
 * result is the same to the bit. Vectors of an earlier target with the same model, pooling and
 * prompts are taken over. The target is replaced when all is done.
 */
public final class KnowledgeJob {
  // The format allows a header of 100 MB; the rest of it needs little.
  private static final long MAX_ID_BYTES = 99_000_000;

  /** Hears how a job gets on. */
  public interface Listener {
    /**
     * @param plan what there is to do
     */
    void started(Plan plan);

    /**
     * So much of the plan's work is done; called after every batch.
     *
     * @param computed tokens without those of beginnings that were computed already
     */
    void progress(long prompts, long tokens, long computed);

    /** Asked before every batch; true ends the job, which keeps what is finished. */
    boolean stopRequested();
  }

  /**
   * @param prompts distinct prompts to encode
   * @param tokens their tokens
   * @param resumed distinct prompts whose vectors were finished by an interrupted job
   * @param reused distinct prompts whose vectors the target holds already
   */
  public record Plan(long prompts, long tokens, long resumed, long reused) {}

  /**
   * How the prompts differ from those of an earlier file, by id.
   *
   * @param added ids that the file lacks
   * @param changed ids with another prompt
   * @param unchanged ids with the same prompt
   * @param removed ids that only the file has
   */
  public record Changes(long added, long changed, long unchanged, long removed) {}

  /**
   * @param changes since an earlier file; null without one
   * @param finished false if it was stopped before the end; the target is then as before
   */
  public record Result(Plan plan, Changes changes, boolean finished) {}

  private final FrozenEncoder encoder;
  private final List<String> ids;
  private final List<int[]> prompts;
  private final List<PromptHash> hashes;
  private final PromptSource source;
  private final Path target;
  private final Path since;
  private final boolean force;
  private Changes changes;

  /** A job without an earlier file, of prompts that do not say what they were made from. */
  public KnowledgeJob(
      FrozenEncoder encoder, List<String> ids, List<int[]> prompts, Path target, boolean force) {
    this(encoder, ids, prompts, null, target, null, force);
  }

  /**
   * @param ids one per prompt, distinct
   * @param prompts token ids, each as {@link FrozenEncoder#fitted} returns them
   * @param source what the prompts were made from; null if they do not say
   * @param since an earlier file whose vectors are taken over where prompts are the same; null for
   *     none
   * @param force encode everything anew
   * @throws IllegalArgumentException if the counts differ or an id occurs twice
   */
  public KnowledgeJob(
      FrozenEncoder encoder,
      List<String> ids,
      List<int[]> prompts,
      PromptSource source,
      Path target,
      Path since,
      boolean force) {
    if (ids.size() != prompts.size() || new HashSet<>(ids).size() != ids.size()) {
      throw new IllegalArgumentException(
          ids.size() + " ids, not all distinct, for " + prompts.size() + " prompts");
    }
    this.encoder = encoder;
    this.ids = ids;
    this.prompts = prompts;
    this.hashes = prompts.stream().map(PromptHash::of).toList();
    this.source = source;
    this.target = target;
    this.since = since;
    this.force = force;
  }

  /** Where unfinished work is kept. */
  public Path partialFile() {
    return PartialFile.beside(target);
  }

  /**
   * Runs to the end, or until the listener asks to stop.
   *
   * @throws UserError if a file cannot be read or written, or is no knowledge file, or the earlier
   *     one is of another model or pooling
   */
  public Result run(Listener listener) {
    requireRoomForIds();
    try (KnowledgeFile earlier = openEarlier();
        KnowledgeFile old = since == null ? null : KnowledgeFile.open(since)) {
      Map<PromptHash, MemorySegment> reusable = new HashMap<>();
      if (old != null) {
        requireSameOrigin(old);
        changes = changes(old);
        reuse(old, reusable);
      }
      if (earlier != null && !force && isOfSameOrigin(earlier)) {
        reuse(earlier, reusable);
      }
      try (PartialFile partial =
          PartialFile.open(partialFile(), encoder.checksum(), pool(), encoder.width(), force)) {
        deleteLeftovers();
        try {
          return run(listener, partial, earlier, reusable);
        } finally {
          if (partial.size() == 0) {
            partial.delete();
          }
        }
      }
    }
  }

  private Result run(
      Listener listener,
      PartialFile partial,
      KnowledgeFile earlier,
      Map<PromptHash, MemorySegment> reusable) {
    List<int[]> work = new ArrayList<>();
    List<PromptHash> workHashes = new ArrayList<>();
    Set<PromptHash> seen = new HashSet<>();
    long reused = 0;
    for (int i = 0; i < prompts.size(); i++) {
      PromptHash hash = hashes.get(i);
      if (!seen.add(hash)) {
        continue;
      }
      if (reusable.containsKey(hash)) {
        reused++;
      } else {
        work.add(prompts.get(i));
        workHashes.add(hash);
      }
    }
    // Batches are formed before finished ones are left out: a resumed job computes the same
    // batches as an undisturbed one, hence the same bits.
    List<int[]> batches = encoder.pack(work);
    List<int[]> unfinished = new ArrayList<>();
    long resumed = 0;
    long tokens = 0;
    long todo = 0;
    for (int[] batch : batches) {
      boolean finished = true;
      for (int prompt : batch) {
        finished &= partial.contains(workHashes.get(prompt));
      }
      if (finished) {
        resumed += batch.length;
        continue;
      }
      unfinished.add(batch);
      todo += batch.length;
      tokens += tokens(work, batch);
    }
    Plan plan = new Plan(todo, tokens, resumed, reused);
    listener.started(plan);
    long donePrompts = 0;
    long doneTokens = 0;
    long computed = 0;
    for (int[] batch : unfinished) {
      if (listener.stopRequested()) {
        partial.force();
        return new Result(plan, changes, false);
      }
      computed +=
          encoder.encodeBatch(
              work, batch, (prompt, vector) -> partial.append(workHashes.get(prompt), vector));
      donePrompts += batch.length;
      doneTokens += tokens(work, batch);
      listener.progress(donePrompts, doneTokens, computed);
    }
    if (earlier == null || !work.isEmpty() || !holdsTheSame(earlier)) {
      partial.force();
      write(partial, reusable);
    }
    partial.delete();
    return new Result(plan, changes, true);
  }

  /** Says before hours of work that the target's header could not hold the ids. */
  private void requireRoomForIds() {
    long bytes = 0;
    for (String id : ids) {
      // Quotes and backslashes are escaped twice, other characters take at most six bytes twice.
      bytes +=
          5 + (id.chars().allMatch(c -> c >= ' ' && c < 0x7f) ? id.length() : 12L * id.length());
      bytes += 3 * id.chars().filter(c -> c == '"' || c == '\\').count();
    }
    if (bytes > MAX_ID_BYTES) {
      throw new UserError(
          target
              + ": "
              + ids.size()
              + " ids take "
              + bytes
              + " bytes, a file holds at most "
              + MAX_ID_BYTES
              + "; split the prompts over several files");
    }
  }

  private static long tokens(List<int[]> prompts, int[] batch) {
    long tokens = 0;
    for (int prompt : batch) {
      tokens += prompts.get(prompt).length;
    }
    return tokens;
  }

  private String pool() {
    return encoder.options().pool();
  }

  /** The present target, or null; a file of another kind must not be replaced by mistake. */
  private KnowledgeFile openEarlier() {
    if (!Files.exists(target)) {
      return null;
    }
    try {
      return KnowledgeFile.open(target);
    } catch (UserError e) {
      throw new UserError(
          target + ": exists and is no knowledge file; choose another name or delete it", e);
    }
  }

  private boolean isOfSameOrigin(KnowledgeFile file) {
    return file.width() == encoder.width()
        && encoder.checksum().equals(file.model())
        && pool().equals(file.pool());
  }

  private void requireSameOrigin(KnowledgeFile old) {
    String problem = null;
    if (!encoder.checksum().equals(old.model())) {
      problem = "its vectors are of another model (" + old.model() + ")";
    } else if (!isOfSameOrigin(old)) {
      problem = "its vectors are pooled as " + old.pool() + ", expected " + pool();
    } else if (!old.ids().isEmpty() && old.promptHashes().isEmpty()) {
      problem = "it does not say of which prompts its vectors are";
    }
    if (problem != null) {
      throw new UserError(since + ": " + problem + "; leave it out to encode all prompts");
    }
  }

  private Changes changes(KnowledgeFile old) {
    List<PromptHash> known = old.promptHashes();
    long added = 0;
    long unchanged = 0;
    for (int i = 0; i < ids.size(); i++) {
      OptionalInt row = old.row(ids.get(i));
      if (row.isEmpty()) {
        added++;
      } else if (known.get(row.getAsInt()).equals(hashes.get(i))) {
        unchanged++;
      }
    }
    long common = ids.size() - added;
    return new Changes(added, common - unchanged, unchanged, old.ids().size() - common);
  }

  private static void reuse(KnowledgeFile file, Map<PromptHash, MemorySegment> reusable) {
    List<PromptHash> known = file.promptHashes();
    for (int row = 0; row < known.size(); row++) {
      reusable.putIfAbsent(known.get(row), file.vector(row));
    }
  }

  private boolean holdsTheSame(KnowledgeFile earlier) {
    return earlier.ids().equals(ids)
        && earlier.promptHashes().equals(hashes)
        && Objects.equals(earlier.promptSource(), source);
  }

  /** What a job that was killed while it wrote the target left; the lock says that it is dead. */
  private void deleteLeftovers() {
    Path folder = target.toAbsolutePath().getParent();
    String pattern =
        "." + target.getFileName().toString().replaceAll("([\\\\*?\\[\\]{}])", "\\\\$1");
    try (DirectoryStream<Path> leftovers = Files.newDirectoryStream(folder, pattern + ".*.tmp")) {
      for (Path leftover : leftovers) {
        Files.deleteIfExists(leftover);
      }
    } catch (IOException e) {
      throw FileErrors.writing(folder, e);
    }
  }

  private void write(PartialFile partial, Map<PromptHash, MemorySegment> reusable) {
    List<SafetensorsWriter.Declaration> tensors =
        List.of(
            new SafetensorsWriter.Declaration(
                KnowledgeFile.HIDDEN, DType.F32, Shape.of(ids.size(), encoder.width())),
            new SafetensorsWriter.Declaration(
                KnowledgeFile.PROMPT_HASH, DType.U8, Shape.of(ids.size(), PromptHash.BYTES)));
    try (Arena arena = Arena.ofShared();
        SafetensorsWriter writer = SafetensorsWriter.create(target, tensors, metadata())) {
      PartialFile.View finished = partial.map(arena);
      RowBuffer rows = new RowBuffer(arena, writer);
      for (PromptHash hash : hashes) {
        MemorySegment known = reusable.get(hash);
        rows.add(known == null ? finished.vector(hash) : known);
      }
      MemorySegment bytes = arena.allocate(PromptHash.BYTES);
      for (PromptHash hash : hashes) {
        hash.write(bytes, 0);
        rows.add(bytes);
      }
      rows.flush();
      writer.commit();
    }
  }

  private Map<String, String> metadata() {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put(KnowledgeFile.MODEL, encoder.checksum());
    metadata.put(KnowledgeFile.POOL, pool());
    metadata.put(KnowledgeFile.HASH_ALGORITHM, PromptHash.ALGORITHM);
    metadata.put(KnowledgeFile.IDS, JsonMapper.shared().writeValueAsString(ids));
    if (source != null) {
      metadata.put(PromptSource.KEY, source.toJson().toString());
    }
    return metadata;
  }

  /** Gathers rows into larger writes. */
  private static final class RowBuffer {
    private static final long BYTES = 1 << 20;

    private final MemorySegment buffer;
    private final SafetensorsWriter writer;
    private long used;

    RowBuffer(Arena arena, SafetensorsWriter writer) {
      this.buffer = arena.allocate(BYTES);
      this.writer = writer;
    }

    void add(MemorySegment row) {
      if (used + row.byteSize() > BYTES) {
        flush();
      }
      if (row.byteSize() > BYTES) {
        writer.write(row);
        return;
      }
      MemorySegment.copy(row, 0, buffer, used, row.byteSize());
      used += row.byteSize();
    }

    void flush() {
      writer.write(buffer.asSlice(0, used));
      used = 0;
    }
  }
}
