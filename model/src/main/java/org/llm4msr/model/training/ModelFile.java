package org.llm4msr.model.training;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.model.checkpoint.SafetensorsWriter;
import org.llm4msr.model.checkpoint.StoredTensor;
import org.llm4msr.model.recommender.ModelBuilder.ModelParameter;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.plan.ParameterStore;

/**
 * A trained model's weights as safetensors, under the parameters' names. The knowledge vectors are
 * not among them: they are frozen, and lie in the knowledge file.
 */
public final class ModelFile {
  private ModelFile() {}

  /** Names of the parameters that training changes, in the model's order. */
  static List<String> changing(RecommenderModel model) {
    return model.inputs().parameters().stream()
        .filter(parameter -> parameter.group() != ParameterGroup.KNOWLEDGE)
        .map(parameter -> parameter.value().name())
        .toList();
  }

  /**
   * Writes the weights; the file appears whole or not at all.
   *
   * @throws UserError if it cannot be written
   */
  public static void write(
      Path file, RecommenderModel model, ParameterStore store, Map<String, String> metadata) {
    List<String> names = changing(model);
    List<SafetensorsWriter.Declaration> declarations = new ArrayList<>();
    for (String name : names) {
      Tensor tensor = store.get(name);
      declarations.add(new SafetensorsWriter.Declaration(name, tensor.dtype(), tensor.shape()));
    }
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, declarations, metadata)) {
      for (String name : names) {
        HostAccess.read(store.backend(), store.get(name), writer::write);
      }
      writer.commit();
    }
  }

  /**
   * Reads the weights into a store that has the model's parameters already.
   *
   * @throws UserError if the file is damaged, or is of another model
   */
  public static void read(Path file, RecommenderModel model, ParameterStore store) {
    try (Safetensors source = Safetensors.open(file)) {
      for (ModelParameter parameter : model.inputs().parameters()) {
        if (parameter.group() != ParameterGroup.KNOWLEDGE) {
          String name = parameter.value().name();
          load(source.tensor(name), store, store.get(name));
        }
      }
    }
  }

  /**
   * Reads every weight that a file has, of a part of the model say.
   *
   * @throws UserError if the file is damaged, or has a weight that the store lacks
   */
  static void readAll(Path file, ParameterStore store) {
    try (Safetensors source = Safetensors.open(file)) {
      for (String name : source.names()) {
        if (!store.contains(name)) {
          throw new UserError(file + ": " + name + " is not a weight of this model");
        }
        load(source.tensor(name), store, store.get(name));
      }
    }
  }

  static void load(StoredTensor stored, ParameterStore store, Tensor tensor) {
    stored.withShape(tensor.shape(), "by config.yaml and the data set");
    if (stored.dtype() != tensor.dtype()) {
      throw new UserError(
          stored.where() + ": type is " + stored.type() + ", expected " + tensor.dtype());
    }
    store.backend().upload(stored.data(), tensor.buffer(), tensor.byteOffset());
  }
}
