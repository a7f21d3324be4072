package org.llm4msr.app.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.model.training.HistoryEntry;
import org.llm4msr.runtime.UserError;

class RunDirectoryTest {
  @TempDir private Path folder;

  @Test
  void oneProcessAtATime() {
    RunDirectory directory = new RunDirectory(folder.resolve("run"));
    RunConfig config = new RunConfigTest().example();
    try (RunDirectory.Session session = directory.begin(config, false)) {
      assertThat(session.resumes()).isFalse();
      assertThatThrownBy(() -> directory.begin(config, false))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("another process");
    }
    directory.begin(config, false).close();
  }

  @Test
  void leftoversOfAKilledWriterDisappear() throws IOException {
    RunDirectory directory = new RunDirectory(folder.resolve("run"));
    Files.createDirectories(directory.path());
    Path leftover = Files.writeString(directory.file(".checkpoint.123.tmp"), "half");
    directory.begin(new RunConfigTest().example(), false).close();
    assertThat(leftover).doesNotExist();
  }

  @Test
  void aHistorySurvivesItsFile() {
    List<HistoryEntry> history =
        List.of(
            new HistoryEntry(1, 10, 0.7, Double.NaN, Double.NaN, 0.6, Double.NaN, 1.5, 1000),
            new HistoryEntry(2, 20, 0.1 + 0.2, 0.8, 0.75, 0.5, 0.8, 1.25, 1100.5));
    RunDirectory directory = new RunDirectory(folder);
    directory.writeHistory(history);
    assertThat(directory.history()).isEqualTo(history);
  }
}
