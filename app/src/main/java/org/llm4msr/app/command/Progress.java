package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.util.Locale;
import java.util.Objects;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Tells the user how long work is getting on: a bar on a terminal, otherwise a plain line every now
 * and then. Everything goes to the error stream, so that results can be piped.
 */
public final class Progress implements AutoCloseable {
  private static final long SECONDS_BETWEEN_LINES = 10;

  private final PrintWriter err;
  private final String task;
  private final ProgressBar bar;
  private final long startNanos = System.nanoTime();
  private final long total;
  private long lineNanos = startNanos;
  private String note = "";

  private Progress(PrintWriter err, String task, long total, ProgressBar bar) {
    this.err = err;
    this.task = task;
    this.total = total;
    this.bar = bar;
  }

  /**
   * Begins.
   *
   * @param err the command's error stream
   * @param task what is being done, a few words
   * @param total units of work, such as rows
   */
  public static Progress start(PrintWriter err, String task, long total) {
    return new Progress(err, task, total, onTerminal() ? bar(task, total) : null);
  }

  private static ProgressBar bar(String task, long total) {
    return new ProgressBarBuilder()
        .setTaskName(task)
        .setInitialMax(total)
        .setStyle(ProgressBarStyle.ASCII)
        .setUpdateIntervalMillis(200)
        .setConsumer(new ConsoleProgressBarConsumer(System.err))
        .clearDisplayOnFinish()
        .build();
  }

  /** Whether somebody watches. */
  private static boolean onTerminal() {
    return System.console() != null
        && System.console().isTerminal()
        && !Objects.equals(System.getenv("TERM"), "dumb");
  }

  /**
   * Work was done; cheap enough to be called often.
   *
   * @param done units done since the start
   */
  public void update(long done) {
    if (bar != null) {
      bar.stepTo(done);
      return;
    }
    long now = System.nanoTime();
    if (now - lineNanos >= SECONDS_BETWEEN_LINES * 1_000_000_000L) {
      lineNanos = now;
      double seconds = (now - startNanos) * 1e-9;
      String left =
          done <= 0
              ? ""
              : String.format(Locale.ROOT, ", %.0f s left", seconds / done * (total - done));
      String extra = note.isEmpty() ? "" : ", " + note;
      err.printf(
          Locale.ROOT, "%s: %d of %d (%d %%)%s%s%n", task, done, total, percent(done), left, extra);
      err.flush();
    }
  }

  private long percent(long done) {
    return total == 0 ? 100 : Math.round(100.0 * done / total);
  }

  /** A figure beside the bar or at the end of the line, such as the loss. */
  public void note(String text) {
    note = text;
    if (bar != null) {
      bar.setExtraMessage(text);
    }
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
  }
}
