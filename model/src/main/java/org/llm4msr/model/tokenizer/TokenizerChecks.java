package org.llm4msr.model.tokenizer;

import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.JsonNode;

/**
 * Parts of a {@code tokenizer.json} that the native library trusts: where they are wrong it would
 * end the process instead of reporting an error.
 */
final class TokenizerChecks {
  private TokenizerChecks() {}

  /**
   * @param part {@code normalizer}, {@code pre_tokenizer}, {@code post_processor} or {@code
   *     decoder}
   * @throws UserError if it is wrong, or a table that cannot be checked
   */
  static void check(String where, String part, JsonNode node) {
    String type = node.path("type").asString("");
    if (type.equals("Precompiled") || node.has("precompiled_charsmap")) {
      throw new UserError(
          where + ": " + part + " is a precompiled table of characters, which is not supported");
    }
    if (node.has("single") || node.has("special_tokens")) {
      checkTemplate(where, node);
    }
    if (node.path("Regex").isString()) {
      RegexChecks.check(where + ": " + part, node.get("Regex").stringValue());
    }
    for (JsonNode child : node) {
      if (child.isContainer()) {
        check(where, part, child);
      }
    }
  }

  /** Special tokens must be declared, and a single text is sequence A. */
  private static void checkTemplate(String where, JsonNode template) {
    JsonNode declared = template.path("special_tokens");
    for (String form : new String[] {"single", "pair"}) {
      for (JsonNode piece : template.path(form)) {
        JsonNode special = piece.path("SpecialToken").path("id");
        if (piece.has("SpecialToken")
            && !(special.isString() && declared.has(special.stringValue()))) {
          throw new UserError(
              where
                  + ": post_processor uses the special token "
                  + FileErrors.printable(special.toString())
                  + " without declaring it");
        }
        if (form.equals("single")
            && piece.has("Sequence")
            && !piece.path("Sequence").path("id").asString("").equals("A")) {
          throw new UserError(where + ": post_processor.single has a sequence other than A");
        }
        if (!piece.isObject() || piece.size() != 1) {
          throw new UserError(
              where + ": post_processor." + form + " has a piece of an unknown form");
        }
      }
    }
  }
}
