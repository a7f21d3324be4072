package org.llm4msr.model.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.runtime.UserError;

/** Columns, dictionaries and the order of their strings in files, against java.util's. */
class ColumnStoreTest {
  @TempDir Path folder;
  private ColumnStore store;

  @BeforeEach
  void open() {
    store = ColumnStore.inFiles(folder);
  }

  @AfterEach
  void close() {
    store.close();
  }

  /** Strings of 0 to 6 characters, many of them twice, from all parts of Unicode. */
  private static List<String> strings(int count, long seed) {
    int[] firsts = {0, 'a', 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x10FFFE};
    Random random = new Random(seed);
    List<String> strings = new ArrayList<>(List.of("", "\0", "\0\0", "a", "a\0", "\uE000", "😀"));
    while (strings.size() < count) {
      int length = random.nextInt(7);
      StringBuilder text = new StringBuilder();
      for (int i = 0; i < length; i++) {
        text.appendCodePoint(firsts[random.nextInt(firsts.length)] + random.nextInt(2));
      }
      strings.add(text.toString().replaceAll("\\p{Cs}", "x"));
    }
    return strings;
  }

  @Test
  void aColumnKeepsWhatWasSetWhileItGrowsAndIsZeroElsewhere() {
    Column longs = store.column();
    Column bytes = store.column();
    Map<Integer, Long> expected = new LinkedHashMap<>();
    Random random = new Random(1);
    int count = 300_000;
    for (int i = 0; i < count; i += 1 + random.nextInt(3)) {
      longs.reserve(i + 1L, Long.BYTES);
      bytes.reserve(i + 1L, Byte.BYTES);
      long value = random.nextLong();
      longs.setLong(i, value);
      bytes.setByte(i, (byte) value);
      expected.put(i, value);
    }
    longs.reserve(count, Long.BYTES);
    bytes.reserve(count, Byte.BYTES);
    for (int i = 0; i < count; i++) {
      long value = expected.getOrDefault(i, 0L);
      if (longs.getLong(i) != value || bytes.getByte(i) != (byte) value) {
        assertThat(longs.getLong(i)).as("number %d", i).isEqualTo(value);
        assertThat(bytes.getByte(i)).as("byte %d", i).isEqualTo((byte) value);
      }
    }
    assertThatThrownBy(() -> longs.getLong(1L << 40)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void aDictionaryNumbersStringsAsALinkedMapDoes() {
    Dictionary dictionary = new Dictionary(store);
    Map<String, Integer> expected = new LinkedHashMap<>();
    Stream<String> keys = IntStream.range(0, 200_000).mapToObj(i -> "user-" + i * 7919L % 150_000);
    Stream.concat(strings(50_000, 2).stream(), keys)
        .forEach(text -> {
          Integer known = expected.putIfAbsent(text, expected.size());
          int code = dictionary.add(text);
          if (code != (known == null ? expected.size() - 1 : known)) {
            assertThat(code).as("code of '%s'", text).isEqualTo(expected.get(text));
          }
        });
    assertThat(dictionary.size()).isEqualTo(expected.size());
    assertThat(dictionary.values()).containsExactlyElementsOf(expected.keySet());
    expected.forEach((text, code) -> {
      if (dictionary.find(text) != code) {
        assertThat(dictionary.find(text)).as("code of '%s'", text).isEqualTo(code);
      }
    });
    assertThat(dictionary.find("user-150000")).isEqualTo(Dictionary.ABSENT);
    assertThat(dictionary.find(null)).isEqualTo(Dictionary.ABSENT);
  }

  @Test
  void codesAreSortedAsStringsAre() {
    Dictionary dictionary = new Dictionary(store);
    strings(20_000, 3).forEach(dictionary::add);
    // Equal for longer than the sort's prefixes are.
    IntStream.range(0, 5_000).forEach(i -> dictionary.add("customer-" + i * 7919L % 5_000));
    List<String> texts = List.copyOf(dictionary.values());

    int[] sorted = IntStream.range(0, texts.size()).toArray();
    CodeSort.byString(dictionary, sorted);
    assertThat(IntStream.of(sorted).mapToObj(texts::get).toList())
        .isEqualTo(texts.stream().sorted().toList());

    Random random = new Random(4);
    long[] counts = random.longs(texts.size(), 0, 20).toArray();
    Map<String, Long> countOf = new LinkedHashMap<>();
    IntStream.range(0, counts.length).forEach(code -> countOf.put(texts.get(code), counts[code]));
    Comparator<String> largestFirst = Comparator.comparing(countOf::get, Comparator.reverseOrder());
    List<String> expected =
        texts.stream()
            .filter(text -> countOf.get(text) >= 3)
            .sorted(largestFirst.thenComparing(Comparator.naturalOrder()))
            .toList();
    int[] byCount = CodeSort.byCount(dictionary, counts, 3);
    assertThat(IntStream.of(byCount).mapToObj(texts::get).toList()).isEqualTo(expected);
  }

  @Test
  void nothingIsLeftOnceItIsClosed() throws IOException {
    Dictionary dictionary = new Dictionary(store);
    strings(1_000, 5).forEach(dictionary::add);
    try (Stream<Path> names = Files.list(folder)) {
      assertThat(names).as("names, which would outlive a crash").isEmpty();
    }
    assumeTrue(Files.isDirectory(Path.of("/proc/self/fd")), "needs /proc");
    assertThat(held()).isNotEmpty();
    store.close();
    assertThat(held()).isEmpty();
    store.close();
  }

  /** Files of the folder that this process has open or mapped. */
  private List<String> held() throws IOException {
    List<String> held = new ArrayList<>();
    try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
      open.map(ColumnStoreTest::target).forEach(held::add);
    }
    held.addAll(Files.readAllLines(Path.of("/proc/self/maps")));
    return held.stream().filter(line -> line.contains(folder.toString())).toList();
  }

  private static String target(Path link) {
    try {
      return Files.readSymbolicLink(link).toString();
    } catch (NoSuchFileException e) {
      return ""; // The listing's own, which is closed by now.
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void aFullDiskIsOneLine() throws IOException {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full), "needs /dev/full");
    FileChannel file = FileChannel.open(full, StandardOpenOption.READ, StandardOpenOption.WRITE);
    try (Column column = new Column(store, file)) {
      assertThatThrownBy(() -> column.reserve(1, Long.BYTES))
          .isInstanceOf(UserError.class)
          .hasMessageStartingWith(folder + ": cannot keep the columns of the log there: No space")
          .hasMessageContaining("-Djava.io.tmpdir=FOLDER")
          .message()
          .doesNotContain("\n");
    }
  }

  @Test
  void aMissingFolderIsOneLine() {
    Path missing = folder.resolve("missing");
    assertThatThrownBy(() -> ColumnStore.inFiles(missing).column())
        .isInstanceOf(UserError.class)
        .hasMessageStartingWith(missing + ": cannot keep the columns of the log there: ");
  }
}
