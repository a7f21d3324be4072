package org.llm4msr.app.encode;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.llm4msr.app.command.Progress;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.GenerationOptions;
import org.llm4msr.model.knowledge.KnowledgeJob;
import org.llm4msr.runtime.UserError;

/** Encodes a file of prompts and tells the user how it gets on. */
public final class EncodeRun {
  private static final long STOP_SECONDS = 20;

  private final Path model;
  private final EncoderOptions options;
  private final PrintWriter err;

  /**
   * @param model a Hugging Face directory
   * @param err where progress and remarks go
   */
  public EncodeRun(Path model, EncoderOptions options, PrintWriter err) {
    this.model = model;
    this.options = options;
    this.err = err;
  }

  /**
   * @param model the model's checksum
   * @param width numbers in a vector
   * @param prompts lines of the input
   * @param shortened prompts that lost their middle because the model reads no longer ones
   * @param plan what there was to do
   * @param changes since an earlier file; null without one
   * @param finished false if a signal stopped the run, which the same call continues
   * @param computed tokens of the plan that were computed; those of shared beginnings count once
   * @param seconds spent encoding
   */
  public record Summary(
      String model,
      int width,
      int prompts,
      int shortened,
      KnowledgeJob.Plan plan,
      KnowledgeJob.Changes changes,
      boolean finished,
      long computed,
      double seconds) {}

  /**
   * Encodes {@code input} into {@code out}.
   *
   * @param since an earlier file whose vectors are taken over where prompts are the same; null for
   *     none
   * @param force also what has been encoded before
   * @param explain how the model continues the prompts, which goes to {@link Explanations#beside};
   *     null for not at all
   * @throws UserError if a file is missing, malformed or cannot be written
   */
  public Summary encode(
      Path input, Path out, Path since, boolean force, GenerationOptions explain) {
    if (since != null) {
      FileErrors.requireFile(since);
    }
    createFolderOf(out);
    try (FrozenEncoder encoder = FrozenEncoder.load(model, options)) {
      PromptFile prompts = read("encode", input, encoder);
      KnowledgeJob job =
          new KnowledgeJob(
              encoder, prompts.ids(), prompts.tokens(), prompts.source(), out, since, force);
      try (Watch watch = new Watch(job.partialFile())) {
        KnowledgeJob.Result result = job.run(watch);
        boolean finished = result.finished();
        if (!finished) {
          watch.saysWhatIsKept();
        } else if (explain != null) {
          finished = explain(encoder, prompts, out, force, explain, watch::stopRequested);
        }
        return new Summary(
            encoder.checksum(),
            encoder.width(),
            prompts.ids().size(),
            prompts.shortened(),
            result.plan(),
            result.changes(),
            finished,
            watch.computedTokens,
            watch.encodingSeconds);
      }
    }
  }

  /**
   * Writes what the model concludes from each prompt beside {@code input}, as {@link #encode} would
   * beside its vectors.
   *
   * @param generation how the model continues the prompts
   * @param stop asked every now and then; true ends the work, which the same call continues
   * @return false if it was stopped
   * @throws UserError if a file is missing, malformed or cannot be written
   */
  public boolean explain(Path input, GenerationOptions generation, BooleanSupplier stop) {
    try (FrozenEncoder encoder = FrozenEncoder.load(model, options)) {
      PromptFile prompts = read("explain", input, encoder);
      return explain(encoder, prompts, input, false, generation, stop);
    }
  }

  private PromptFile read(String task, Path input, FrozenEncoder encoder) {
    PromptFile prompts = PromptFile.read(input, encoder);
    err.printf("%s: %s%n", task, encoder.description());
    err.printf("%s: needs %s%n", task, encoder.memory());
    if (prompts.shortened() > 0) {
      err.printf(
          "%s: %d prompts are longer than the model's %d tokens and lose their middle%n",
          task, prompts.shortened(), encoder.maxTokensPerPrompt());
    }
    err.flush();
    return prompts;
  }

  private boolean explain(
      FrozenEncoder encoder,
      PromptFile prompts,
      Path out,
      boolean force,
      GenerationOptions generation,
      BooleanSupplier stop) {
    Explanations explanations = new Explanations(encoder, generation, out, force);
    try (Progress explaining = Progress.start(err, "explain (prompts)", prompts.ids().size())) {
      boolean finished =
          explanations.write(prompts.ids(), prompts.tokens(), explaining::update, stop);
      if (!finished) {
        err.printf(
            "llm4msr: stopped; what is in %s is kept and will not be generated again%n",
            Explanations.beside(out));
        err.flush();
      }
      return finished;
    }
  }

  private static void createFolderOf(Path out) {
    Path folder = out.toAbsolutePath().getParent();
    if (folder == null) {
      throw new UserError(out + ": expected the name of a file");
    }
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw FileErrors.writing(folder, e);
    }
  }

  /** Shows progress, and turns Ctrl-C into a stop after the present batch. */
  private final class Watch implements KnowledgeJob.Listener, AutoCloseable {
    private final Path partialFile;
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Thread hook = new Thread(this::stop, "encode stops");
    private volatile boolean stopping;
    private Progress progress;
    private long startNanos;
    private KnowledgeJob.Plan plan;
    private double encodingSeconds;
    private long computedTokens;
    private volatile long kept;

    Watch(Path partialFile) {
      this.partialFile = partialFile;
      Runtime.getRuntime().addShutdownHook(hook);
    }

    @Override
    public void started(KnowledgeJob.Plan started) {
      plan = started;
      kept = started.resumed();
      if (started.resumed() + started.reused() > 0) {
        err.printf(
            "encode: %d vectors are there from before, %d remain%n",
            started.resumed() + started.reused(), started.prompts());
        err.flush();
      }
      startNanos = System.nanoTime();
      progress = Progress.start(err, "encode (tokens)", started.tokens());
    }

    @Override
    public void progress(long prompts, long tokens, long computed) {
      computedTokens = computed;
      encodingSeconds = (System.nanoTime() - startNanos) * 1e-9;
      kept = plan.resumed() + prompts;
      progress.note(
          String.format(
              Locale.ROOT,
              "%.0f tokens/s, %.1f prompts/s%s",
              tokens / encodingSeconds,
              prompts / encodingSeconds,
              computed == tokens
                  ? ""
                  : String.format(
                      Locale.ROOT, ", %.0f %% shared", 100.0 * (tokens - computed) / tokens)));
      progress.update(tokens);
    }

    @Override
    public boolean stopRequested() {
      return stopping;
    }

    /** Runs when the process is told to end; returning lets it. */
    private void stop() {
      stopping = true;
      try {
        // A batch of a large model takes longer than anybody waits: it is lost, the others are not.
        if (!ended.await(STOP_SECONDS, TimeUnit.SECONDS)) {
          saysWhatIsKept();
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    void saysWhatIsKept() {
      err.printf(
          "llm4msr: stopped; %d vectors are kept in %s, the same command goes on from there%n",
          kept, partialFile);
      err.flush();
    }

    @Override
    public void close() {
      if (progress != null) {
        progress.close();
      }
      ended.countDown();
      if (!stopping) {
        try {
          Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
          // The process is ending at this very moment; the hook finds the run ended.
          return;
        }
      }
    }
  }
}
