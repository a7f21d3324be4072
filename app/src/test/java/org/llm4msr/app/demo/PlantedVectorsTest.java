package org.llm4msr.app.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.math3.ml.distance.EuclideanDistance;
import org.apache.commons.math3.stat.correlation.PearsonsCorrelation;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.model.knowledge.KnowledgeFile;

class PlantedVectorsTest {
  private static final int USERS = 60;

  @TempDir private Path folder;

  @Test
  void usersWithLikeTastesHaveLikeVectorsAndEveryScenarioHasOne() {
    DemoWorld world = DemoWorld.generate(3, USERS, 500);
    Path file = folder.resolve("k.safetensors");
    world.writeKnowledge(file);
    List<Double> ofTastes = new ArrayList<>();
    List<Double> ofVectors = new ArrayList<>();
    EuclideanDistance distance = new EuclideanDistance();
    try (KnowledgeFile knowledge = KnowledgeFile.open(file)) {
      double[][] vectors = new double[USERS][];
      for (int u = 0; u < USERS; u++) {
        vectors[u] = vector(knowledge, "user/" + world.users().get(u).id());
        for (int other = 0; other < u; other++) {
          double[] taste = world.users().get(u).affinity();
          double[] otherTaste = world.users().get(other).affinity();
          ofTastes.add(distance.compute(taste, otherTaste));
          ofVectors.add(distance.compute(vectors[u], vectors[other]));
        }
      }
      for (DemoScenario scenario : DemoScenario.values()) {
        vector(knowledge, "scenario/" + scenario.id);
      }
    }
    assertThat(new PearsonsCorrelation().correlation(array(ofTastes), array(ofVectors)))
        .isGreaterThan(0.7);
  }

  private static double[] vector(KnowledgeFile knowledge, String id) {
    float[] floats = new float[knowledge.width()];
    assertThat(knowledge.read(id, floats)).as(id).isTrue();
    double[] vector = new double[floats.length];
    for (int i = 0; i < vector.length; i++) {
      vector[i] = floats[i];
    }
    return vector;
  }

  private static double[] array(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).toArray();
  }
}
