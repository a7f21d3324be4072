package org.llm4msr.model.scorer;

import java.nio.file.Path;
import java.util.Objects;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.knowledge.KnowledgeFile;
import org.llm4msr.model.prompt.PromptIds;
import org.llm4msr.runtime.UserError;

/** Reads a knowledge file for the users of a snapshot, and refuses what does not belong to it. */
final class KnowledgeReader {
  private KnowledgeReader() {}

  /**
   * What the file changes.
   *
   * @throws UserError as {@link Snapshot#withKnowledge} says
   */
  static UserRecords.Update read(Snapshot snapshot, Path path) {
    KnowledgeLayers layers = snapshot.knowledge();
    if (layers == null) {
      throw new UserError(
          snapshot.path()
              + ": takes no knowledge of users: its model reads none, or none of a language"
              + " model");
    }
    try (KnowledgeFile file = KnowledgeFile.open(path)) {
      check(file, path, layers);
      UserRecords.Update update = snapshot.userRecords().new Update();
      try {
        apply(file, path, snapshot.userRecords(), layers, update);
        return update;
      } catch (RuntimeException | Error e) {
        update.close();
        throw e;
      }
    }
  }

  private static void check(KnowledgeFile file, Path path, KnowledgeLayers layers) {
    VectorOrigin origin = layers.origin();
    if (file.width() != layers.width()) {
      throw new UserError(
          "%s: vectors of width %d, expected %d as in training; encode with the model of training"
              .formatted(path, file.width(), layers.width()));
    }
    same(path, "model", file.model(), origin.model());
    same(path, "pool", file.pool(), origin.pool());
  }

  private static void same(Path path, String what, String found, String expected) {
    if (!Objects.equals(found, expected)) {
      throw new UserError(
          "%s: %s is %s, expected %s as in training; encode as for training"
              .formatted(path, what, named(found), named(expected)));
    }
  }

  private static String named(String value) {
    return value == null ? "not said" : FileErrors.printable(value);
  }

  private static void apply(
      KnowledgeFile file,
      Path path,
      UserRecords users,
      KnowledgeLayers layers,
      UserRecords.Update update) {
    float[] vector = new float[file.width()];
    int read = 0;
    for (String id : file.ids()) {
      String key = PromptIds.userKey(id);
      if (key == null || leavesFoldOut(id, key, file, users)) {
        continue;
      }
      file.read(id, vector);
      for (float element : vector) {
        if (!Float.isFinite(element)) {
          throw new UserError(
              path
                  + ": the vector '"
                  + FileErrors.printable(id)
                  + "' is not finite; encode it again");
        }
      }
      update.apply(key, vector, layers);
      read++;
    }
    if (read == 0) {
      throw new UserError(path + ": holds no user's vector, expected ids such as 'user/KEY'");
    }
  }

  /** A user whose very key ends like a fold is one. */
  private static boolean leavesFoldOut(
      String id, String key, KnowledgeFile file, UserRecords users) {
    String complete = PromptIds.withoutFold(id);
    return !complete.equals(id)
        && file.row(complete).isPresent()
        && users.find(key) == KeyIndex.ABSENT;
  }
}
