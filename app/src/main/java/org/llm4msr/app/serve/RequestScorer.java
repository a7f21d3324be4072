package org.llm4msr.app.serve;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.scorer.Scorer;
import org.llm4msr.model.scorer.Snapshot;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.HostBuffer;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Scores requests that speak of users, items and scenarios by name. For one thread at a time. */
public final class RequestScorer implements AutoCloseable {
  private static final int FIRST_ITEMS = 256;

  private final Snapshot snapshot;
  private final List<String> contextFields;
  private final Scorer scorer;
  private HostBuffer items;
  private HostBuffer logits;
  private HostBuffer probabilities;

  /**
   * What a request was answered.
   *
   * @param probabilities in the order of the request's items
   */
  public record Scores(float[] probabilities, boolean unknownUser, int unknownItems) {
    /** {@code {"probabilities": [...]}}. */
    public ObjectNode toJson() {
      ObjectNode answer = JsonNodeFactory.instance.objectNode();
      ArrayNode array = answer.putArray("probabilities");
      for (float probability : probabilities) {
        array.add(probability);
      }
      return answer;
    }

    /**
     * {@code {"items": [{"item": key, "probability": p}, ...]}}, the most probable first; among
     * equals the earlier one.
     *
     * @param top how many at most
     */
    public ObjectNode toRankedJson(ScoringRequest request, int top) {
      ObjectNode answer = JsonNodeFactory.instance.objectNode();
      ArrayNode array = answer.putArray("items");
      for (int position : ranked(top)) {
        array
            .addObject()
            .put("item", request.items().get(position))
            .put("probability", probabilities[position]);
      }
      return answer;
    }

    /**
     * Positions of the items, the most probable first; among equals the earlier one.
     *
     * @param top how many at most
     */
    public int[] ranked(int top) {
      return IntStream.range(0, probabilities.length)
          .boxed()
          .sorted(Comparator.comparing(i -> -probabilities[i]))
          .limit(top)
          .mapToInt(Integer::intValue)
          .toArray();
    }
  }

  /**
   * @param rememberedUsers see {@link Snapshot#scorer(int)}
   * @throws IllegalStateException if the snapshot is closed
   */
  public RequestScorer(Snapshot snapshot, int rememberedUsers) {
    this.snapshot = snapshot;
    contextFields = snapshot.contextFields();
    scorer = snapshot.scorer(rememberedUsers);
    allocate(FIRST_ITEMS);
  }

  private void allocate(int count) {
    items = HostBuffer.allocate((long) count * Integer.BYTES, "items of requests");
    logits = HostBuffer.allocate((long) count * Float.BYTES, "logits of requests");
    probabilities = HostBuffer.allocate((long) count * Float.BYTES, "answers to requests");
  }

  private void release() {
    items.close();
    logits.close();
    probabilities.close();
  }

  /**
   * Scores the items of a request. Users and items that the snapshot does not know are scored as
   * {@link Snapshot} says; so are context values, and context fields that the request leaves out.
   *
   * @param where begins the message of an error
   * @throws UserError if the snapshot has no such scenario or context field, or wants logits
   */
  public Scores score(ScoringRequest request, String where) {
    int scenario = snapshot.scenarios().indexOf(request.scenario());
    if (scenario < 0) {
      throw new UserError(
          where
              + ": scenario: no scenario '"
              + FileErrors.printable(request.scenario())
              + "'; there are "
              + String.join(", ", snapshot.scenarios()));
    }
    if (snapshot.needsLogits() && request.logits() == null) {
      throw new UserError(
          where
              + ": logits: missing; this model reads an existing recommender's logit of each item");
    }
    setContext(request.context(), where);
    int n = request.items().size();
    if (items.byteSize() < (long) n * Integer.BYTES) {
      release();
      allocate(n);
    }
    int unknownItems = 0;
    for (int i = 0; i < n; i++) {
      int item = snapshot.item(request.items().get(i));
      unknownItems += item == Snapshot.UNKNOWN ? 1 : 0;
      items.segment().setAtIndex(JAVA_INT, i, item);
    }
    int user = request.user() == null ? Snapshot.UNKNOWN : snapshot.user(request.user());
    if (snapshot.needsLogits()) {
      MemorySegment.copy(request.logits(), 0, logits.segment(), JAVA_FLOAT, 0, n);
      scorer.score(scenario, user, items.segment(), n, logits.segment(), probabilities.segment());
    } else {
      scorer.score(scenario, user, items.segment(), n, probabilities.segment());
    }
    float[] result = new float[n];
    MemorySegment.copy(probabilities.segment(), JAVA_FLOAT, 0, result, 0, n);
    return new Scores(result, user == Snapshot.UNKNOWN, unknownItems);
  }

  /** All fields, so that nothing of the request before stays. */
  private void setContext(Map<String, List<String>> context, String where) {
    for (String name : context.keySet()) {
      if (!contextFields.contains(name)) {
        throw new UserError(
            where
                + ": context: no field '"
                + FileErrors.printable(name)
                + "'; "
                + (contextFields.isEmpty()
                    ? "this model reads none"
                    : "there are " + String.join(", ", contextFields)));
      }
    }
    for (int i = 0; i < contextFields.size(); i++) {
      List<String> values = context.getOrDefault(contextFields.get(i), List.of());
      String field = where + ": context." + FileErrors.printable(contextFields.get(i));
      switch (snapshot.contextKind(i)) {
        case CATEGORY -> scorer.setContext(i, single(values, field));
        case NUMBER -> scorer.setContext(i, number(single(values, field), field));
        case LIST -> scorer.setContext(i, values);
      }
    }
  }

  private static String single(List<String> values, String field) {
    if (values.size() > 1) {
      throw new UserError(field + ": expected one value, not a list of " + values.size());
    }
    return values.isEmpty() ? null : values.getFirst();
  }

  private static double number(String value, String field) {
    if (value == null) {
      return Double.NaN;
    }
    try {
      double number = Double.parseDouble(value);
      if (Double.isFinite(number)) {
        return number;
      }
    } catch (NumberFormatException _) {
      // Said below, as of what is no finite number.
    }
    throw new UserError(
        field + ": expected a finite number, not '" + FileErrors.printable(value) + "'");
  }

  @Override
  public void close() {
    scorer.close();
    release();
  }
}
