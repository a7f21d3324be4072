package org.llm4msr.app.serve;

import java.nio.charset.StandardCharsets;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * What goes back to a client.
 *
 * @param type of the body
 */
record Reply(int status, String type, byte[] body) {
  static Reply json(int status, JsonNode node) {
    return text(status, MessageForm.JSON.type(), node.toString());
  }

  static Reply text(int status, String type, String body) {
    return new Reply(status, type, body.getBytes(StandardCharsets.UTF_8));
  }

  static Reply error(int status, String message) {
    return json(status, JsonNodeFactory.instance.objectNode().put("error", message));
  }
}
