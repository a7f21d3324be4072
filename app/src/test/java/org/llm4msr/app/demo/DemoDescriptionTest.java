package org.llm4msr.app.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.data.DataDescription;
import org.llm4msr.app.data.DatasetLoader;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.prompt.Language;

class DemoDescriptionTest {
  @Test
  void theDataReaderUnderstandsWhatTheGeneratorWrites(@TempDir Path folder) throws IOException {
    Path file = DemoWorld.generate(DemoWorld.SEED, 400, 20_000).write(folder);
    DataDescription description = DataDescription.read(file, folder);
    for (Language language : Language.values()) {
      try (Dataset data = DatasetLoader.load(description, language)) {
        assertThat(data.rows()).isEqualTo(20_000);
        assertThat(data.count(Split.TRAIN)).isBetween(15_900, 16_100);
        assertThat(data.fields()).hasSize(11);
        assertThat(data.scenarios())
            .extracting(Scenario::name)
            .containsExactly("web_shop", "short_video", "app_shelf", "physical_store");
        String script = language == Language.JA ? ".*\\p{IsHan}.*" : "\\p{ASCII}+";
        assertThat(data.scenarios()).allSatisfy(s -> assertThat(s.description()).matches(script));
        String title = data.itemText().title(data.findItem("item-0001"));
        assertThat(title).matches(language == Language.JA ? ".*\\p{IsKatakana}.*" : "\\p{ASCII}+");
      }
    }
  }
}
