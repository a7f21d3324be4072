package org.llm4msr.app.command;

import java.io.PrintWriter;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What {@code --json} prints. */
final class Json {
  private Json() {}

  static void print(PrintWriter out, JsonNode node) {
    out.println(JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(node));
    out.flush();
  }
}
