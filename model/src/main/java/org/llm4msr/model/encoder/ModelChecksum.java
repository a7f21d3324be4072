package org.llm4msr.model.encoder;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.llm4msr.model.checkpoint.FileErrors;

/** Tells models apart by their content: config and weights, wherever they lie. */
final class ModelChecksum {
  private static final int PIECE_BYTES = 1 << 20;

  private ModelChecksum() {}

  /**
   * {@code sha256:} and the hash of the files' names, lengths and bytes, in the order given.
   *
   * @throws org.llm4msr.runtime.UserError if a file cannot be read
   */
  static String of(List<Path> files) {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
    ByteBuffer piece = ByteBuffer.allocate(PIECE_BYTES);
    for (Path file : files) {
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
        String heading = file.getFileName() + "\n" + channel.size() + "\n";
        digest.update(heading.getBytes(StandardCharsets.UTF_8));
        while (channel.read(piece) >= 0) {
          digest.update(piece.flip());
          piece.clear();
        }
      } catch (IOException e) {
        throw FileErrors.reading(file, e);
      }
    }
    return "sha256:" + HexFormat.of().formatHex(digest.digest());
  }
}
