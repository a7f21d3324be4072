package org.llm4msr.model.scorer;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.training.VectorScaling;
import org.llm4msr.runtime.op.UnaryOp;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a snapshot needs to make users' records from new knowledge vectors: how vectors are scaled,
 * and the first layers on them, whose narrow results the records hold.
 */
final class KnowledgeLayers {
  private static final String NAME = "knowledge";
  private static final String SCALING = "knowledge.scaling";
  private static final String WEIGHTS = "knowledge.weights";

  /**
   * A part of the record: the scaled vector itself, or {@code act(x W + b)}.
   *
   * @param offset in the record, in floats
   * @param weights where W {@code [in, width]} and b {@code [width]} begin, in floats; -1 for the
   *     vector itself
   * @param activation or null
   */
  private record Part(int offset, int width, long weights, UnaryOp.Kind activation) {}

  private final VectorOrigin origin;
  private final List<Part> parts = new ArrayList<>();
  private final MemorySegment weights;

  /** Writes them; the directory says nothing of knowledge where the records hold none. */
  static void write(SnapshotContainer.Writer file, UserRecord record, VectorOrigin origin) {
    List<Map.Entry<Term, Integer>> held =
        record.offsets().entrySet().stream()
            .filter(entry -> UserRecord.isKnowledge(entry.getKey()))
            .toList();
    if (held.isEmpty()) {
      return;
    }
    VectorScaling scaling = origin.scaling();
    ObjectNode node = file.directory().putObject(NAME);
    node.put("width", scaling.width());
    node.put("model", origin.model());
    node.put("pool", origin.pool());
    node.put("normalization", scaling.normalization().name().toLowerCase(Locale.ROOT));
    file.begin(SCALING);
    file.writeDoubles(scaling.mean());
    file.writeDoubles(scaling.scale());
    file.begin(WEIGHTS);
    ArrayNode described = node.putArray("parts");
    for (Map.Entry<Term, Integer> entry : held) {
      Term term = entry.getKey();
      ObjectNode part = described.addObject();
      part.put("offset", entry.getValue());
      part.put("width", term.width());
      if (term.op() instanceof Term.Linear linear) {
        part.put("activation", linear.activation() == null ? "none" : linear.activation().name());
        file.writeFloats(term.input(1).elements());
        file.writeFloats(
            term.inputs().size() > 2 ? term.input(2).elements() : new float[term.width()]);
      }
    }
  }

  /**
   * Reads them.
   *
   * @return null if the file holds none
   */
  static KnowledgeLayers read(SnapshotContainer file, int recordWidth)
      throws SnapshotContainer.DamagedException {
    JsonNode node = file.directory().path(NAME);
    return node.isMissingNode() ? null : new KnowledgeLayers(file, node, recordWidth);
  }

  private KnowledgeLayers(SnapshotContainer file, JsonNode node, int recordWidth)
      throws SnapshotContainer.DamagedException {
    int width = Snapshot.count(node, "width");
    Normalization normalization =
        Normalization.valueOf(Snapshot.text(node, "normalization").toUpperCase(Locale.ROOT));
    int scaled = normalization == Normalization.STANDARD ? width : 0;
    MemorySegment scaling = file.section(SCALING, 2L * scaled * Double.BYTES);
    double[] mean = scaling.asSlice(0, (long) scaled * Double.BYTES).toArray(JAVA_DOUBLE);
    double[] scale = scaling.asSlice((long) scaled * Double.BYTES).toArray(JAVA_DOUBLE);
    origin =
        new VectorOrigin(
            node.path("model").stringValue(null),
            node.path("pool").stringValue(null),
            new VectorScaling(normalization, width, mean, scale));
    long floats = 0;
    for (JsonNode described : node.path("parts")) {
      Part part = part(described, width, floats);
      if (part.offset > recordWidth - part.width) {
        throw new SnapshotContainer.DamagedException("a part of the users' knowledge");
      }
      parts.add(part);
      floats =
          Math.addExact(floats, part.weights < 0 ? 0 : Math.multiplyExact(width + 1L, part.width));
    }
    weights = file.section(WEIGHTS, Math.multiplyExact(floats, Float.BYTES));
  }

  private static Part part(JsonNode node, int in, long floats)
      throws SnapshotContainer.DamagedException {
    int offset = Snapshot.count(node, "offset");
    int width = Snapshot.count(node, "width");
    if (!node.has("activation")) {
      if (width != in) {
        throw new SnapshotContainer.DamagedException("a vector of " + width);
      }
      return new Part(offset, width, -1, null);
    }
    String name = Snapshot.text(node, "activation");
    UnaryOp.Kind activation = name.equals("none") ? null : UnaryOp.Kind.valueOf(name);
    // Refuses what no recommender uses.
    TermEvaluator.activate(activation, 0);
    return new Part(offset, width, floats, activation);
  }

  VectorOrigin origin() {
    return origin;
  }

  /** Numbers of a vector. */
  int width() {
    return origin.scaling().width();
  }

  /**
   * Puts what a vector says into a record, computed as when the snapshot was made.
   *
   * @param vector {@code [width]} as it came from the language model; scaled in place
   */
  void apply(float[] vector, float[] record) {
    origin.scaling().apply(vector);
    for (Part part : parts) {
      if (part.weights < 0) {
        System.arraycopy(vector, 0, record, part.offset, part.width);
      } else {
        linear(part, vector, record);
      }
    }
  }

  private void linear(Part part, float[] vector, float[] record) {
    int n = part.width;
    double[] sums = new double[n];
    long bias = part.weights + (long) vector.length * n;
    for (int j = 0; j < n; j++) {
      sums[j] = weights.getAtIndex(JAVA_FLOAT, bias + j);
    }
    for (int p = 0; p < vector.length; p++) {
      double xp = vector[p];
      long row = part.weights + (long) p * n;
      for (int j = 0; j < n; j++) {
        sums[j] += xp * weights.getAtIndex(JAVA_FLOAT, row + j);
      }
    }
    for (int j = 0; j < n; j++) {
      record[part.offset + j] = (float) TermEvaluator.activate(part.activation, sums[j]);
    }
  }
}
