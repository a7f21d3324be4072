package org.llm4msr.model.recommender;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.llm4msr.model.SharedFolder;
import org.llm4msr.model.TestFiles;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.model.checkpoint.StoredTensor;
import org.llm4msr.model.recommender.backbone.Aitm;
import org.llm4msr.model.recommender.backbone.Backbone;
import org.llm4msr.model.recommender.backbone.Mmoe;
import org.llm4msr.model.recommender.backbone.Omoe;
import org.llm4msr.model.recommender.backbone.Ple;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.model.recommender.backbone.Star;

/**
 * One file of golden outputs that PyTorch computed in double precision: a batch, starting values,
 * and logits, loss, gradients and parameters after optimiser steps.
 */
final class GoldenCase {
  private static final int EMBEDDING_DIM = 16;

  private final String name;
  private final Map<String, double[]> tensors = new HashMap<>();
  private final Map<String, long[]> shapes = new TreeMap<>();

  private GoldenCase(String name) {
    this.name = name;
  }

  static GoldenCase load(String name) {
    GoldenCase golden = new GoldenCase(name);
    try (Safetensors file = Safetensors.open(file(name))) {
      for (String tensorName : file.names()) {
        StoredTensor tensor = file.tensor(tensorName);
        double[] elements = new double[Math.toIntExact(tensor.shape().elements())];
        for (int i = 0; i < elements.length; i++) {
          elements[i] = tensor.dtype().get(tensor.data(), i);
        }
        golden.tensors.put(tensorName, elements);
        golden.shapes.put(tensorName, tensor.shape().toArray());
      }
    }
    return golden;
  }

  /** Most cases are resources; the rest lies in the shared folder, for the sake of size. */
  private static Path file(String name) {
    String path = "golden/rec/" + name + ".f64.safetensors";
    return GoldenCase.class.getResource("/" + path) == null
        ? SharedFolder.require(path)
        : TestFiles.resource(path);
  }

  boolean has(String tensor) {
    return tensors.containsKey(tensor);
  }

  boolean hasAny(String prefix) {
    return shapes.keySet().stream().anyMatch(tensor -> tensor.startsWith(prefix));
  }

  double[] get(String tensor) {
    double[] elements = tensors.get(tensor);
    if (elements == null) {
      throw new IllegalArgumentException(name + " holds no " + tensor);
    }
    return elements;
  }

  long[] shape(String tensor) {
    get(tensor);
    return shapes.get(tensor);
  }

  /** A parameter, stacked over the scenarios where our name has a {@code *}. */
  double[] stacked(String prefix, String parameter) {
    if (!parameter.contains("*")) {
      return get(prefix + parameter);
    }
    List<double[]> parts = new ArrayList<>();
    for (int s = 0; has(prefix + parameter.replace("*", Integer.toString(s))); s++) {
      parts.add(get(prefix + parameter.replace("*", Integer.toString(s))));
    }
    return parts.stream().flatMapToDouble(java.util.Arrays::stream).toArray();
  }

  /**
   * @param rowsPerVector see {@link ModelSchema}; not what the batch has, since results must not
   *     depend on it
   */
  ModelSchema schema(double rowsPerVector) {
    List<ModelSchema.Field> fields = new ArrayList<>();
    for (int f = 0; has("param/embedding.tables." + f + ".weight"); f++) {
      int size = (int) shape("param/embedding.tables." + f + ".weight")[0];
      fields.add(new ModelSchema.Field(Integer.toString(f), size));
    }
    boolean knowledge = has("llm/user");
    int users = knowledge ? (int) shape("llm/user")[0] : 0;
    int width = knowledge ? (int) shape("llm/user")[1] : 0;
    return new ModelSchema(fields, 3, users, width, 64, false, 0, rowsPerVector);
  }

  /** The wiring that the case's name stands for; widths are read off the parameters. */
  RecommenderConfig config() {
    return new RecommenderConfig(EMBEDDING_DIM, 0.05, backbone(), meta());
  }

  private Backbone backbone() {
    if (hasAny("param/backbone.bottom.")) {
      return new SharedBottom(widths("param/backbone.bottom.lin.%d.weight", 0), List.of(10));
    }
    List<Integer> tower = List.of(10);
    if (hasAny("param/backbone.experts")) {
      List<Integer> hidden = widths("param/backbone.experts.0.lin.%d.weight", 0);
      return has("param/backbone.gates.1.lin.weight")
          ? new Mmoe(3, hidden, tower)
          : new Omoe(3, hidden, tower);
    }
    if (hasAny("param/backbone.cgc")) {
      List<Integer> hidden = widths("param/backbone.cgc.0.shared.0.lin.%d.weight", 0);
      return new Ple(2, 1, 1, hidden, tower);
    }
    if (hasAny("param/backbone.bottoms")) {
      return new Aitm(widths("param/backbone.bottoms.0.lin.%d.weight", 0), tower);
    }
    List<Integer> hidden = new ArrayList<>(widths("param/backbone.shared_w.%d", 1));
    hidden.removeLast();
    boolean paper = has("param/backbone.gamma");
    List<Integer> auxiliary = paper ? widths("param/backbone.aux.lin.%d.weight", 0) : List.of();
    int scenarioDim = paper ? (int) shape("param/backbone.scen_emb.weight")[1] : 0;
    return new Star(hidden, paper, auxiliary, scenarioDim);
  }

  private List<Integer> widths(String pattern, int axis) {
    List<Integer> widths = new ArrayList<>();
    for (int i = 0; has(pattern.formatted(i)); i++) {
      widths.add((int) shape(pattern.formatted(i))[axis]);
    }
    return widths;
  }

  private MetaConfig meta() {
    if (!name.startsWith("llm4msr")) {
      return MetaConfig.off();
    }
    MetaConfig.UserMode user = MetaConfig.UserMode.REPLACE;
    MetaConfig.ScenarioMode scenario = MetaConfig.ScenarioMode.BOTTOM;
    MetaConfig.Fusion fusion = MetaConfig.Fusion.ALPHA;
    MetaConfig.Normalization normalization = MetaConfig.Normalization.NONE;
    if (name.contains("_v1_")) {
      user = MetaConfig.UserMode.RESIDUAL;
      scenario = MetaConfig.ScenarioMode.FEATURES;
      fusion = MetaConfig.Fusion.GATE;
    } else if (name.contains("_v2_")) {
      user = MetaConfig.UserMode.CONCAT;
      fusion = MetaConfig.Fusion.SCALARS;
      normalization = MetaConfig.Normalization.L2;
    } else if (name.contains("_v3_")) {
      user = MetaConfig.UserMode.OFF;
      fusion = MetaConfig.Fusion.ADD;
    } else if (name.contains("_v4_")) {
      user = MetaConfig.UserMode.RESIDUAL;
      scenario = MetaConfig.ScenarioMode.OFF;
      normalization = MetaConfig.Normalization.RMS;
    } else if (name.contains("_v5_")) {
      user = MetaConfig.UserMode.CONCAT;
      fusion = MetaConfig.Fusion.GATE;
    }
    List<Integer> userWidths = new ArrayList<>(widths("param/user_meta.b.%d.weight", 0));
    int userOutput = userWidths.isEmpty() ? 0 : userWidths.removeLast();
    List<Integer> scenarioWidths = new ArrayList<>(widths("param/scen_meta.b.%d.weight", 0));
    if (!scenarioWidths.isEmpty()) {
      scenarioWidths.removeLast();
    }
    String trunk = hasAny("param/user_meta") ? "param/user_meta.trunk" : "param/scen_meta.trunk";
    int rank = has(trunk + ".weight") ? (int) shape(trunk + ".weight")[0] : 0;
    return new MetaConfig(
        user,
        userWidths,
        userOutput,
        name.contains("_v1_"),
        scenario,
        scenarioWidths,
        rank,
        MetaConfig.Generators.AFFINE,
        normalization,
        fusion,
        false);
  }

  /** The frozen vectors, normalised as the case wants. */
  double[] knowledge(String which) {
    int width = (int) shape("llm/" + which)[1];
    double[] vectors = get("llm/" + which).clone();
    for (int from = 0; from < vectors.length; from += width) {
      double squares = 0;
      for (int i = from; i < from + width; i++) {
        squares += vectors[i] * vectors[i];
      }
      double divisor =
          switch (meta().normalization()) {
            case NONE -> 1;
            case L2 -> Math.sqrt(squares);
            case RMS -> Math.sqrt(squares / width);
            case STANDARD -> throw new IllegalStateException("no golden uses it");
          };
      for (int i = from; i < from + width; i++) {
        vectors[i] /= divisor;
      }
    }
    return vectors;
  }
}
