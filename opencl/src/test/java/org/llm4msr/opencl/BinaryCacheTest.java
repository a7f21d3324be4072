package org.llm4msr.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BinaryCacheTest {
  @TempDir Path folder;

  @Test
  void givesBackWhatIsWholeAndNothingElse() throws IOException {
    BinaryCache cache = new BinaryCache(folder.resolve("a/b"));
    String key = BinaryCache.key("device", "source");
    assertThat(cache.load(key)).isNull();
    byte[] binary = {1, 2, 3};
    cache.store(key, binary);
    assertThat(cache.load(key)).isEqualTo(binary);
    Path file = folder.resolve("a/b").resolve(key);
    byte[] content = Files.readAllBytes(file);
    content[content.length - 1]++;
    Files.write(file, content);
    assertThat(cache.load(key)).isNull();
    Files.write(file, new byte[10]);
    assertThat(cache.load(key)).isNull();
  }

  @Test
  void aFolderThatCannotBeMadeIsNoError() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    BinaryCache cache = new BinaryCache(file.resolve("below"));
    cache.store("key", new byte[] {1});
    assertThat(cache.load("key")).isNull();
  }

  @Test
  void keysTellPartsApart() {
    assertThat(BinaryCache.key("ab", "c")).isNotEqualTo(BinaryCache.key("a", "bc"));
  }
}
