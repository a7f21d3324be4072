package org.llm4msr.app.command;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.llm4msr.app.replay.Interval;
import org.llm4msr.app.replay.Measure;
import org.llm4msr.app.replay.Replay;
import org.llm4msr.app.replay.ReplayResult;
import org.llm4msr.app.report.ReplayPage;
import org.llm4msr.model.checkpoint.AtomicFile;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.scorer.Snapshot;
import org.llm4msr.runtime.UserError;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Answers logged requests anew and compares. */
@Command(
    name = "replay",
    description = {
      "Answers logged requests by a snapshot and says how scores, ranks and latency differ from"
          + " another snapshot's, or from the scores in the log, with 95 %% intervals for each"
          + " scenario. Writes replay.html, replay.csv and replay.json."
    },
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "The log has a request in each line, as 'llm4msr score' reads them, and if wanted the answer"
          + " of the recommender that is in service and what became of the items:",
      "  {\"user\": \"u1\", \"scenario\": \"web\", \"items\": [\"i1\", \"i2\"],",
      "   \"scores\": [0.3, 0.1], \"latency_micros\": 840, \"labels\": [1, 0]}",
      "",
      "Examples:",
      "  llm4msr replay --snapshot new.snapshot --against old.snapshot --log requests.jsonl --out"
          + " replay",
      "  llm4msr replay --snapshot new.snapshot --log requests.jsonl --out replay     (against its"
          + " scores)"
    })
public final class ReplayCommand implements Callable<Integer> {
  @Option(
      names = "--snapshot",
      required = true,
      paramLabel = "FILE",
      description = "Snapshot that 'llm4msr export' wrote.")
  private Path snapshot;

  @Option(
      names = "--against",
      paramLabel = "FILE",
      description = "Another snapshot; without it the log's scores are compared with.")
  private Path against;

  @Option(
      names = "--log",
      required = true,
      paramLabel = "FILE",
      description = "Requests, one JSON object per line.")
  private Path log;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "Folder to write to.")
  private Path out;

  @Option(
      names = "--top",
      paramLabel = "K",
      defaultValue = "10",
      description = "How many first items are compared (default: ${DEFAULT-VALUE}).")
  private int top;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    Checks.positive(spec, "--top", top);
    PrintWriter err = spec.commandLine().getErr();
    ReplayResult result;
    try (Snapshot first = Snapshot.open(snapshot);
        Snapshot second = against == null ? null : Snapshot.open(against);
        Replay replay = new Replay(first, second, log, top)) {
      try (Progress progress = Progress.start(err, "replay (requests)", replay.check())) {
        result = replay.run(progress::update);
      }
    }
    write(result);
    PrintWriter printed = spec.commandLine().getOut();
    if (json) {
      Json.print(printed, result.toJson());
    } else {
      print(printed, result);
    }
    return 0;
  }

  private void write(ReplayResult result) {
    try {
      if (Files.exists(out) && !Files.isDirectory(out)) {
        throw new UserError(out + ": not a folder; choose another --out");
      }
      Files.createDirectories(out);
    } catch (IOException e) {
      throw FileErrors.writing(out, e);
    }
    write("replay.html", ReplayPage.html(result));
    write("replay.csv", result.toCsv());
    write("replay.json", result.toJson().toPrettyString() + "\n");
  }

  private void write(String name, String text) {
    try (AtomicFile file = AtomicFile.create(out.resolve(name))) {
      file.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
      file.commit();
    }
  }

  private void print(PrintWriter printed, ReplayResult result) {
    printed.printf("%-24s %10s", "", "requests");
    for (Measure measure : Measure.values()) {
      printed.printf(" %22s", measure.label());
    }
    printed.println();
    for (ReplayResult.Part part : result.parts()) {
      printed.printf("%-24s %10d", part.name(), part.requests());
      for (Measure measure : Measure.values()) {
        printed.printf(" %22s", text(part.measures().get(measure)));
      }
      printed.println();
    }
    for (Measure measure : Measure.values()) {
      printed.printf("%s: %s%n", measure.label(), measure.meaning());
    }
    printed.println("report: " + out.resolve("replay.html"));
    printed.flush();
  }

  private static String text(Interval interval) {
    if (Double.isNaN(interval.mean())) {
      return "-";
    }
    double half = interval.high() - interval.mean();
    return Double.isNaN(half)
        ? String.format(Locale.ROOT, "%.4f", interval.mean())
        : String.format(Locale.ROOT, "%.4f ± %.4f", interval.mean(), half);
  }
}
