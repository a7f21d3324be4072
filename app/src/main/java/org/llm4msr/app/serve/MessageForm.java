package org.llm4msr.app.serve;

import java.util.Locale;
import org.llm4msr.app.serve.RequestScorer.Scores;
import org.llm4msr.runtime.UserError;

/** How a request is written and, likewise, its answer. */
interface MessageForm {
  MessageForm JSON = new JsonForm();
  MessageForm BINARY = new BinaryForm();

  /** Its media type. */
  String type();

  /**
   * Reads a request.
   *
   * @param where begins the message of an error
   * @param mostItems more are refused
   * @throws UserError that names the field and what was expected
   */
  ScoringRequest read(byte[] body, String where, int mostItems);

  /**
   * Probabilities in the order of the request's items.
   *
   * @param generation of the snapshot
   */
  byte[] scored(Scores scores, int generation);

  /**
   * Items, the most probable first.
   *
   * @param generation of the snapshot
   */
  byte[] ranked(Scores scores, ScoringRequest request, int generation);

  /**
   * The form that a header names, whatever its parameters.
   *
   * @param contentType null if it is missing
   * @return null if there is no such form
   */
  static MessageForm of(String contentType) {
    if (contentType == null) {
      return null;
    }
    String type = contentType.split(";", 2)[0].strip().toLowerCase(Locale.ROOT);
    if (type.equals(JSON.type())) {
      return JSON;
    }
    return type.equals(BINARY.type()) ? BINARY : null;
  }
}
