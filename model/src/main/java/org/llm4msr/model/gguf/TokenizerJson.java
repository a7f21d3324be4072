package org.llm4msr.model.gguf;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Writes a {@code tokenizer.json} for a vocabulary. */
final class TokenizerJson {
  private final String[] tokens;
  private final Map<String, Integer> ids = new HashMap<>();
  private final ObjectNode root = JsonNodeFactory.instance.objectNode();
  private final ArrayNode added;

  /**
   * @param tokens in the order of their ids
   */
  TokenizerJson(String[] tokens) {
    this.tokens = tokens;
    for (int id = 0; id < tokens.length; id++) {
      ids.putIfAbsent(tokens[id], id);
    }
    root.put("version", "1.0");
    root.putNull("truncation");
    root.putNull("padding");
    added = root.putArray("added_tokens");
  }

  /** The id of a token that must be there. */
  int id(String token, GgufMetadata metadata) {
    Integer id = ids.get(token);
    if (id == null) {
      throw metadata.error("tokenizer.ggml.tokens", "lacks " + token);
    }
    return id;
  }

  /** A token that is recognised in texts as it stands. */
  void add(int id, boolean special) {
    ObjectNode token = added.addObject();
    token.put("id", id);
    token.put("content", tokens[id]);
    token.put("single_word", false);
    token.put("lstrip", false);
    token.put("rstrip", false);
    token.put("normalized", false);
    token.put("special", special);
  }

  /**
   * Byte-level pairs.
   *
   * @param merges "left right" in the order of their rank
   */
  void bytePairs(String[] merges, PreTokenizer pre) {
    if (pre.composed()) {
      root.putObject("normalizer").put("type", "NFC");
    }
    ArrayNode steps =
        root.putObject("pre_tokenizer").put("type", "Sequence").putArray("pretokenizers");
    for (String split : pre.splits()) {
      ObjectNode step = steps.addObject().put("type", "Split");
      step.putObject("pattern").put("Regex", split);
      step.put("behavior", "Isolated").put("invert", false);
    }
    if (pre.digits()) {
      steps.addObject().put("type", "Digits").put("individual_digits", true);
    }
    byteLevel(steps.addObject(), pre.gpt2());
    byteLevel(root.putObject("decoder"), false);
    ObjectNode model = root.putObject("model").put("type", "BPE");
    model.putNull("dropout");
    model.putNull("unk_token");
    model.put("fuse_unk", false);
    model.put("byte_fallback", false);
    model.put("ignore_merges", pre.wholeTokens());
    vocabulary(model);
    ArrayNode list = model.putArray("merges");
    for (String merge : merges) {
      list.add(merge);
    }
  }

  private static void byteLevel(ObjectNode step, boolean useRegex) {
    step.put("type", "ByteLevel");
    step.put("add_prefix_space", false).put("trim_offsets", false).put("use_regex", useRegex);
  }

  /** BERT's words and pieces of words. */
  void wordPieces(int unknown, boolean lowercase) {
    ObjectNode normalizer = root.putObject("normalizer").put("type", "BertNormalizer");
    normalizer.put("clean_text", true).put("handle_chinese_chars", true);
    normalizer.putNull("strip_accents");
    normalizer.put("lowercase", lowercase);
    root.putObject("pre_tokenizer").put("type", "BertPreTokenizer");
    root.putObject("decoder").put("type", "WordPiece").put("prefix", "##").put("cleanup", true);
    ObjectNode model = root.putObject("model").put("type", "WordPiece");
    model.put("unk_token", tokens[unknown]);
    model.put("continuing_subword_prefix", "##");
    model.put("max_input_chars_per_word", 100);
    vocabulary(model);
  }

  private void vocabulary(ObjectNode model) {
    ObjectNode vocabulary = model.putObject("vocab");
    ids.forEach(vocabulary::put);
  }

  /** What stands before and behind every text. */
  void frame(List<Integer> prefix, List<Integer> suffix) {
    if (prefix.isEmpty() && suffix.isEmpty()) {
      return;
    }
    ObjectNode processor = root.putObject("post_processor").put("type", "TemplateProcessing");
    ArrayNode single = processor.putArray("single");
    ArrayNode pair = processor.putArray("pair");
    ObjectNode specials = processor.putObject("special_tokens");
    for (ArrayNode sequence : List.of(single, pair)) {
      prefix.forEach(id -> special(sequence, specials, id));
      sequence.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
      suffix.forEach(id -> special(sequence, specials, id));
    }
    pair.addObject().putObject("Sequence").put("id", "B").put("type_id", 1);
  }

  private void special(ArrayNode sequence, ObjectNode specials, int id) {
    sequence.addObject().putObject("SpecialToken").put("id", tokens[id]).put("type_id", 0);
    ObjectNode token = specials.putObject(tokens[id]).put("id", tokens[id]);
    token.putArray("ids").add(id);
    token.putArray("tokens").add(tokens[id]);
  }

  byte[] bytes() {
    return JsonMapper.shared().writeValueAsBytes(root);
  }
}
