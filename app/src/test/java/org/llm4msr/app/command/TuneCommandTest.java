package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.Main;
import org.llm4msr.app.run.TinyShop;
import org.llm4msr.runtime.memory.AllocationTracker;

class TuneCommandTest {
  @TempDir private Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @AfterEach
  void nothingStaysOpen() {
    assertThat(AllocationTracker.open()).isEmpty();
  }

  private int tune(String... more) throws IOException {
    String data = TinyShop.write(folder, 600).data();
    List<String> args =
        new ArrayList<>(
            List.of(
                "tune",
                "--data",
                data,
                "--out",
                folder.resolve("t").toString(),
                "--batch-size",
                "128",
                "--hidden",
                "6",
                "--embedding-dim",
                "4",
                "--backbone",
                "mmoe",
                "--threads",
                "1"));
    args.addAll(List.of(more));
    if (!args.contains("--epochs")) {
      args.addAll(List.of("--epochs", "3"));
    }
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    return Main.run(
        args.toArray(String[]::new), new PrintWriter(out, true), new PrintWriter(err, true));
  }

  @Test
  void theBestIsFoundAndNothingIsTrainedTwice() throws IOException {
    assertThat(tune("--rates", "3", "--trials", "3", "--lr-range", "1e-9,1e-1"))
        .as(err.toString())
        .isZero();
    String first = out.toString();
    // Three rates, of which one goes on to all epochs; three settings likewise.
    List<String> trials = Files.readAllLines(folder.resolve("t/trials.jsonl"));
    assertThat(trials).hasSize(8);
    assertThat(err.toString().lines().filter(line -> line.contains("epochs:"))).hasSize(8);
    assertThat(Files.readString(folder.resolve("t/tune.html")))
        .contains("<svg", "options of train");
    double best = score(first.lines().filter(line -> line.contains(" 3    ")).toList());
    assertThat(best).isGreaterThan(0.5);
    assertThat(first).contains("best: --backbone mmoe --lr ");

    assertThat(tune("--rates", "3", "--trials", "3", "--lr-range", "1e-9,1e-1")).isZero();
    assertThat(out.toString()).isEqualTo(first);
    assertThat(err.toString()).doesNotContain("epochs:");

    // A search that goes further trains only what is new.
    assertThat(tune("--rates", "3", "--trials", "4", "--lr-range", "1e-9,1e-1")).isZero();
    assertThat(err.toString().lines().filter(line -> line.contains("epochs:")).count())
        .isBetween(1L, 3L);
  }

  @Test
  void withKnowledgeTheWiringIsSearchedToo() throws IOException {
    String knowledge = TinyShop.write(folder, 600).knowledge();
    assertThat(tune("--rates", "1", "--trials", "6", "--epochs", "1", "--knowledge", knowledge))
        .as(err.toString())
        .isZero();
    assertThat(out.toString()).contains("--fusion ", "--rank ", "--user-mode ");
  }

  private static double score(List<String> lines) {
    return lines.stream()
        .mapToDouble(line -> Double.parseDouble(line.strip().split("\\s+")[3]))
        .max()
        .orElseThrow();
  }

  @Test
  void mistakesAreWrongUsage() throws IOException {
    assertThat(tune("--rates", "0")).isEqualTo(2);
    assertThat(tune("--lr-range", "1e-2,1e-3")).isEqualTo(2);
    assertThat(err.toString()).contains("--lr-range: expected two ascending rates");
    assertThat(tune("--option", "levels=2")).isEqualTo(2);
    assertThat(err.toString()).contains("no such option of the backbone");
    Files.createDirectories(folder.resolve("t"));
    Files.writeString(folder.resolve("t/trials.jsonl"), "{\"a\": 1}\n");
    assertThat(tune("--rates", "1", "--trials", "0")).isEqualTo(1);
    assertThat(err.toString()).contains("trials.jsonl:1: not a trial");
  }
}
