package org.llm4msr.model.prompt;

import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Split;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What prompts were made from. It travels with them, as {@value #KEY} of each line of their file
 * and in the metadata of the vectors, so that vectors of other training rows can be told.
 *
 * @param data name of the data set, for messages
 * @param rows how many training rows
 * @param checksum of these rows, {@link Dataset#trainingRowsChecksum}
 * @param folds that users' further prompts leave out
 * @param cut shares of the training rows that were kept, by scenario; those of others all were
 */
public record PromptSource(
    String data, long rows, String checksum, Folds folds, Map<String, Double> cut) {
  /** Its name beside a prompt and in a knowledge file's metadata. */
  public static final String KEY = "made_from";

  private static final String DATA = "data";
  private static final String ROWS = "training_rows";
  private static final String CHECKSUM = "checksum";
  private static final String FOLDS = "folds";
  private static final String CUT = "cut";

  public PromptSource {
    cut = Collections.unmodifiableMap(new TreeMap<>(cut));
  }

  /** What prompts of a data set are made from. */
  public static PromptSource of(Dataset dataset, Folds folds, Map<String, Double> cut) {
    return new PromptSource(
        dataset.name(), dataset.count(Split.TRAIN), dataset.trainingRowsChecksum(), folds, cut);
  }

  /**
   * Reads what {@link #toJson} wrote; unknown fields are passed over.
   *
   * @throws UserError if a field is missing or of another kind; the message begins with {@value
   *     #KEY}
   */
  public static PromptSource of(JsonNode json) {
    String data = field(json, DATA, "a string", JsonNode::isString).stringValue();
    String checksum = field(json, CHECKSUM, "a string", JsonNode::isString).stringValue();
    JsonNode rows = field(json, ROWS, "a whole number", JsonNode::canConvertToLong);
    JsonNode folds =
        field(
            json,
            FOLDS,
            "0 or a number above 1",
            n -> n.canConvertToInt() && n.intValue() >= 0 && n.intValue() != 1);
    Map<String, Double> cut = new TreeMap<>();
    if (json.has(CUT)) {
      field(
              json,
              CUT,
              "shares",
              n -> n.isObject() && n.values().stream().allMatch(JsonNode::isNumber))
          .properties()
          .forEach(share -> cut.put(share.getKey(), share.getValue().doubleValue()));
    }
    return new PromptSource(data, rows.longValue(), checksum, new Folds(folds.intValue()), cut);
  }

  private static JsonNode field(
      JsonNode json, String name, String expected, Predicate<JsonNode> fits) {
    JsonNode value = json.get(name);
    if (value == null || !fits.test(value)) {
      throw new UserError(
          "%s.%s is %s, expected %s as 'llm4msr prompts' writes; make the prompts again"
              .formatted(KEY, name, value == null ? "missing" : value, expected));
    }
    return value;
  }

  /** {@code {"data": …, "training_rows": …, "checksum": …, "folds": …}}, and any {@code cut}. */
  public ObjectNode toJson() {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put(DATA, data).put(ROWS, rows).put(CHECKSUM, checksum).put(FOLDS, folds.count());
    if (!cut.isEmpty()) {
      cut.forEach(json.putObject(CUT)::put);
    }
    return json;
  }

  /** Whether these are the rows that a data set trains on, whatever it is called. */
  public boolean isOf(Dataset dataset) {
    return rows == dataset.count(Split.TRAIN) && checksum.equals(dataset.trainingRowsChecksum());
  }
}
