package org.llm4msr.model.knowledge;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.model.checkpoint.StoredTensor;
import org.llm4msr.model.checkpoint.StrictJson;
import org.llm4msr.model.prompt.PromptSource;
import org.llm4msr.model.training.KnowledgeVectors;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.UserError;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * An open knowledge file, memory-mapped. It is a safetensors file: {@code hidden} F32 {@code [n,
 * width]} in input order, and in its metadata {@code ids} (a JSON array of strings, one per row),
 * {@code model} (the checksum of the model), {@code pool}, {@code prompt_hash_algorithm}, {@value
 * PromptSource#KEY} (JSON, what the prompts were made from). Beside {@code hidden} lies {@code
 * prompt_hash} U8 {@code [n, 16]}. All but {@code ids} and {@code hidden} a file from elsewhere may
 * lack.
 */
public final class KnowledgeFile implements KnowledgeVectors, AutoCloseable {
  static final String HIDDEN = "hidden";
  static final String PROMPT_HASH = "prompt_hash";
  static final String IDS = "ids";
  static final String MODEL = "model";
  static final String POOL = "pool";
  static final String HASH_ALGORITHM = "prompt_hash_algorithm";

  private final Safetensors file;
  private final MemorySegment hidden;
  private final int width;
  private final List<String> ids;
  private final Map<String, Integer> rowOf;
  private final PromptSource promptSource;

  private KnowledgeFile(Safetensors file) {
    this.file = file;
    StoredTensor tensor = file.tensor(HIDDEN);
    Shape shape = tensor.shape();
    if (tensor.dtype() != DType.F32
        || shape.rank() != 2
        || shape.dim(0) > Integer.MAX_VALUE
        || shape.dim(1) < 1
        || shape.dim(1) > Integer.MAX_VALUE) {
      throw new UserError(
          tensor.where() + ": is " + tensor.type() + shape + ", expected F32 [n, width]");
    }
    hidden = tensor.data();
    width = (int) shape.dim(1);
    ids = readIds((int) shape.dim(0));
    promptSource = readPromptSource();
    rowOf = HashMap.newHashMap(ids.size());
    for (int row = 0; row < ids.size(); row++) {
      if (rowOf.put(ids.get(row), row) != null) {
        throw error("the id '" + ids.get(row) + "' occurs twice");
      }
    }
  }

  /**
   * Opens a file.
   *
   * @throws UserError if it is missing, broken or no knowledge file
   */
  public static KnowledgeFile open(Path path) {
    Safetensors file = Safetensors.open(path);
    try {
      return new KnowledgeFile(file);
    } catch (RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  private List<String> readIds(int rows) {
    String json = file.metadata().get(IDS);
    if (json == null) {
      throw error("the metadata has no ids: not a knowledge file");
    }
    List<String> read = new ArrayList<>(rows);
    try (JsonParser parser = StrictJson.parser(json)) {
      if (parser.nextToken() != JsonToken.START_ARRAY) {
        throw error("the metadata's ids are no JSON array");
      }
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        if (parser.currentToken() != JsonToken.VALUE_STRING) {
          throw error("the metadata's ids hold something else than strings");
        }
        read.add(parser.getString());
      }
      if (parser.nextToken() != null) {
        throw error("the metadata's ids go on after their array");
      }
    } catch (JacksonException e) {
      throw error("the metadata's ids are not valid JSON: " + StrictJson.reason(e));
    }
    if (read.size() != rows) {
      throw error("the metadata has " + read.size() + " ids for " + rows + " vectors");
    }
    return read;
  }

  private PromptSource readPromptSource() {
    String json = file.metadata().get(PromptSource.KEY);
    if (json == null) {
      return null;
    }
    try {
      return PromptSource.of(StrictJson.object(json, PromptSource.KEY));
    } catch (UserError e) {
      throw error("the metadata's " + FileErrors.printable(e.getMessage()));
    }
  }

  private UserError error(String problem) {
    return new UserError(file.file() + ": " + problem);
  }

  /** All ids in the order of the rows. */
  public List<String> ids() {
    return Collections.unmodifiableList(ids);
  }

  @Override
  public int width() {
    return width;
  }

  /** The row of an id, if it has one. */
  public OptionalInt row(String id) {
    Integer row = rowOf.get(id);
    return row == null ? OptionalInt.empty() : OptionalInt.of(row);
  }

  /** F32 [width], not necessarily aligned; valid until the file is closed. */
  public MemorySegment vector(int row) {
    long bytes = DType.F32.byteSize(width);
    return hidden.asSlice(row * bytes, bytes);
  }

  @Override
  public boolean read(String id, float[] vector) {
    Integer row = rowOf.get(id);
    if (row == null) {
      return false;
    }
    MemorySegment.copy(vector(row), ValueLayout.JAVA_FLOAT_UNALIGNED, 0, vector, 0, width);
    return true;
  }

  /** Checksum of the model that made the vectors, or null if the file does not say. */
  public String model() {
    return file.metadata().get(MODEL);
  }

  /** How the vectors were pooled, such as {@code last_prompt}, or null if the file does not say. */
  public String pool() {
    return file.metadata().get(POOL);
  }

  /** What the prompts were made from, or null if the file does not say. */
  public PromptSource promptSource() {
    return promptSource;
  }

  /** The rows' prompt hashes; empty if the file has none or of another kind. */
  List<PromptHash> promptHashes() {
    if (!PromptHash.ALGORITHM.equals(file.metadata().get(HASH_ALGORITHM))
        || !file.names().contains(PROMPT_HASH)) {
      return List.of();
    }
    StoredTensor tensor =
        file.tensor(PROMPT_HASH)
            .withShape(Shape.of(ids.size(), PromptHash.BYTES), "16 bytes for each vector");
    if (tensor.dtype() != DType.U8) {
      throw new UserError(tensor.where() + ": is " + tensor.type() + ", expected U8");
    }
    List<PromptHash> hashes = new ArrayList<>(ids.size());
    for (int row = 0; row < ids.size(); row++) {
      hashes.add(PromptHash.read(tensor.data(), (long) row * PromptHash.BYTES));
    }
    return hashes;
  }

  /** Unmaps the file; its vectors become invalid. Closing twice is harmless. */
  @Override
  public void close() {
    file.close();
  }
}
