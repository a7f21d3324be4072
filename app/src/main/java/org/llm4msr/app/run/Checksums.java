package org.llm4msr.app.run;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Field;

/** SHA-256 of what a run depends on. */
final class Checksums {
  private static final int PIECE_BYTES = 1 << 16;

  private Checksums() {}

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  static String hex(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest());
  }

  static String of(Path file) {
    FileErrors.requireFile(file);
    MessageDigest digest = sha256();
    byte[] piece = new byte[PIECE_BYTES];
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(piece); n >= 0; n = in.read(piece)) {
        digest.update(piece, 0, n);
      }
    } catch (IOException e) {
      throw FileErrors.reading(file, e);
    }
    return hex(digest);
  }

  /** Of everything in a data set that training and evaluation read. */
  static String of(Dataset dataset) {
    MessageDigest digest = sha256();
    dataset.scenarios().forEach(scenario -> text(digest, scenario.name()));
    for (Field field : dataset.fields()) {
      text(digest, field.name());
      field.vocabulary().values().forEach(value -> text(digest, value));
      boolean own = field.table().equals(field.name());
      if (!own || field.dim() > 0 || !field.isNamed()) {
        text(digest, field.table() + " of " + field.vocabulary().size() + " x " + field.dim());
      }
    }
    for (int user = 0; user < dataset.users(); user++) {
      text(digest, dataset.userKey(user));
    }
    int columns = 5 + dataset.idColumns() + dataset.factorColumns() + dataset.externalColumns();
    ByteBuffer numbers = ByteBuffer.allocate(columns * Integer.BYTES);
    for (int row = 0; row < dataset.rows(); row++) {
      numbers.clear();
      numbers.putInt(dataset.user(row)).putInt(dataset.item(row)).putInt(dataset.scenario(row));
      numbers.putInt(dataset.label(row)).putInt(dataset.split(row).ordinal());
      for (Field field : dataset.fields()) {
        int entry = dataset.entry(field, row);
        for (int k = 0; k < field.length(); k++) {
          numbers.putInt(field.id(entry, k));
          if (field.isWeighted()) {
            numbers.putFloat(field.factor(entry, k));
          }
        }
      }
      for (float number : dataset.external(row)) {
        numbers.putFloat(number);
      }
      digest.update(numbers.flip());
    }
    return hex(digest);
  }

  /** With its length, so that texts cannot run into each other. */
  private static void text(MessageDigest digest, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).flip());
    digest.update(bytes);
  }
}
