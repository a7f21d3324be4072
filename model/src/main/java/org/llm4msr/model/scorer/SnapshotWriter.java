package org.llm4msr.model.scorer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.llm4msr.bindings.cpu.Int8Layout;
import org.llm4msr.bindings.cpu.ScoringProgram;
import org.llm4msr.bindings.cpu.ScoringProgram.Instruction;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.model.training.EvidenceCounts;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.plan.ParameterStore;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Exports a trained model as a snapshot. The same model gives the same bytes. */
public final class SnapshotWriter {
  /** Items or users whose numbers are computed at a time. */
  private static final int CHUNK = 2048;

  private static final int CHUNKS_AT_ONCE = 8;

  private final Dataset dataset;
  private final VectorOrigin origin;
  private final ConstantPool pool;
  private final UserRecord record = new UserRecord();
  private final Map<Term, Integer> context = new LinkedHashMap<>();
  private final List<ProgramBuilder.Program> programs = new ArrayList<>();
  private final Leaves leaves;

  /**
   * A trained model.
   *
   * @param name of the model
   * @param model built for evaluation
   * @param store its weights and knowledge vectors, in memory that the host can read
   * @param folds into which training rows were divided for the vectors
   * @param evidence null where the model does not ask for it
   * @param origin of the users' vectors; null where later ones cannot take their place
   */
  public record Source(
      String name,
      RecommenderModel model,
      ParameterStore store,
      Dataset dataset,
      Folds folds,
      EvidenceCounts evidence,
      VectorOrigin origin) {}

  /**
   * How a snapshot is written.
   *
   * @param precompute whether the items' parts of layers are held ready, which takes memory for
   *     every item and scenario; without them a request takes longer
   * @param precision of matrices and items' tables
   */
  public record Options(boolean precompute, Precision precision) {}

  private SnapshotWriter(Source source, Options options, Leaves leaves) {
    dataset = source.dataset();
    origin = source.origin();
    this.leaves = leaves;
    pool = new ConstantPool(dataset.items(), options.precision());
  }

  /**
   * Writes a snapshot; the file appears whole or not at all.
   *
   * @throws UserError if the file cannot be written or the model cannot be scored
   */
  public static void write(Path file, Source source, Options options) {
    Leaves leaves = new Leaves(source.dataset(), source.folds(), source.evidence());
    SnapshotWriter writer = new SnapshotWriter(source, options, leaves);
    Terms terms = new Terms();
    Specialiser specialiser =
        new Specialiser(
            source.model(),
            source.store(),
            leaves,
            terms,
            new LinearRules(terms, options.precompute()));
    for (int s = 0; s < source.dataset().scenarios().size(); s++) {
      writer.programs.add(
          ProgramBuilder.build(specialiser.logit(s), writer.pool, writer.record, writer.context));
    }
    writer.write(file, source.name());
  }

  private void write(Path path, String name) {
    try (SnapshotContainer.Writer file = new SnapshotContainer.Writer(path)) {
      ObjectNode directory = file.directory();
      directory.put("model", name);
      directory.put("dataset", dataset.name());
      directory.put("users", dataset.users());
      directory.put("items", dataset.items());
      directory.put("record", record.width());
      directory.put("precision", pool.precision().key());
      directory.put("input", programs.stream().anyMatch(ProgramBuilder.Program::readsInput));
      ArrayNode scenarios = directory.putArray("scenarios");
      for (int s = 0; s < programs.size(); s++) {
        Scenario scenario = dataset.scenarios().get(s);
        ProgramBuilder.Program program = programs.get(s);
        ObjectNode entry = scenarios.addObject();
        entry.put("name", scenario.name());
        entry.put("user_end", program.userEnd());
        entry.put("vector_end", program.vectorEnd());
        entry.put("state", program.state());
        entry.put("columns", program.columns());
      }
      writePrograms(file);
      writeConstants(file);
      writeUsers(file);
      if (origin != null) {
        KnowledgeLayers.write(file, record, origin);
      }
      writeContext(file);
      KeyIndex.write(file, "user_keys", dataset.users(), dataset::userKey);
      KeyIndex.write(file, "item_keys", dataset.items(), dataset::itemKey);
      file.commit();
    }
  }

  private void writePrograms(SnapshotContainer.Writer file) {
    for (int s = 0; s < programs.size(); s++) {
      file.begin("program." + s);
      for (Instruction instruction : programs.get(s).instructions()) {
        for (long word : instruction.words()) {
          file.writeLong(word);
        }
      }
    }
  }

  private void writeConstants(SnapshotContainer.Writer file) {
    file.begin("constants");
    for (ConstantPool.Entry entry : pool.entries()) {
      file.padTo(entry.offset() * Float.BYTES);
      Term term = entry.term();
      boolean half = entry.precision() == Precision.BF16;
      boolean int8 = entry.precision() == Precision.INT8;
      Consumer<float[]> numbers = half ? file::writeBf16 : file::writeFloats;
      switch (entry.layout()) {
        case PLAIN -> numbers.accept(term.elements());
        case PANELS -> {
          if (int8) {
            file.writeBytes(Int8.panels(term.elements(), entry.rows(), Panels.WIDTH));
          } else {
            numbers.accept(Panels.pack(term.elements(), entry.rows(), half));
          }
        }
        case WIDE_PANELS ->
            file.writeBytes(Int8.panels(term.elements(), entry.rows(), Int8Layout.WIDE_PANEL));
        case TABLE ->
            writeRows(
                int8 ? rows -> file.writeBytes(Int8.table(rows, term.width())) : numbers,
                entry.rows(),
                List.of(term));
      }
    }
    file.padTo((pool.floats() + ScoringProgram.SLACK) * Float.BYTES);
  }

  private void writeUsers(SnapshotContainer.Writer file) {
    file.begin("users");
    writeRows(file::writeFloats, dataset.users() + 1, List.copyOf(record.offsets().keySet()));
  }

  /** The terms side by side, a row for each user or item. */
  private static void writeRows(Consumer<float[]> file, int rows, List<Term> terms) {
    int chunks = (rows + CHUNK - 1) / CHUNK;
    for (int begin = 0; begin < chunks; begin += CHUNKS_AT_ONCE) {
      List<float[]> computed =
          IntStream.range(begin, Math.min(chunks, begin + CHUNKS_AT_ONCE))
              .parallel()
              .mapToObj(chunk -> rows(chunk * CHUNK, Math.min(CHUNK, rows - chunk * CHUNK), terms))
              .toList();
      computed.forEach(file);
    }
  }

  private static float[] rows(int first, int count, List<Term> terms) {
    TermEvaluator evaluator =
        new TermEvaluator(
            count, (leaf, entity, to, at) -> leaf.values().read(first + entity, to, at));
    int width = terms.stream().mapToInt(Term::width).sum();
    float[] rows = new float[count * width];
    int at = 0;
    for (Term term : terms) {
      float[] values = evaluator.evaluate(term);
      for (int r = 0; r < count; r++) {
        System.arraycopy(values, r * term.width(), rows, r * width + at, term.width());
      }
      at += term.width();
    }
    return rows;
  }

  /** The tables and vocabularies of what a request says about itself. */
  private void writeContext(SnapshotContainer.Writer file) {
    ArrayNode fields = file.directory().putArray("context");
    for (Map.Entry<Term, Integer> entry : context.entrySet()) {
      Leaf leaf = ((Term.FromLeaf) entry.getKey().op()).leaf();
      Field field = dataset.fields().get(leaves.requestFieldOf(leaf));
      ContextField.describe(fields.addObject(), field, entry.getValue(), leaf.width());
      file.begin("context." + field.name());
      float[] row = new float[leaf.width()];
      for (int id = 0; id < field.vocabulary().size(); id++) {
        leaves.readRequestField(leaf, id, row);
        file.writeFloats(row);
      }
      if (!field.vocabulary().isHashed() && !field.isNumber()) {
        KeyIndex.write(
            file,
            "context_keys." + field.name(),
            field.vocabulary().size() - 1,
            i -> field.vocabulary().value(i + 1));
      }
    }
  }
}
