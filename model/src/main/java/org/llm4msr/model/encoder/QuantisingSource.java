package org.llm4msr.model.encoder;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.llm4msr.model.checkpoint.StoredTensor;
import org.llm4msr.model.checkpoint.TensorSource;
import org.llm4msr.model.family.ModelConfig;
import org.llm4msr.model.family.TensorNames;
import org.llm4msr.model.family.TensorNames.Layout;
import org.llm4msr.model.family.TensorNames.Role;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.memory.AllocationTracker;
import org.llm4msr.runtime.quant.Quantiser;

/**
 * Quantises matrices when they are first asked for, a row at a time, and keeps them. Vectors,
 * tables of positions and matrices whose rows are no whole blocks stay as they are. Matrices that
 * are stored {@code [in, out]} are turned, for blocks must lie along what is summed over.
 */
final class QuantisingSource implements TensorSource, AutoCloseable {
  private final TensorSource source;
  private final DType type;
  private final ModelConfig config;
  private final boolean columns;
  private final List<String> exempt;
  private final Arena arena = Arena.ofShared();
  private final AllocationTracker.Entry allocation =
      AllocationTracker.opened("weights quantised on load", 0);
  private final Map<String, StoredTensor> quantised = new HashMap<>();

  QuantisingSource(TensorSource source, DType type, ModelConfig config) {
    this.source = source;
    this.type = type;
    TensorNames tensors = config.tensors();
    this.columns = tensors.layout() == Layout.COLUMNS;
    this.exempt =
        Stream.of(Role.POSITIONS, Role.TOKEN_TYPES)
            .filter(tensors::has)
            .map(role -> tensors.names().get(role) + ".weight")
            .toList();
    this.config = columns ? config.withTensors(tensors.withLayout(Layout.ROWS)) : config;
  }

  /** The model's config, with matrices laid out as they are here. */
  ModelConfig config() {
    return config;
  }

  @Override
  public Set<String> names() {
    return source.names();
  }

  @Override
  public StoredTensor tensor(String name) {
    StoredTensor known = quantised.get(name);
    if (known != null) {
      return known;
    }
    StoredTensor stored = source.tensor(name);
    if (!isMatrix(stored)) {
      return stored;
    }
    Shape shape = shape(stored);
    if (shape.dim(1) % type.blockSize() != 0) {
      // Turned all the same, so that all matrices are laid out alike.
      return turned(stored) ? keep(stored, shape, stored.dtype()) : stored;
    }
    return keep(stored, shape, type);
  }

  private boolean isMatrix(StoredTensor stored) {
    return stored.shape().rank() == 2
        && stored.dtype().isFloat()
        && exempt.stream().noneMatch(stored.name()::endsWith);
  }

  /** Whether a matrix is stored [in, out]: all but the tables of tokens. */
  private boolean turned(StoredTensor stored) {
    return columns
        && !stored.name().endsWith(config.tensors().names().get(Role.EMBEDDING) + ".weight")
        && !stored.name().endsWith(config.tensors().head() + ".weight");
  }

  private Shape shape(StoredTensor stored) {
    Shape shape = stored.shape();
    return turned(stored) ? Shape.of(shape.dim(1), shape.dim(0)) : shape;
  }

  private StoredTensor keep(StoredTensor stored, Shape shape, DType as) {
    int width = Math.toIntExact(shape.dim(1));
    long rowBytes = as.byteSize(width);
    MemorySegment data =
        arena.allocate(Math.max(1, Math.multiplyExact(shape.dim(0), rowBytes)), 64);
    boolean turned = turned(stored);
    // Rows stand alone: any order gives the same bytes.
    LongStream.range(0, shape.dim(0))
        .parallel()
        .forEach(row -> {
          float[] values = turned ? column(stored, row, width) : row(stored, row, width);
          byte[] bytes = new byte[Math.toIntExact(rowBytes)];
          if (as.isQuantised()) {
            Quantiser.quantise(as, values, bytes);
          } else {
            MemorySegment narrowed = MemorySegment.ofArray(bytes);
            for (int i = 0; i < width; i++) {
              as.set(narrowed, i, values[i]);
            }
          }
          MemorySegment.copy(bytes, 0, data, ValueLayout.JAVA_BYTE, row * rowBytes, bytes.length);
        });
    StoredTensor kept = new StoredTensor(stored.file(), stored.name(), as.name(), shape, data);
    quantised.put(stored.name(), kept);
    return kept;
  }

  private static float[] row(StoredTensor stored, long row, int width) {
    MemorySegment data = stored.data();
    float[] values = new float[width];
    long begin = stored.dtype().byteSize(row * width);
    switch (stored.dtype()) {
      case F32 ->
          MemorySegment.copy(data, ValueLayout.JAVA_FLOAT_UNALIGNED, begin, values, 0, width);
      case BF16 -> {
        for (int i = 0; i < width; i++) {
          short bits = data.get(ValueLayout.JAVA_SHORT_UNALIGNED, begin + 2L * i);
          values[i] = Float.intBitsToFloat(bits << 16);
        }
      }
      default -> {
        for (int i = 0; i < width; i++) {
          values[i] = (float) stored.dtype().get(data, row * width + i);
        }
      }
    }
    return values;
  }

  private static float[] column(StoredTensor stored, long column, int height) {
    float[] values = new float[height];
    long width = stored.shape().dim(1);
    for (int i = 0; i < height; i++) {
      values[i] = (float) stored.dtype().get(stored.data(), i * width + column);
    }
    return values;
  }

  /** Bytes that all tensors will take; quantises none. */
  long byteSize() {
    long bytes = 0;
    for (String name : source.names()) {
      StoredTensor stored = source.tensor(name);
      boolean blocks = isMatrix(stored) && shape(stored).dim(1) % type.blockSize() == 0;
      bytes += blocks ? type.byteSize(stored.shape().elements()) : stored.data().byteSize();
    }
    return bytes;
  }

  /** Frees what was quantised; its tensors become invalid. Closing twice is harmless. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
      AllocationTracker.closed(allocation);
    }
  }
}
