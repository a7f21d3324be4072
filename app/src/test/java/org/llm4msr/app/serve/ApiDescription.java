package org.llm4msr.app.serve;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.util.Locale;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Holds what a service answers against its description. */
public final class ApiDescription {
  private static final JsonNode DOCUMENT = JsonMapper.shared().readTree(StaticPages.OPENAPI);
  private static final SchemaRegistry SCHEMAS =
      SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12);

  private ApiDescription() {}

  static JsonNode document() {
    return DOCUMENT;
  }

  /** What a pointer within the document leads to, through references. */
  static JsonNode resolve(JsonNode node) {
    JsonNode reference = node.path("$ref");
    return reference.isString() ? resolve(DOCUMENT.at(reference.stringValue().substring(1))) : node;
  }

  /**
   * Demands that an answer is described, its body's shape included if it is JSON. Paths and methods
   * that the service does not have may be refused as they like.
   *
   * @param contentType null if only the status is known
   */
  public static void check(
      String method, String path, int status, String contentType, String body) {
    JsonNode operation = DOCUMENT.path("paths").path(path).path(method.toLowerCase(Locale.ROOT));
    if (operation.isMissingNode()) {
      assertThat(status).as(method + " " + path).isIn(400, 401, 404, 405);
      return;
    }
    JsonNode response = resolve(operation.path("responses").path(Integer.toString(status)));
    assertThat(response.isObject()).as("%s %s answers %d", method, path, status).isTrue();
    if (contentType == null) {
      return;
    }
    String type = contentType.split(";", 2)[0];
    JsonNode content = response.path("content").path(type);
    assertThat(content.isObject()).as("%s %s answers %s", method, path, type).isTrue();
    if (type.equals("application/json")) {
      assertThat(schema(content.get("schema")).validate(JsonMapper.shared().readTree(body)))
          .as(body)
          .isEmpty();
    }
  }

  /** A schema of the document; its references lead to the document's components. */
  static Schema schema(JsonNode node) {
    ObjectNode root = node.deepCopy().asObject();
    root.set("components", DOCUMENT.get("components"));
    return SCHEMAS.getSchema(root);
  }
}
