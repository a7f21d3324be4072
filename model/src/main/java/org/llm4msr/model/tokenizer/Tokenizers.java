package org.llm4msr.model.tokenizer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.llm4msr.model.checkpoint.StrictJson;
import org.llm4msr.runtime.UserError;

/** Finds the tokenizer of a Hugging Face directory. */
public final class Tokenizers {
  private static final long MAX_CONFIG_BYTES = 10_000_000;

  /** ChatGLM 2 and 3 number these behind the model's pieces. */
  private static final List<String> CHATGLM_ADDED =
      List.of(
          "[MASK]",
          "[gMASK]",
          "[sMASK]",
          "sop",
          "eop",
          "<|system|>",
          "<|user|>",
          "<|assistant|>",
          "<|observation|>");

  private Tokenizers() {}

  /**
   * Opens {@code tokenizer.json} if it is there, else {@code tokenizer.model}.
   *
   * @throws UserError if neither is there, one is broken, or its library does not run here
   */
  public static Tokenizer open(Path directory) {
    if (Files.exists(directory.resolve("tokenizer.json"))) {
      return HfTokenizer.open(directory);
    }
    Path file = directory.resolve("tokenizer.model");
    if (!Files.exists(file)) {
      throw new UserError(
          directory
              + ": neither tokenizer.json nor tokenizer.model is there: no tokenizer for texts");
    }
    SentencePieceModel model = SentencePieceModel.read(file);
    TokenizerConfig config = TokenizerConfig.read(directory);
    if (isChatGlm(directory, config)) {
      return SentencePieceTokenizer.open(
          model, CHATGLM_ADDED, List.of("[gMASK]", "sop"), List.of());
    }
    // Llama's rule: texts begin with BOS and do not end with EOS unless the config says otherwise.
    boolean first = config.addBos() == null || config.addBos();
    boolean last = config.addEos() != null && config.addEos();
    return SentencePieceTokenizer.open(
        model, List.of(), piece(model, model.bos(), first), piece(model, model.eos(), last));
  }

  /**
   * The chat template of a model directory.
   *
   * @throws UserError if it has none, or one of unknown form
   */
  public static ChatTemplate chatTemplate(Path directory) {
    TokenizerConfig config = TokenizerConfig.read(directory);
    if (config.chatTemplate() == null && isChatGlm(directory, config)) {
      return ChatTemplate.chatGlm2();
    }
    return ChatTemplate.of(
        directory.toString(), config.chatTemplate(), config.bosToken(), config.eosToken());
  }

  private static List<String> piece(SentencePieceModel model, int id, boolean added) {
    return added && id >= 0 ? List.of(model.pieces().get(id).text()) : List.of();
  }

  private static boolean isChatGlm(Path directory, TokenizerConfig config) {
    if (config.tokenizerClass() != null) {
      return config.tokenizerClass().equals("ChatGLMTokenizer");
    }
    Path file = directory.resolve("config.json");
    return Files.exists(file)
        && StrictJson.readObject(file, MAX_CONFIG_BYTES)
            .path("model_type")
            .asString("")
            .equals("chatglm");
  }
}
