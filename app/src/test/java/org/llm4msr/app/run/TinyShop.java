package org.llm4msr.app.run;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.llm4msr.model.checkpoint.SafetensorsWriter;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import tools.jackson.databind.json.JsonMapper;

/**
 * Files of a small log in which each of 60 users likes half of the kinds of items, in both
 * scenarios, and of vectors that know what each user likes.
 */
public final class TinyShop {
  public static final List<String> SCENARIOS = List.of("web", "store");
  private static final int USERS = 60;
  private static final int KINDS = 4;
  private static final int ITEMS = 24;

  private final Path folder;

  private TinyShop(Path folder) {
    this.folder = folder;
  }

  /** Writes the files; one row in ten is a validation row, one a test row. */
  public static TinyShop write(Path folder, int rows) throws IOException {
    Random random = new Random(5);
    int[][] likes = new int[USERS][KINDS];
    for (int[] user : likes) {
      for (int k = 0; k < KINDS; k++) {
        user[k] = random.nextBoolean() ? 1 : -1;
      }
    }
    StringBuilder log = new StringBuilder("user,item,kind,place,clicked,part\n");
    for (int row = 0; row < rows; row++) {
      int user = random.nextInt(USERS);
      int item = random.nextInt(ITEMS);
      int kind = item % KINDS;
      int clicked = random.nextDouble() < (likes[user][kind] > 0 ? 0.85 : 0.15) ? 1 : 0;
      String part = row % 10 == 8 ? "valid" : row % 10 == 9 ? "test" : "train";
      String place = SCENARIOS.get(random.nextInt(3) / 2);
      log.append("u%d,\"i,%d\",k%d,%s,%d,%s\n".formatted(user, item, kind, place, clicked, part));
    }
    Files.writeString(folder.resolve("log.csv"), log);
    Files.writeString(
        folder.resolve("shop.yaml"),
        """
        interactions:
          path: log.csv
          user: user
          item: item
          scenario: place
          label: clicked
        features:
          - user
          - item
          - {name: kind, from: interactions}
        split: {column: part}
        """);
    writeKnowledge(folder.resolve("k.safetensors"), likes);
    return new TinyShop(folder);
  }

  private static void writeKnowledge(Path file, int[][] likes) {
    Map<String, float[]> vectors = new LinkedHashMap<>();
    for (int u = 0; u < USERS; u++) {
      float[] vector = new float[KINDS + 1];
      for (int k = 0; k < KINDS; k++) {
        vector[k] = likes[u][k];
      }
      vectors.put("user/u" + u, vector);
    }
    for (String scenario : SCENARIOS) {
      vectors.put("scenario/" + scenario, new float[] {0, 0, 0, scenario.length(), 1});
    }
    writeKnowledge(file, vectors);
  }

  /** Writes vectors of 5 numbers by their ids, such as {@code user/u1}. */
  public static void writeKnowledge(Path file, Map<String, float[]> vectors) {
    Shape shape = Shape.of(vectors.size(), KINDS + 1);
    Map<String, String> metadata =
        Map.of("ids", JsonMapper.shared().writeValueAsString(vectors.keySet()));
    List<SafetensorsWriter.Declaration> tensors =
        List.of(new SafetensorsWriter.Declaration("hidden", DType.F32, shape));
    try (Arena arena = Arena.ofConfined();
        SafetensorsWriter writer = SafetensorsWriter.create(file, tensors, metadata)) {
      for (float[] vector : vectors.values()) {
        MemorySegment row = arena.allocateFrom(ValueLayout.JAVA_FLOAT, vector);
        writer.write(row);
      }
      writer.commit();
    }
  }

  public String data() {
    return folder.resolve("shop.yaml").toString();
  }

  public String knowledge() {
    return folder.resolve("k.safetensors").toString();
  }
}
