package org.llm4msr.app.command;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.llm4msr.app.serve.RequestScorer;
import org.llm4msr.app.serve.RequestScorer.Scores;
import org.llm4msr.app.serve.ScoringRequest;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.scorer.Snapshot;
import org.llm4msr.runtime.UserError;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Scores the requests of a file. */
@Command(
    name = "score",
    description = {
      "Scores requests, one JSON object per line:",
      "  {\"user\": \"u1\", \"scenario\": \"web\", \"items\": [\"i1\", \"i2\"]}",
      "and if wanted \"context\": {field: value}, \"logits\": [number of each item] and \"top\": K."
          + " Prints a line for each: {\"probabilities\": [...]} or, ranked, {\"items\": [{\"item\":"
          + " ..., \"probability\": ...}]}."
    },
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  llm4msr score --snapshot star.snapshot --input requests.jsonl",
      "  llm4msr score --run runs/star --input - --top 10"
    })
public final class ScoreCommand implements Callable<Integer> {
  private static final String BYTE_ORDER_MARK = "\uFEFF";
  private static final int MOST_ITEMS = 1_000_000;

  @Mixin private SnapshotOptions source;

  @Option(
      names = "--input",
      required = true,
      paramLabel = "FILE",
      description = "Requests, one JSON object per line; - for standard input.")
  private Path input;

  @Option(
      names = "--top",
      paramLabel = "K",
      description =
          "Print the K most probable items, best first; a request's own \"top\" prevails.")
  private Integer top;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    if (top != null) {
      Checks.positive(spec, "--top", top);
    }
    boolean piped = input.toString().equals("-");
    if (!piped) {
      FileErrors.requireFile(input);
    }
    int line = 0;
    boolean empty = true;
    try (Snapshot snapshot = source.open(spec.commandLine().getErr());
        RequestScorer scorer = new RequestScorer(snapshot, 1);
        InputStream in = piped ? System.in : Files.newInputStream(input);
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8.newDecoder()))) {
      for (String text = lines.readLine(); text != null; text = lines.readLine()) {
        line++;
        if (line == 1 && text.startsWith(BYTE_ORDER_MARK)) {
          text = text.substring(1);
        }
        if (!text.isBlank()) {
          empty = false;
          spec.commandLine().getOut().println(answer(scorer, text, input + ":" + line));
        }
      }
    } catch (CharacterCodingException e) {
      throw new UserError(input + ":" + (line + 1) + ": not valid UTF-8, here or soon after", e);
    } catch (IOException e) {
      throw FileErrors.reading(input, e);
    }
    if (empty) {
      throw new UserError(input + ": holds no request, expected one JSON object per line");
    }
    PrintWriter out = spec.commandLine().getOut();
    out.flush();
    return 0;
  }

  private String answer(RequestScorer scorer, String text, String where) {
    ScoringRequest request = ScoringRequest.read(text, where, MOST_ITEMS);
    Scores scores = scorer.score(request, where);
    if (request.top() == 0 && top == null) {
      return scores.toJson().toString();
    }
    return scores.toRankedJson(request, request.top() > 0 ? request.top() : top).toString();
  }
}
