package org.llm4msr.model.encoder;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.llm4msr.model.checkpoint.Checkpoint;
import org.llm4msr.model.checkpoint.TensorSource;
import org.llm4msr.model.family.HfConfig;
import org.llm4msr.model.family.ModelConfig;
import org.llm4msr.model.gguf.GgufConfig;
import org.llm4msr.model.gguf.GgufFile;
import org.llm4msr.model.gguf.GgufTokenizer;
import org.llm4msr.model.tokenizer.ChatTemplate;
import org.llm4msr.model.tokenizer.Tokenizer;
import org.llm4msr.model.tokenizer.Tokenizers;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;

/** The files of one model, in either format: a Hugging Face directory or a GGUF file. */
abstract class ModelFiles implements AutoCloseable {
  private final Path path;
  private final ModelConfig config;

  private ModelFiles(Path path, ModelConfig config) {
    this.path = path;
    this.config = config;
  }

  /**
   * Opens a model.
   *
   * @param quantise what matrices become, or null to keep them as stored
   * @throws UserError if a file is missing or broken, or the model is of an unknown kind
   */
  static ModelFiles open(Path path, Quantisation quantise) {
    DType type = quantise == null ? null : quantise.stored();
    if (GgufFile.isGguf(path)) {
      if (type != null) {
        throw new UserError(
            path
                + ": a GGUF file keeps the types it has: leave out quantisation on load, or choose"
                + " w8a8 or a8");
      }
      GgufFile file = GgufFile.open(path);
      try {
        return new Gguf(path, GgufConfig.read(file), file);
      } catch (RuntimeException | Error e) {
        file.close();
        throw e;
      }
    }
    if (Files.isRegularFile(path)) {
      throw new UserError(
          path + ": neither a GGUF file nor a folder with config.json and *.safetensors");
    }
    ModelConfig config = HfConfig.read(path);
    Checkpoint checkpoint = Checkpoint.open(path);
    return type == null
        ? new Directory(path, config, checkpoint, checkpoint)
        : Directory.quantised(path, config, checkpoint, type);
  }

  /** What was opened. */
  final Path path() {
    return path;
  }

  final ModelConfig config() {
    return config;
  }

  /** The weights, open until this is closed. */
  abstract TensorSource weights();

  /** Other names of tensors that are stored once. */
  abstract Map<String, String> aliases();

  /** Bytes of all weights in memory. */
  abstract long weightBytes();

  /** What makes the model what it is, for its checksum. */
  abstract List<Path> files();

  /**
   * @throws UserError if there is none, it is broken, or its library does not run here
   */
  abstract Tokenizer openTokenizer();

  /**
   * @throws UserError if there is none, or one of unknown form
   */
  abstract ChatTemplate chatTemplate();

  @Override
  public abstract void close();

  private static final class Directory extends ModelFiles {
    private final Checkpoint checkpoint;
    private final TensorSource weights;

    Directory(Path path, ModelConfig config, Checkpoint checkpoint, TensorSource weights) {
      super(path, config);
      this.checkpoint = checkpoint;
      this.weights = weights;
    }

    static Directory quantised(
        Path path, ModelConfig config, Checkpoint checkpoint, DType quantise) {
      QuantisingSource source = new QuantisingSource(checkpoint, quantise, config);
      return new Directory(path, source.config(), checkpoint, source);
    }

    @Override
    TensorSource weights() {
      return weights;
    }

    @Override
    Map<String, String> aliases() {
      return checkpoint.metadata();
    }

    @Override
    long weightBytes() {
      return weights instanceof QuantisingSource source ? source.byteSize() : bytesOf(checkpoint);
    }

    @Override
    List<Path> files() {
      return Stream.concat(Stream.of(config().file()), checkpoint.files().stream()).toList();
    }

    @Override
    Tokenizer openTokenizer() {
      return Tokenizers.open(path());
    }

    @Override
    ChatTemplate chatTemplate() {
      return Tokenizers.chatTemplate(path());
    }

    @Override
    public void close() {
      if (weights instanceof QuantisingSource source) {
        source.close();
      }
      checkpoint.close();
    }
  }

  private static final class Gguf extends ModelFiles {
    private final GgufFile file;

    Gguf(Path path, ModelConfig config, GgufFile file) {
      super(path, config);
      this.file = file;
    }

    @Override
    TensorSource weights() {
      return file;
    }

    @Override
    Map<String, String> aliases() {
      return Map.of();
    }

    @Override
    long weightBytes() {
      return bytesOf(file);
    }

    @Override
    List<Path> files() {
      return List.of(path());
    }

    @Override
    Tokenizer openTokenizer() {
      return GgufTokenizer.open(file);
    }

    @Override
    ChatTemplate chatTemplate() {
      return GgufTokenizer.chatTemplate(file);
    }

    @Override
    public void close() {
      file.close();
    }
  }

  private static long bytesOf(TensorSource source) {
    return source.names().stream().mapToLong(name -> source.tensor(name).data().byteSize()).sum();
  }
}
