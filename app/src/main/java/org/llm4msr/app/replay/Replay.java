package org.llm4msr.app.replay;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import org.llm4msr.app.serve.RequestScorer;
import org.llm4msr.app.serve.RequestScorer.Scores;
import org.llm4msr.app.serve.ScoringRequest;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.scorer.Snapshot;
import org.llm4msr.runtime.UserError;

/**
 * Answers logged requests by a snapshot and compares that with what another snapshot answers, or
 * with what an existing recommender answered. Both snapshots are asked in turn, each first every
 * other time; what is timed is the search for keys and the scoring, not the reading of JSON.
 */
public final class Replay implements AutoCloseable {
  /** Requests that are answered before anything is timed. */
  private static final int WARM_UP = 2_000;

  private static final String LOGGED = "logged scores";

  private final Path log;
  private final int top;
  private final Snapshot snapshot;
  private final String other;
  private final RequestScorer scorer;
  private final RequestScorer otherScorer;
  private final Map<String, Tally> tallies = new LinkedHashMap<>();
  private final Tally all = new Tally();
  private int line;
  private int replayed;

  /** Takes lines with requests. */
  private interface Lines {
    void take(LoggedRequest logged, String where);
  }

  /**
   * @param against null to compare with the scores in the log
   * @param log requests, a JSON object in each line
   * @param top how many first items are compared
   */
  public Replay(Snapshot snapshot, Snapshot against, Path log, int top) {
    this.snapshot = snapshot;
    this.log = log;
    this.top = top;
    other = against == null ? LOGGED : against.path().toString();
    scorer = new RequestScorer(snapshot, 1);
    otherScorer = against == null ? null : new RequestScorer(against, 1);
    snapshot.scenarios().forEach(name -> tallies.put(name, new Tally()));
  }

  /**
   * Reads the whole log first, so that a line that is wrong is named before the work.
   *
   * @return how many requests there are
   * @throws UserError if a line is malformed, or has no scores where they are compared with
   */
  public int check() {
    int[] requests = new int[1];
    read((logged, where) -> {
      if (otherScorer == null && logged.scores() == null) {
        throw new UserError(
            where
                + ": scores: missing, expected the logged score of each item, or give --against"
                + " another snapshot");
      }
      if (requests[0]++ < WARM_UP) {
        answer(scorer, logged.request(), where);
        if (otherScorer != null) {
          answer(otherScorer, logged.request(), where);
        }
      }
    });
    if (requests[0] == 0) {
      throw new UserError(log + ": holds no request");
    }
    return requests[0];
  }

  /**
   * Replays the log.
   *
   * @param progress is told how many requests are done
   * @throws UserError as {@link #check}, or if a snapshot has not the scenario of a request
   */
  public ReplayResult run(LongConsumer progress) {
    read((logged, where) -> {
      compare(logged, where);
      progress.accept(++replayed);
    });
    List<ReplayResult.Part> parts = new ArrayList<>();
    tallies.forEach((name, tally) -> parts.add(tally.part(name)));
    parts.add(all.part(ReplayResult.ALL));
    return new ReplayResult(snapshot.path().toString(), other, log.toString(), top, parts);
  }

  private void read(Lines lines) {
    FileErrors.requireFile(log);
    line = 0;
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(
                Files.newInputStream(log), StandardCharsets.UTF_8.newDecoder()))) {
      for (String text = reader.readLine(); text != null; text = reader.readLine()) {
        line++;
        if (!text.isBlank()) {
          String where = log + ":" + line;
          lines.take(LoggedRequest.read(text, where), where);
        }
      }
    } catch (CharacterCodingException e) {
      throw new UserError(log + ":" + (line + 1) + ": not valid UTF-8, here or soon after", e);
    } catch (IOException e) {
      throw FileErrors.reading(log, e);
    }
  }

  private record Answer(double[] scores, Scores raw, double micros) {}

  private static Answer answer(RequestScorer scorer, ScoringRequest request, String where) {
    long start = System.nanoTime();
    Scores scores = scorer.score(request, where);
    double micros = (System.nanoTime() - start) * 1e-3;
    double[] wide = new double[scores.probabilities().length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = scores.probabilities()[i];
    }
    return new Answer(wide, scores, micros);
  }

  private void compare(LoggedRequest logged, String where) {
    ScoringRequest request = logged.request();
    Answer mine;
    double[] theirs = logged.scores();
    double theirMicros = logged.latencyMicros();
    if (otherScorer == null) {
      mine = answer(scorer, request, where);
    } else {
      Answer before = replayed % 2 == 0 ? null : answer(otherScorer, request, where);
      mine = answer(scorer, request, where);
      Answer answer = before == null ? answer(otherScorer, request, where) : before;
      theirs = answer.scores();
      theirMicros = answer.micros();
    }
    // Nobody knows whether two requests of unknown users are of one.
    String user = request.user() == null ? "line " + line : "user " + request.user();
    for (Tally tally : List.of(tallies.get(request.scenario()), all)) {
      tally.request(mine.scores().length, mine.raw().unknownUser(), mine.raw().unknownItems());
      tally.latency(mine.micros(), theirMicros);
      tally.add(Measure.LATENCY_DIFFERENCE, user, mine.micros() - theirMicros);
      tally.add(Measure.SCORE_DIFFERENCE, user, Comparing.meanDifference(mine.scores(), theirs));
      tally.add(Measure.ABSOLUTE_DIFFERENCE, user, Comparing.meanDistance(mine.scores(), theirs));
      tally.add(Measure.RANK_CORRELATION, user, Comparing.rankCorrelation(mine.scores(), theirs));
      tally.add(Measure.TOP_SHARE, user, Comparing.topShare(mine.scores(), theirs, top));
      tally.add(Measure.SAME_FIRST, user, Comparing.topShare(mine.scores(), theirs, 1));
      tally.add(
          Measure.AUC_DIFFERENCE,
          user,
          Comparing.aucDifference(mine.scores(), theirs, logged.labels()));
    }
  }

  @Override
  public void close() {
    scorer.close();
    if (otherScorer != null) {
      otherScorer.close();
    }
  }
}
