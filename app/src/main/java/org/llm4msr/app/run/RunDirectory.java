package org.llm4msr.app.run;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.llm4msr.app.report.ReadingPage;
import org.llm4msr.model.checkpoint.AtomicFile;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.training.HistoryEntry;
import org.llm4msr.model.training.ModelReading;
import org.llm4msr.runtime.UserError;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * The folder of one run. {@code config.yaml} is there from the start, {@code checkpoint} while the
 * run is unfinished; {@code metrics.json} is written last, so a run that has it is finished.
 */
public final class RunDirectory {
  public static final String CONFIG = "config.yaml";
  public static final String METRICS = "metrics.json";
  public static final String HISTORY = "history.jsonl";
  public static final String MODEL = "model.safetensors";
  public static final String PREDICTIONS = "predictions.csv";
  public static final String CHECKPOINT = "checkpoint";
  public static final String REPORT = "report.html";
  public static final String READING = "reading.json";
  public static final String READING_PAGE = "reading.html";
  private static final String LOCK = ".lock";
  private static final List<String> FILES =
      List.of(
          METRICS, CHECKPOINT, MODEL, PREDICTIONS, REPORT, READING, READING_PAGE, HISTORY, CONFIG);

  /** What a folder holds. */
  public enum State {
    /** No run. */
    EMPTY,
    UNFINISHED,
    FINISHED
  }

  private final Path path;

  public RunDirectory(Path path) {
    this.path = path;
  }

  public Path path() {
    return path;
  }

  public Path file(String name) {
    return path.resolve(name);
  }

  /**
   * @throws UserError if there is something else than a run
   */
  public State state() {
    if (!Files.exists(path)) {
      return State.EMPTY;
    }
    if (!Files.isDirectory(path)) {
      throw new UserError(path + ": not a folder; choose another --out");
    }
    if (Files.exists(file(CONFIG))) {
      return Files.exists(file(METRICS)) ? State.FINISHED : State.UNFINISHED;
    }
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(path)) {
      for (Path entry : entries) {
        if (!entry.getFileName().toString().startsWith(".")) {
          throw new UserError(
              path
                  + ": holds other files (such as "
                  + entry.getFileName()
                  + ") and no run; choose another --out");
        }
      }
      return State.EMPTY;
    } catch (IOException e) {
      throw FileErrors.reading(path, e);
    }
  }

  /** The configuration of the run that is here. */
  public RunConfig config() {
    if (!Files.exists(file(CONFIG))) {
      throw new UserError(path + ": no run here (" + CONFIG + " is missing)");
    }
    return RunConfig.read(file(CONFIG));
  }

  /**
   * Refuses early what {@link #begin} would refuse after the data have been read.
   *
   * @throws UserError if there is a finished run, or something else than a run
   */
  public void requireRoom(boolean force) {
    if (state() == State.FINISHED && !force) {
      throw new UserError(
          path + ": holds a finished run; choose another --out, or replace it with --force");
    }
  }

  /**
   * Whether this run is here already and finished.
   *
   * @param force whether another run that is here may be replaced
   * @throws UserError if there is another one, finished or with a checkpoint, or something else
   *     than a run
   */
  boolean holds(RunConfig config, boolean force) {
    if (state() == State.EMPTY) {
      return false;
    }
    if (state() == State.FINISHED && config().fingerprint().equals(config.fingerprint())) {
      return true;
    }
    if (!force) {
      requireSame(config);
    }
    return false;
  }

  private void requireSame(RunConfig config) {
    boolean finished = Files.exists(file(METRICS));
    // Without metrics and checkpoint there is nothing to lose.
    boolean matters = finished || Files.exists(file(CHECKPOINT));
    if (matters && !config().fingerprint().equals(config.fingerprint())) {
      throw new UserError(
          "%s: holds %s run with other settings or data (%s says which); choose another --out, or replace it with --force"
              .formatted(path, finished ? "a finished" : "an unfinished", CONFIG));
    }
  }

  /**
   * Makes the folder ready for a run, new or to be gone on with, and keeps other processes out.
   *
   * @param force whether a run that is here may be replaced
   * @throws UserError if there is a finished run, or one with another configuration, or the folder
   *     cannot be written, or another process is at work in it
   */
  public Session begin(RunConfig config, boolean force) {
    requireRoom(force);
    FileChannel lock = lock();
    try {
      if (force) {
        clear();
      }
      requireSame(config);
      removeLeftovers();
      write(CONFIG, config.toYaml());
      return new Session(file(LOCK), lock, Files.exists(file(CHECKPOINT)));
    } catch (RuntimeException e) {
      new Session(file(LOCK), lock, false).close();
      throw e;
    }
  }

  /**
   * Makes the folder ready for work that is no run, and keeps other processes out.
   *
   * @throws UserError if the folder cannot be written, or another process is at work in it
   */
  Session occupy() {
    Session session = new Session(file(LOCK), lock(), false);
    removeLeftovers();
    return session;
  }

  /** Deletes the folder with the run that is in it. */
  void delete() {
    if (Files.exists(path)) {
      clear();
      removeLeftovers();
      delete(file(LOCK));
      delete(path);
    }
  }

  private void clear() {
    for (String name : FILES) {
      delete(file(name));
    }
  }

  /** Temporary files of a process that was killed while it wrote. */
  private void removeLeftovers() {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(path, ".*.tmp")) {
      entries.forEach(RunDirectory::delete);
    } catch (IOException e) {
      throw FileErrors.reading(path, e);
    }
  }

  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw FileErrors.writing(file, e);
    }
  }

  void deleteCheckpoint() {
    delete(file(CHECKPOINT));
  }

  /** Writes a small text file; it appears whole or not at all. */
  void write(String name, String text) {
    try (AtomicFile file = AtomicFile.create(file(name))) {
      file.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
      file.commit();
    }
  }

  /** Writes what the run's model leans on, as JSON and as a page. */
  public void writeReading(ModelReading reading, List<String> scenarios) {
    write(READING, ReadingJson.of(reading, scenarios).toPrettyString() + "\n");
    write(READING_PAGE, ReadingPage.html(path.toString(), reading, scenarios));
  }

  /** Writes {@code history.jsonl}: one JSON object per evaluation. */
  void writeHistory(List<HistoryEntry> history) {
    StringBuilder lines = new StringBuilder();
    for (HistoryEntry entry : history) {
      lines.append(HistoryJson.toJson(entry)).append('\n');
    }
    write(HISTORY, lines.toString());
  }

  /** Reads {@code history.jsonl}. */
  public List<HistoryEntry> history() {
    Path file = file(HISTORY);
    FileErrors.requireFile(file);
    List<HistoryEntry> history = new ArrayList<>();
    try {
      for (String line : Files.readAllLines(file)) {
        history.add(HistoryJson.parse(JsonMapper.shared().readTree(line)));
      }
    } catch (IOException e) {
      throw FileErrors.reading(file, e);
    } catch (JacksonException e) {
      throw new UserError(file + ": not a run's history: " + e.getOriginalMessage(), e);
    }
    return history;
  }

  /** Reads {@code metrics.json}. */
  public RunMetrics metrics() {
    return RunMetrics.read(file(METRICS));
  }

  private FileChannel lock() {
    try {
      Files.createDirectories(path);
      FileChannel channel =
          FileChannel.open(file(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      if (!tryLock(channel)) {
        channel.close();
        throw new UserError(path + ": another process is training here; wait for it to end");
      }
      return channel;
    } catch (IOException e) {
      throw FileErrors.writing(path, e);
    }
  }

  private static boolean tryLock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      return false;
    }
  }

  /** Work in the folder; the system ends its lock with the process at the latest. */
  public static final class Session implements AutoCloseable {
    private final Path lockFile;
    private final FileChannel lock;
    private final boolean resumes;

    private Session(Path lockFile, FileChannel lock, boolean resumes) {
      this.lockFile = lockFile;
      this.lock = lock;
      this.resumes = resumes;
    }

    /** Whether there is a checkpoint of this run to go on from. */
    public boolean resumes() {
      return resumes;
    }

    @Override
    public void close() {
      try {
        Files.deleteIfExists(lockFile);
        lock.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
