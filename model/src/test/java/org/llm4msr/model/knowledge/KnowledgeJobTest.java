package org.llm4msr.model.knowledge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.model.TestFiles;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.model.checkpoint.SafetensorsWriter;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.Pooling;
import org.llm4msr.model.knowledge.KnowledgeJob.Plan;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;

class KnowledgeJobTest {
  private static final EncoderOptions OPTIONS =
      EncoderOptions.defaults().withBackend("reference").withMaxTokensPerBatch(24);

  @TempDir Path folder;

  private int openBefore;
  private Path target;
  private FrozenEncoder encoder;

  @BeforeEach
  void open() {
    openBefore = AllocationTracker.open().size();
    target = folder.resolve("k.safetensors");
    encoder = FrozenEncoder.load(TestFiles.resource("golden/transformers/llama"), OPTIONS);
  }

  @AfterEach
  void close() {
    encoder.close();
    assertThat(AllocationTracker.open()).hasSize(openBefore);
  }

  /** Remembers what it hears; stops before the batch of this number. */
  private static final class Recorder implements KnowledgeJob.Listener {
    private final int stopBefore;
    private Plan plan;
    private int batches;
    private long prompts;
    private long tokens;

    Recorder(int stopBefore) {
      this.stopBefore = stopBefore;
    }

    @Override
    public void started(Plan started) {
      plan = started;
    }

    @Override
    public void progress(long donePrompts, long doneTokens, long computed) {
      batches++;
      prompts = donePrompts;
      tokens = doneTokens;
    }

    @Override
    public boolean stopRequested() {
      return batches >= stopBefore;
    }
  }

  private static List<String> ids(int count) {
    return IntStream.range(0, count).mapToObj(i -> "user:\"ü" + i).toList();
  }

  private static List<int[]> prompts(int count, long seed) {
    Random random = new Random(seed);
    List<int[]> prompts = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      prompts.add(random.ints(1 + random.nextInt(12), 0, 384).toArray());
    }
    return prompts;
  }

  private Recorder run(FrozenEncoder with, List<String> ids, List<int[]> prompts, int stopBefore) {
    Recorder recorder = new Recorder(stopBefore);
    new KnowledgeJob(with, ids, prompts, target, false).run(recorder);
    return recorder;
  }

  private Recorder run(List<String> ids, List<int[]> prompts) {
    return run(encoder, ids, prompts, Integer.MAX_VALUE);
  }

  @Test
  void writesOneVectorPerPromptInInputOrder() {
    List<int[]> prompts = prompts(20, 1);
    prompts.set(13, prompts.get(4));
    Recorder heard = run(ids(20), prompts);
    assertThat(heard.plan.prompts()).isEqualTo(19);
    assertThat(heard.prompts).isEqualTo(19);
    assertThat(heard.tokens).isEqualTo(heard.plan.tokens());
    float[][] expected = encoder.encodeTokens(prompts);
    try (KnowledgeFile file = KnowledgeFile.open(target)) {
      assertThat(file.ids()).isEqualTo(ids(20));
      assertThat(file.width()).isEqualTo(64);
      assertThat(file.model()).isEqualTo(encoder.checksum());
      assertThat(file.pool()).isEqualTo("last_prompt");
      float[] vector = new float[64];
      for (int i = 0; i < 20; i++) {
        assertThat(file.row(ids(20).get(i))).hasValue(i);
        assertThat(file.read(ids(20).get(i), vector)).isTrue();
        // The batches differ, so that only rounding may.
        assertThat(vector).containsExactly(expected[i], within(1e-5f));
      }
      assertThat(file.read("nobody", vector)).isFalse();
      assertThat(file.row("nobody")).isEmpty();
    }
    // Any reader of safetensors can use the file.
    try (Safetensors file = Safetensors.open(target)) {
      assertThat(file.tensor("hidden").shape()).isEqualTo(Shape.of(20, 64));
      assertThat(file.metadata().get("ids")).startsWith("[\"user:\\\"ü0\",");
    }
    assertThat(folder.toFile().list()).containsExactly("k.safetensors");
  }

  @Test
  void aStoppedJobGoesOnWhereItStoppedAndEndsWithTheSameBits() throws IOException {
    List<int[]> prompts = prompts(40, 2);
    Recorder undisturbed = run(ids(40), prompts);
    byte[] expected = Files.readAllBytes(target);
    Files.delete(target);

    Recorder first = run(encoder, ids(40), prompts, 3);
    assertThat(target).doesNotExist();
    assertThat(PartialFile.beside(target)).exists();
    Recorder second = run(ids(40), prompts);
    assertThat(second.plan.resumed()).isEqualTo(first.prompts).isPositive();
    assertThat(second.batches).isEqualTo(undisturbed.batches - 3);
    assertThat(Files.readAllBytes(target)).isEqualTo(expected);
    assertThat(PartialFile.beside(target)).doesNotExist();
  }

  @ParameterizedTest
  @CsvSource({"1", "30", "277", "500"})
  void aTornTailIsDroppedAndEncodedAgain(int tornBytes) throws IOException {
    List<int[]> prompts = prompts(40, 3);
    run(ids(40), prompts);
    byte[] expected = Files.readAllBytes(target);
    Files.delete(target);

    run(encoder, ids(40), prompts, 4);
    try (RandomAccessFile partial =
        new RandomAccessFile(PartialFile.beside(target).toFile(), "rw")) {
      partial.setLength(partial.length() - tornBytes);
      partial.seek(partial.length());
      partial.write(new byte[3]);
    }
    run(ids(40), prompts);
    assertThat(Files.readAllBytes(target)).isEqualTo(expected);
  }

  @Test
  void aDamagedRecordEndsWhatIsBelieved() throws IOException {
    List<int[]> prompts = prompts(40, 4);
    run(ids(40), prompts);
    byte[] expected = Files.readAllBytes(target);
    Files.delete(target);
    run(encoder, ids(40), prompts, 4);
    Path partial = PartialFile.beside(target);
    byte[] bytes = Files.readAllBytes(partial);
    bytes[bytes.length / 2] ^= 4;
    Files.write(partial, bytes);
    run(ids(40), prompts);
    assertThat(Files.readAllBytes(target)).isEqualTo(expected);
  }

  @Test
  void unchangedPromptsAreNotEncodedAgain() {
    List<int[]> prompts = prompts(30, 5);
    run(ids(30), prompts);
    float[] before = new float[64];
    try (KnowledgeFile file = KnowledgeFile.open(target)) {
      file.read(ids(30).get(7), before);
    }
    List<int[]> changed = new ArrayList<>(prompts.reversed());
    changed.set(0, new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14});
    Recorder heard = run(ids(30), changed);
    assertThat(heard.plan.reused()).isEqualTo(29);
    assertThat(heard.plan.prompts()).isEqualTo(1);
    float[] after = new float[64];
    try (KnowledgeFile file = KnowledgeFile.open(target)) {
      file.read(ids(30).get(22), after);
    }
    assertThat(after).containsExactly(before);

    Recorder again = run(ids(30), changed);
    assertThat(again.plan.reused()).isEqualTo(30);
    assertThat(again.batches).isZero();

    Recorder forced = new Recorder(Integer.MAX_VALUE);
    new KnowledgeJob(encoder, ids(30), changed, target, true).run(forced);
    assertThat(forced.plan.reused()).isZero();
    assertThat(forced.plan.prompts()).isEqualTo(30);
  }

  @Test
  void anotherModelOrPoolingIsEncodedAnew() {
    List<int[]> prompts = prompts(10, 6);
    run(ids(10), prompts);
    try (FrozenEncoder mean =
            FrozenEncoder.load(
                TestFiles.resource("golden/transformers/llama"),
                OPTIONS.withPooling(Pooling.MEAN_PROMPT));
        FrozenEncoder other =
            FrozenEncoder.load(TestFiles.resource("golden/transformers/qwen2"), OPTIONS)) {
      assertThat(run(mean, ids(10), prompts, 99).plan.prompts()).isEqualTo(10);
      assertThat(run(other, ids(10), prompts, 99).plan.prompts()).isEqualTo(10);
      // Unfinished work of the other model is not thrown away without being told to.
      List<int[]> more = prompts(20, 7);
      run(other, ids(20), more, 1);
      assertThatThrownBy(() -> run(ids(20), more))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("k.safetensors.partial: holds unfinished work of another model");
      new KnowledgeJob(encoder, ids(20), more, target, true).run(new Recorder(99));
    }
    try (KnowledgeFile file = KnowledgeFile.open(target)) {
      assertThat(file.model()).isEqualTo(encoder.checksum());
    }
  }

  @Test
  void doesNotReplaceWhatIsNoKnowledge() throws IOException {
    Files.copy(TestFiles.resource("golden/transformers/llama/model.safetensors"), target);
    byte[] before = Files.readAllBytes(target);
    assertThatThrownBy(() -> run(ids(3), prompts(3, 8)))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("exists and is no knowledge file");
    assertThat(Files.readAllBytes(target)).isEqualTo(before);
    assertThat(PartialFile.beside(target)).doesNotExist();
  }

  @Test
  void twoJobsDoNotWriteTheSameFile() {
    try (PartialFile locked =
        PartialFile.open(
            PartialFile.beside(target), encoder.checksum(), "last_prompt", 64, false)) {
      assertThat(locked.size()).isZero();
      assertThatThrownBy(() -> run(ids(3), prompts(3, 9)))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("another job is writing this file");
    }
  }

  @Test
  void cleansUpWhatAKilledJobLeftAndNothingElse() throws IOException {
    Files.writeString(folder.resolve(".k.safetensors.4711.tmp"), "half");
    Files.writeString(folder.resolve(".other.safetensors.4711.tmp"), "not ours");
    run(ids(3), prompts(3, 10));
    assertThat(folder.toFile().list())
        .containsExactlyInAnyOrder("k.safetensors", ".other.safetensors.4711.tmp");
  }

  @Test
  void leavesNoPartialFileWhenNothingIsFinished() {
    run(encoder, ids(3), prompts(3, 11), 0);
    assertThat(folder.toFile().list()).isEmpty();
    assertThatThrownBy(() ->
            new KnowledgeJob(encoder, ids(2), prompts(2, 1), folder.resolve("no/k"), false)
                .run(new Recorder(9)))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("no such file or folder");
  }

  @Test
  void refusesIdsThatAreNotDistinct() {
    assertThatThrownBy(
            () -> new KnowledgeJob(encoder, List.of("a", "a"), prompts(2, 1), target, false))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void hashesTokensAsDocumented() {
    // sha256 of 01000000 ff010000, by sha256sum.
    PromptHash hash = PromptHash.of(new int[] {1, 511});
    byte[] bytes = new byte[16];
    hash.write(MemorySegment.ofArray(bytes), 0);
    assertThat(HexFormat.of().formatHex(bytes)).isEqualTo("bbcf526345495e315595b15d6d655905");
    assertThat(PromptHash.read(MemorySegment.ofArray(bytes), 0)).isEqualTo(hash);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\u0001',
      textBlock =
          """
          ["a"]         | 1 ids for 2 vectors
          ["a","a"]     | the id 'a' occurs twice
          ["a",1]       | something else than strings
          {"a":1}       | no JSON array
          ["a","b"] []  | go on after
          ["a","b"      | not valid JSON
          """)
  void refusesFilesWithoutSoundIds(String ids, String message) {
    write(Map.of("ids", ids), DType.F32, Shape.of(2, 3));
    assertOpenFails(message);
  }

  @Test
  void refusesFilesOfAnotherForm() {
    write(Map.of(), DType.F32, Shape.of(2, 3));
    assertOpenFails("no ids");
    write(Map.of("ids", "[]"), DType.F32, Shape.of(6));
    assertOpenFails("expected F32 [n, width]");
    write(Map.of("ids", "[\"a\"]"), DType.I32, Shape.of(1, 3));
    assertOpenFails("expected F32 [n, width]");
    write(Map.of("ids", "[\"a\",\"b\"]"), DType.F32, Shape.of(2, 0));
    assertOpenFails("expected F32 [n, width]");
  }

  @Test
  void readsFilesWithoutHashes() {
    write(Map.of("ids", "[\"a\",\"b\"]"), DType.F32, Shape.of(2, 3));
    try (KnowledgeFile file = KnowledgeFile.open(target)) {
      assertThat(file.promptHashes()).isEmpty();
      assertThat(file.model()).isNull();
      assertThat(file.vector(1).get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0)).isZero();
    }
  }

  private void write(Map<String, String> metadata, DType dtype, Shape shape) {
    List<SafetensorsWriter.Declaration> tensors =
        List.of(new SafetensorsWriter.Declaration("hidden", dtype, shape));
    try (SafetensorsWriter writer = SafetensorsWriter.create(target, tensors, metadata)) {
      writer.write(MemorySegment.ofArray(new byte[(int) (shape.elements() * 4)]));
      writer.commit();
    }
  }

  private void assertOpenFails(String message) {
    assertThatThrownBy(() -> KnowledgeFile.open(target))
        .isInstanceOf(UserError.class)
        .hasMessageStartingWith(target.toString())
        .hasMessageContaining(message);
  }

  private KnowledgeJob.Result since(Path old, List<String> ids, List<int[]> prompts) {
    return new KnowledgeJob(encoder, ids, prompts, null, target, old, false)
        .run(new Recorder(Integer.MAX_VALUE));
  }

  @Test
  void onlyWhatChangedSinceAnEarlierFileIsEncoded() throws IOException {
    List<String> ids = ids(12);
    run(ids, prompts(12, 1));
    Path old = Files.move(target, folder.resolve("old.safetensors"));
    List<String> laterIds = new ArrayList<>(ids.subList(2, 12));
    laterIds.add("new");
    laterIds.add("moved");
    List<int[]> later = new ArrayList<>(prompts(12, 1).subList(2, 12));
    later.set(3, new int[] {7, 7, 7});
    later.add(new int[] {9, 9});
    // The prompt of one who is gone.
    later.add(prompts(12, 1).get(0));
    KnowledgeJob.Result result = since(old, laterIds, later);
    assertThat(result.changes()).isEqualTo(new KnowledgeJob.Changes(2, 1, 9, 2));
    assertThat(result.plan().prompts()).isEqualTo(2);
    assertThat(result.plan().reused()).isEqualTo(10);
    try (KnowledgeFile before = KnowledgeFile.open(old);
        KnowledgeFile after = KnowledgeFile.open(target)) {
      assertThat(after.ids()).isEqualTo(laterIds);
      for (int i = 0; i < 12; i++) {
        float[] vector = after.vector(i).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        int row = i == 11 ? 0 : i + 2;
        if (i == 3 || i == 10) {
          assertThat(vector)
              .containsExactly(encoder.encodeTokens(List.of(later.get(i)))[0], within(1e-5f));
        } else {
          assertThat(vector)
              .containsExactly(before.vector(row).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
        }
      }
    }
  }

  @Test
  void anEarlierFileOfAnotherKindIsRefused() throws IOException {
    List<String> ids = ids(3);
    run(ids, prompts(3, 1));
    Path old = Files.move(target, folder.resolve("old.safetensors"));
    try (FrozenEncoder other =
        FrozenEncoder.load(
            TestFiles.resource("golden/transformers/llama"),
            OPTIONS.withPooling(Pooling.MEAN_PROMPT))) {
      KnowledgeJob job = new KnowledgeJob(other, ids, prompts(3, 1), null, target, old, false);
      assertThatThrownBy(() -> job.run(new Recorder(Integer.MAX_VALUE)))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("old.safetensors: its vectors are pooled as last_prompt");
    }
    try (FrozenEncoder other =
        FrozenEncoder.load(TestFiles.resource("golden/transformers/qwen2"), OPTIONS)) {
      KnowledgeJob job = new KnowledgeJob(other, ids, prompts(3, 1), null, target, old, false);
      assertThatThrownBy(() -> job.run(new Recorder(Integer.MAX_VALUE)))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("old.safetensors: its vectors are of another model");
    }
    assertThat(target).doesNotExist();
  }
}
