package org.llm4msr.app.run;

import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.training.TrainingConfig;
import org.llm4msr.runtime.UserError;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.cfg.EnumFeature;
import tools.jackson.databind.cfg.MapperBuilder;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.dataformat.yaml.YAMLMapper;
import tools.jackson.dataformat.yaml.YAMLWriteFeature;

/**
 * Everything that a run needs to be repeated; {@code config.yaml} of a run directory.
 *
 * @param knowledge null where the model reads none
 * @param training of the model, or of the levels where these stand beside a backbone that is
 *     trained before
 * @param backboneTraining of that backbone; null where there is none or it is trained alike
 */
public record RunConfig(
    DataSource data,
    KnowledgeSource knowledge,
    ModelSettings model,
    TrainingConfig training,
    TrainingConfig backboneTraining,
    Environment environment) {

  /**
   * @param file the description
   * @param folder what relative paths in it start from
   * @param cut shares of the training rows that were kept, by scenario; those of others all were
   * @param heldOut fold of the training rows that was left out, such as {@code 1 of 3}; empty for
   *     none
   * @param checksum of the rows, splits and vocabularies that were read
   */
  public record DataSource(
      String file, String folder, Map<String, Double> cut, String heldOut, String checksum) {
    public DataSource {
      cut = Collections.unmodifiableMap(new TreeMap<>(cut));
    }
  }

  /**
   * @param file the vectors
   * @param checksum SHA-256 of the file
   * @param folds into which training rows were divided when the prompts were made; 0 for none
   */
  public record KnowledgeSource(String file, String checksum, int folds) {}

  /**
   * Where a run took place.
   *
   * @param version of llm4msr
   */
  public record Environment(
      String version, String java, String system, String device, String description, int threads) {}

  /** What decides the result; paths and versions do not. */
  private record Identity(
      String data,
      String knowledge,
      int folds,
      ModelSettings model,
      TrainingConfig training,
      String device) {}

  private static final String BACKBONE_TRAINING = "backbone_training";
  private static final JsonMapper JSON = configured(JsonMapper.builder()).build();
  private static final YAMLMapper YAML =
      configured(YAMLMapper.builder())
          .disable(YAMLWriteFeature.WRITE_DOC_START_MARKER)
          .enable(YAMLWriteFeature.MINIMIZE_QUOTES)
          .build();

  private static <B extends MapperBuilder<?, B>> B configured(B builder) {
    return builder
        .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
        .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE)
        .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
        .disable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
        .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
        .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
        .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES);
  }

  /** What does not act on the result takes one form: nothing decays where there are no levels. */
  public RunConfig {
    if (model != null && training != null) {
      TrainingConfig alone = withoutLevels(training);
      if (model.meta() == ModelSettings.MetaLevels.OFF) {
        training = alone;
      }
      if (backboneTraining != null) {
        backboneTraining = withoutLevels(backboneTraining);
        backboneTraining =
            model.crossFit() == 0 || backboneTraining.equals(alone) ? null : backboneTraining;
      }
    }
  }

  /** Of a model that is trained in one go. */
  public RunConfig(
      DataSource data,
      KnowledgeSource knowledge,
      ModelSettings model,
      TrainingConfig training,
      Environment environment) {
    this(data, knowledge, model, training, null, environment);
  }

  private static TrainingConfig withoutLevels(TrainingConfig training) {
    return training.withOptimizer(training.optimizer().withMetaDecay(0));
  }

  /** How the backbone is trained that levels stand beside. */
  TrainingConfig trainingOfBackbone() {
    return backboneTraining == null ? training : backboneTraining;
  }

  /** A digest of everything that decides the result, on whatever path it lies. */
  public String fingerprint() {
    Identity identity =
        new Identity(
            data.checksum,
            knowledge == null ? "" : vectors(),
            knowledge == null ? 0 : knowledge.folds,
            model,
            training,
            environment.device);
    MessageDigest digest = Checksums.sha256();
    digest.update(JSON.writeValueAsBytes(identity));
    if (backboneTraining != null) {
      digest.update(JSON.writeValueAsBytes(backboneTraining));
    }
    return Checksums.hex(digest);
  }

  private String vectors() {
    return model.vectors() == ModelSettings.VectorSource.RANDOM
        ? knowledge.checksum + " drawn by " + training.seed()
        : knowledge.checksum;
  }

  /** Every setting by its path, such as {@code training.batch_size}. */
  Map<String, String> flat() {
    Map<String, String> flat = new LinkedHashMap<>();
    flatten("", JSON.valueToTree(this), flat);
    return flat;
  }

  private static void flatten(String path, JsonNode node, Map<String, String> flat) {
    if (node.isObject()) {
      String prefix = path.isEmpty() ? "" : path + ".";
      node.properties().forEach(entry -> flatten(prefix + entry.getKey(), entry.getValue(), flat));
    } else if (!node.isNull()) {
      flat.put(path, node.isString() ? node.stringValue() : node.toString());
    }
  }

  /** The content of {@code config.yaml}. */
  public String toYaml() {
    return "# Everything needed to repeat this run.\n" + YAML.writeValueAsString(this);
  }

  /**
   * Reads a {@code config.yaml}.
   *
   * @throws UserError if it is missing or was not written by {@link #toYaml}
   */
  public static RunConfig read(Path file) {
    FileErrors.requireFile(file);
    try {
      JsonNode root = YAML.readTree(file);
      if (root instanceof ObjectNode node && !node.has(BACKBONE_TRAINING)) {
        // A run from before the backbone could be trained otherwise than the levels.
        node.putNull(BACKBONE_TRAINING);
      }
      RunConfig config = YAML.treeToValue(root, RunConfig.class);
      if (config == null
          || config.data == null
          || config.model == null
          || config.training == null) {
        throw new UserError(file + ": data, model or training is missing");
      }
      return config;
    } catch (JacksonException e) {
      String problem = e.getOriginalMessage().lines().findFirst().orElse("malformed");
      int line = e.getLocation() == null ? 0 : e.getLocation().getLineNr();
      String place = line > 0 ? file + ":" + line : file.toString();
      throw new UserError(place + ": not a run's configuration: " + problem, e);
    }
  }
}
