package org.llm4msr.app.serve;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import io.swagger.v3.parser.OpenAPIV3Parser;
import io.swagger.v3.parser.core.models.SwaggerParseResult;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class OpenApiTest {
  @Test
  void isValid() {
    String text = new String(StaticPages.OPENAPI, StandardCharsets.UTF_8);
    SwaggerParseResult result = new OpenAPIV3Parser().readContents(text);
    assertThat(result.getMessages()).isEmpty();
    assertThat(result.getOpenAPI().getOpenapi()).isEqualTo("3.1.0");
    assertThat(result.getOpenAPI().getPaths()).hasSize(Route.values().length);
    // The parser lets wrong schemas pass.
    SchemaRegistry registry = SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12);
    JsonNode meta =
        JsonMapper.shared()
            .readTree("{\"$ref\": \"https://json-schema.org/draft/2020-12/schema\"}");
    for (JsonNode schema : ApiDescription.document().at("/components/schemas")) {
      assertThat(registry.getSchema(meta).validate(schema)).as(schema.toString()).isEmpty();
    }
  }

  @Test
  void describesEveryRouteAndNoOther() {
    List<String> described = new ArrayList<>();
    for (Map.Entry<String, JsonNode> path : ApiDescription.document().get("paths").properties()) {
      for (String method : path.getValue().propertyNames()) {
        described.add(method + " " + path.getKey());
      }
    }
    List<String> answered = new ArrayList<>();
    for (Route route : Route.values()) {
      answered.add((route.method + " " + route.path).toLowerCase(Locale.ROOT));
      JsonNode operation =
          ApiDescription.document()
              .at("/paths")
              .get(route.path)
              .get(route.method.toLowerCase(Locale.ROOT));
      assertThat(operation.has("security")).as(route.path).isEqualTo(route.open);
      assertThat(operation.path("responses").has("401")).as(route.path).isEqualTo(!route.open);
    }
    assertThat(described).containsExactlyInAnyOrderElementsOf(answered);
  }

  @Test
  void everyReferenceLeadsSomewhere() {
    List<JsonNode> references = ApiDescription.document().findValues("$ref");
    assertThat(references).hasSizeGreaterThan(30);
    for (JsonNode reference : references) {
      JsonNode target = ApiDescription.document().at(reference.stringValue().substring(1));
      assertThat(target.isObject()).as(reference.stringValue()).isTrue();
    }
  }

  @Test
  void requestsAreWhatTheServiceReads() {
    JsonNode schema = ApiDescription.document().at("/components/schemas/Request");
    Map<String, Boolean> requests =
        Map.of(
            "{\"user\": null, \"scenario\": \"web\", \"items\": []}",
            true,
            "{\"user\": 7, \"scenario\": \"web\", \"items\": [1, \"b\"], \"logits\": [0.5, 1]}",
            true,
            "{\"user\": 7, \"scenario\": \"web\", \"items\": [],"
                + " \"context\": {\"hour\": null, \"price\": 1.5, \"words\": [\"a\", 2]}}",
            true,
            "{\"user\": 7, \"scenario\": \"web\", \"items\": [], \"context\": {\"words\": [[]]}}",
            false,
            "{\"user\": 7, \"scenario\": \"web\", \"items\": [], \"top\": 1}",
            true,
            "{\"user\": 7, \"scenario\": \"web\", \"items\": [], \"top\": 0}",
            false,
            "{\"user\": 1.5, \"scenario\": \"web\", \"items\": []}",
            false,
            "{\"scenario\": \"web\", \"items\": []}",
            false,
            "{\"user\": 1, \"scenario\": \"web\", \"items\": [true]}",
            false,
            "{\"user\": 1, \"scenario\": \"web\", \"items\": [], \"more\": 1}",
            false);
    requests.forEach((text, good) -> {
      boolean read = true;
      try {
        MessageForm.JSON.read(text.getBytes(StandardCharsets.UTF_8), "request", 10);
      } catch (UserError e) {
        read = false;
      }
      assertThat(read).as(text).isEqualTo(good);
      JsonNode node = JsonMapper.shared().readTree(text);
      assertThat(ApiDescription.schema(schema).validate(node).isEmpty()).as(text).isEqualTo(good);
    });
  }
}
