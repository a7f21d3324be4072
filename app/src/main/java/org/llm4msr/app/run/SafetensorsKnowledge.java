package org.llm4msr.app.run;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.model.checkpoint.StoredTensor;
import org.llm4msr.model.training.KnowledgeVectors;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Vectors that {@code encode} wrote: {@code hidden} F32 {@code [n, width]}, ids in the metadata.
 */
final class SafetensorsKnowledge implements KnowledgeVectors, AutoCloseable {
  private final Safetensors file;
  private final MemorySegment hidden;
  private final int width;
  private final Map<String, Integer> rows;

  private SafetensorsKnowledge(Safetensors file) {
    this.file = file;
    StoredTensor tensor = file.tensor("hidden");
    if (tensor.dtype() != DType.F32 || tensor.shape().rank() != 2 || tensor.shape().dim(1) < 1) {
      throw new UserError(
          tensor.where() + ": is " + tensor.type() + tensor.shape() + ", expected F32 [n, width]");
    }
    hidden = tensor.data();
    width = Math.toIntExact(tensor.shape().dim(1));
    rows = rows(file, tensor.shape().dim(0));
  }

  static SafetensorsKnowledge open(Path path) {
    Safetensors file = Safetensors.open(path);
    try {
      return new SafetensorsKnowledge(file);
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private static Map<String, Integer> rows(Safetensors file, long count) {
    String json = file.metadata().get("ids");
    try {
      JsonNode ids = JsonMapper.shared().readTree(json == null ? "null" : json);
      if (!ids.isArray() || ids.size() != count) {
        throw new UserError(
            file.file() + ": the metadata's ids are no list of " + count + "; encode again");
      }
      Map<String, Integer> rows = HashMap.newHashMap(ids.size());
      for (int row = 0; row < ids.size(); row++) {
        rows.put(ids.get(row).asString(), row);
      }
      return rows;
    } catch (JacksonException e) {
      throw new UserError(file.file() + ": the metadata's ids are not JSON; encode again", e);
    }
  }

  @Override
  public int width() {
    return width;
  }

  @Override
  public boolean read(String id, float[] vector) {
    Integer row = rows.get(id);
    if (row == null) {
      return false;
    }
    MemorySegment.copy(
        hidden, JAVA_FLOAT_UNALIGNED, (long) row * width * Float.BYTES, vector, 0, width);
    return true;
  }

  @Override
  public void close() {
    file.close();
  }
}
