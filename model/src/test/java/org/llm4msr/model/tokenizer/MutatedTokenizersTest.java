package org.llm4msr.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.llm4msr.model.ScratchFolder;
import org.llm4msr.model.tokenizer.SentencePieceModel.Piece;
import org.llm4msr.model.tokenizer.SentencePieceModel.Type;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;

/**
 * However a tokenizer's file is broken, opening it ends in a {@link UserError} or a tokenizer that
 * takes any text: the native libraries never see what would make them end the process.
 */
class MutatedTokenizersTest {
  private static final String JSON =
      """
      {"version":"1.0","truncation":null,"padding":null,
       "added_tokens":[{"id":7,"content":"<end>","single_word":false,"lstrip":false,
                        "rstrip":false,"normalized":false,"special":true}],
       "normalizer":{"type":"NFC"},
       "pre_tokenizer":{"type":"Sequence","pretokenizers":[
         {"type":"Split","pattern":{"Regex":"\\\\s+|\\\\p{L}+"},"behavior":"Isolated","invert":false},
         {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false}]},
       "post_processor":{"type":"TemplateProcessing",
         "single":[{"SpecialToken":{"id":"<end>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
         "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
         "special_tokens":{"<end>":{"id":"<end>","ids":[7],"tokens":["<end>"]}}},
       "decoder":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,
                  "use_regex":false},
       "model":{"type":"BPE","dropout":null,"unk_token":"u","fuse_unk":false,"byte_fallback":false,
         "vocab":{"a":0,"b":1,"ab":2,"c":3,"u":4,"\\u0120":5,"abc":6,"<end>":7},
         "merges":["a b","ab c"]}}\
      """;
  private static final String[] FRAGMENTS = {
    "0",
    "-1",
    "1e999",
    "99999999999",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "{}",
    "[]",
    "\"a\"",
    "\"Unigram\"",
    "\"WordPiece\"",
    "\"WordLevel\"",
    "\"Metaspace\"",
    "\"(\"",
    "\"\\ud800\"",
    " "
  };
  private static final String TEXT = "ab abc \u00e9\u0301 \ud83d\udd25<end> \u0000";

  private static Path folder;

  @BeforeContainer
  static void createFolder() throws IOException {
    folder = ScratchFolder.create();
  }

  @AfterContainer
  static void deleteFolder() throws IOException {
    ScratchFolder.delete(folder);
  }

  private static SentencePieceModel pieces() {
    List<Piece> pieces = new ArrayList<>();
    pieces.add(new Piece("<unk>", 0, Type.UNKNOWN));
    pieces.add(new Piece("<s>", 0, Type.CONTROL));
    pieces.add(new Piece("</s>", 0, Type.CONTROL));
    String[] texts = {"\u2581", "a", "b", "ab", "\u2581ab", "<end>"};
    for (String text : texts) {
      pieces.add(
          new Piece(text, -pieces.size(), text.length() > 3 ? Type.USER_DEFINED : Type.NORMAL));
    }
    return new SentencePieceModel(
        "test", SentencePieceModel.Algorithm.BPE, pieces, true, false, 1, 2);
  }

  private static final byte[] MODEL = pieces().serialise();

  @Example
  void theFilesThemselvesOpen() throws IOException {
    Files.deleteIfExists(folder.resolve("tokenizer.json"));
    Files.write(folder.resolve("tokenizer.model"), MODEL);
    try (Tokenizer tokenizer = Tokenizers.open(folder)) {
      assertThat(tokenizer.encode("ab b")).containsExactly(1, 7, 3, 5);
    }
    Files.writeString(folder.resolve("tokenizer.json"), JSON);
    try (Tokenizer tokenizer = Tokenizers.open(folder)) {
      assertThat(tokenizer.encode("abc ab")).containsExactly(7, 6, 5, 2);
    }
  }

  @Property(tries = 700)
  void sentencePieceModels(@ForAll long seed) throws IOException {
    Random random = new Random(seed);
    byte[] bytes = MODEL.clone();
    for (int i = random.nextInt(4); i >= 0; i--) {
      bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
    }
    if (random.nextInt(4) == 0) {
      bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
    }
    Files.deleteIfExists(folder.resolve("tokenizer.json"));
    Files.write(folder.resolve("tokenizer.model"), bytes);
    opensOrRefuses();
  }

  @Property(tries = 700)
  void tokenizerJsons(@ForAll long seed) throws IOException {
    Random random = new Random(seed);
    StringBuilder json = new StringBuilder(JSON);
    for (int i = random.nextInt(2); i >= 0; i--) {
      int from = random.nextInt(json.length());
      int to = Math.min(json.length(), from + random.nextInt(12));
      json.replace(from, to, FRAGMENTS[random.nextInt(FRAGMENTS.length)]);
    }
    Files.write(folder.resolve("tokenizer.json"), json.toString().getBytes(StandardCharsets.UTF_8));
    opensOrRefuses();
  }

  @Property(tries = 200)
  void tokenizerConfigs(@ForAll long seed) throws IOException {
    Random random = new Random(seed);
    StringBuilder json =
        new StringBuilder(
            """
            {"tokenizer_class":"LlamaTokenizer","add_bos_token":true,"add_eos_token":false,
             "bos_token":{"content":"<end>"},"eos_token":"<end>","chat_template":"[INST]"}\
            """);
    int from = random.nextInt(json.length());
    int to = Math.min(json.length(), from + random.nextInt(12));
    json.replace(from, to, FRAGMENTS[random.nextInt(FRAGMENTS.length)]);
    Files.writeString(folder.resolve("tokenizer.json"), JSON);
    Files.writeString(folder.resolve("tokenizer_config.json"), json);
    opensOrRefuses();
    Files.delete(folder.resolve("tokenizer_config.json"));
  }

  private static void opensOrRefuses() {
    int openBefore = AllocationTracker.open().size();
    try (Tokenizer tokenizer = Tokenizers.open(folder)) {
      tokenizer.decode(tokenizer.encode(TEXT));
      tokenizer.encodeRendered(TEXT);
    } catch (UserError e) {
      assertThat(e.getMessage()).doesNotContain("\n");
    }
    assertThat(AllocationTracker.open()).hasSize(openBefore);
  }
}
