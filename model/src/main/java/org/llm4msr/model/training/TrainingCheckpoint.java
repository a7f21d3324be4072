package org.llm4msr.model.training;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.model.checkpoint.SafetensorsWriter;
import org.llm4msr.model.checkpoint.SafetensorsWriter.Declaration;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.plan.ParameterStore;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * An unfinished training as one safetensors file: the tensors that training changes (weights,
 * statistics, moments), the best weights so far under {@code best/}, and where training stands as
 * JSON in the metadata. Going on from it gives the same bits as never having stopped.
 */
final class TrainingCheckpoint {
  private static final String BEST = "best/";
  private static final String STATE = "state";
  private static final String FINGERPRINT = "fingerprint";
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES).build();

  private final ParameterStore store;
  private final List<String> changing;
  private final BestWeights best;
  private final List<String> weights;

  /** The state's JSON form; doubles survive it unchanged. */
  private record Stored(
      long step,
      int epoch,
      int position,
      double lossSum,
      long lossRows,
      double seconds,
      int best,
      List<HistoryEntry> history) {}

  /**
   * @param changing every tensor of the store that training changes
   * @param weights those of them that are weights
   */
  TrainingCheckpoint(
      ParameterStore store, List<String> changing, List<String> weights, BestWeights best) {
    this.store = store;
    this.changing = changing;
    this.weights = weights;
    this.best = best;
  }

  /**
   * Writes it; the file appears whole or not at all.
   *
   * @param fingerprint of everything that the result depends on
   * @throws UserError if it cannot be written
   */
  void write(Path file, String fingerprint, TrainingState state) {
    boolean hasBest = state.best >= 0;
    List<Declaration> declarations = new ArrayList<>();
    changing.forEach(name -> declarations.add(declaration(name, name)));
    if (hasBest) {
      weights.forEach(name -> declarations.add(declaration(BEST + name, name)));
    }
    Stored stored =
        new Stored(
            state.step,
            state.epoch,
            state.position,
            state.lossSum,
            state.lossRows,
            state.seconds,
            state.best,
            state.history);
    Map<String, String> metadata =
        Map.of(STATE, JSON.writeValueAsString(stored), FINGERPRINT, fingerprint);
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, declarations, metadata)) {
      for (String name : changing) {
        HostAccess.read(store.backend(), store.get(name), writer::write);
      }
      if (hasBest) {
        weights.forEach(name -> writer.write(best.segment(name)));
      }
      writer.commit();
    }
  }

  private Declaration declaration(String storedName, String name) {
    Tensor tensor = store.get(name);
    return new Declaration(storedName, tensor.dtype(), tensor.shape());
  }

  /**
   * Restores tensors and state.
   *
   * @throws UserError if the file is damaged or belongs to another training
   */
  TrainingState read(Path file, String fingerprint) {
    try (Safetensors source = Safetensors.open(file)) {
      if (!fingerprint.equals(source.metadata().get(FINGERPRINT))) {
        throw new UserError(
            file + ": belongs to a training with other settings or data; delete it to start anew");
      }
      TrainingState state = state(file, source.metadata().get(STATE));
      for (String name : changing) {
        ModelFile.load(source.tensor(name), store, store.get(name));
      }
      if (state.best >= 0) {
        for (String name : weights) {
          MemorySegment copy = best.segment(name);
          Tensor tensor = store.get(name);
          copy.copyFrom(
              source
                  .tensor(BEST + name)
                  .withShape(tensor.shape(), "as the weights themselves")
                  .data());
        }
      }
      return state;
    }
  }

  private static TrainingState state(Path file, String json) {
    try {
      Stored stored = JSON.readValue(json == null ? "" : json, Stored.class);
      TrainingState state = new TrainingState();
      state.step = stored.step;
      state.epoch = stored.epoch;
      state.position = stored.position;
      state.lossSum = stored.lossSum;
      state.lossRows = stored.lossRows;
      state.seconds = stored.seconds;
      state.best = stored.best;
      state.history.addAll(stored.history);
      if (state.best < -1 || state.best >= state.history.size()) {
        throw new UserError(file + ": the state names an evaluation that is not there");
      }
      return state;
    } catch (JacksonException e) {
      throw new UserError(file + ": the state of the training is not readable; delete it", e);
    }
  }
}
