package org.llm4msr.model.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The weights of a Hugging Face directory: {@code model.safetensors}, or the shards that {@code
 * model.safetensors.index.json} names.
 */
public final class Checkpoint implements TensorSource, AutoCloseable {
  private static final String SINGLE = "model.safetensors";
  private static final String INDEX = "model.safetensors.index.json";

  private final Path directory;
  private final List<Safetensors> files;
  private final Map<String, Safetensors> fileOf;

  private Checkpoint(Path directory, List<Safetensors> files, Map<String, Safetensors> fileOf) {
    this.directory = directory;
    this.files = files;
    this.fileOf = fileOf;
  }

  /**
   * Opens all weight files of a directory.
   *
   * @throws UserError if there are none, one is broken, or the index contradicts the shards
   */
  public static Checkpoint open(Path directory) {
    if (!Files.isDirectory(directory)) {
      throw new UserError(directory + ": not a folder, expected a Hugging Face model directory");
    }
    Path single = directory.resolve(SINGLE);
    if (Files.exists(single)) {
      Safetensors file = Safetensors.open(single);
      Map<String, Safetensors> fileOf = new LinkedHashMap<>();
      file.names().forEach(name -> fileOf.put(name, file));
      return new Checkpoint(directory, List.of(file), fileOf);
    }
    Path index = directory.resolve(INDEX);
    if (Files.exists(index)) {
      return openShards(directory, index);
    }
    refusePickled(directory);
    throw new UserError(
        directory + ": neither " + SINGLE + " nor " + INDEX + " is there: no model to load");
  }

  /** PyTorch's own files are programs that run when they are read. */
  private static void refusePickled(Path directory) {
    try (Stream<Path> files = Files.list(directory)) {
      Optional<Path> pickled =
          files
              .filter(file -> file.getFileName().toString().matches(".*\\.(bin|pt|pth|ckpt)"))
              .min(Comparator.naturalOrder());
      if (pickled.isPresent()) {
        throw new UserError(
            pickled.get()
                + ": PyTorch weights are not read, since reading them can run foreign code; convert"
                + " them once, in Python: from transformers import AutoModelForCausalLM;"
                + " AutoModelForCausalLM.from_pretrained(\"DIR\").save_pretrained(\"DIR\","
                + " safe_serialization=True)");
      }
    } catch (IOException e) {
      throw FileErrors.reading(directory, e);
    }
  }

  private static Checkpoint openShards(Path directory, Path index) {
    Map<String, String> shardOf = readWeightMap(index);
    Map<String, Safetensors> shards = new TreeMap<>();
    try {
      Map<String, Safetensors> fileOf = new LinkedHashMap<>();
      shardOf.forEach((tensor, shardName) -> {
        Safetensors shard =
            shards.computeIfAbsent(shardName, name -> Safetensors.open(directory.resolve(name)));
        if (!shard.names().contains(tensor)) {
          throw FileErrors.malformed(
              index,
              "weight_map says that tensor " + tensor + " is in " + shardName + ", but it is not");
        }
        fileOf.put(tensor, shard);
      });
      shards.forEach((shardName, shard) ->
          shard.names().stream()
              .filter(tensor -> fileOf.get(tensor) != shard)
              .findFirst()
              .ifPresent(tensor -> {
                throw FileErrors.malformed(
                    shard.file(), "tensor " + tensor + " is not listed for this file in " + INDEX);
              }));
      return new Checkpoint(directory, List.copyOf(shards.values()), fileOf);
    } catch (RuntimeException | Error e) {
      shards.values().forEach(Safetensors::close);
      throw e;
    }
  }

  private static Map<String, String> readWeightMap(Path index) {
    ObjectNode root = StrictJson.readObject(index, Safetensors.MAX_HEADER_BYTES);
    if (!(root.get("weight_map") instanceof ObjectNode weightMap) || weightMap.isEmpty()) {
      throw FileErrors.malformed(
          index, "weight_map is missing or empty, expected tensor -> file name");
    }
    Map<String, String> shardOf = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : weightMap.properties()) {
      if (!entry.getValue().isString()) {
        throw FileErrors.malformed(
            index, "weight_map entry " + entry.getKey() + ": expected a file name");
      }
      shardOf.put(entry.getKey(), plainName(index, entry.getValue().stringValue()));
    }
    return shardOf;
  }

  /** A shard lies beside its index: a name that could lead elsewhere is refused. */
  private static String plainName(Path index, String name) {
    if (!name.matches("[A-Za-z0-9_][A-Za-z0-9_.-]*")) {
      throw FileErrors.malformed(
          index,
          "weight_map names the file \""
              + name
              + "\", expected a plain file name beside the index");
    }
    return name;
  }

  /** The folder that was opened. */
  public Path directory() {
    return directory;
  }

  /** The weight files in the order of their names. */
  public List<Path> files() {
    return files.stream().map(Safetensors::file).toList();
  }

  /** {@code __metadata__} of all files together. */
  public Map<String, String> metadata() {
    Map<String, String> metadata = new LinkedHashMap<>();
    files.forEach(file -> metadata.putAll(file.metadata()));
    return metadata;
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(fileOf.keySet());
  }

  @Override
  public StoredTensor tensor(String name) {
    Safetensors file = fileOf.get(name);
    if (file == null) {
      throw new UserError(directory + ": tensor " + name + " is missing");
    }
    return file.tensor(name);
  }

  /** Unmaps all files. Closing twice is harmless. */
  @Override
  public void close() {
    files.forEach(Safetensors::close);
  }
}
