package org.llm4msr.opencl;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * Built programs in the user's cache folder, one file for each device and source: building takes
 * seconds. A file begins with the hash of what follows, so that a damaged one never reaches the
 * driver. Where nothing can be written, everything is built anew.
 */
final class BinaryCache {
  private static final int HASH_BYTES = 32;

  private final Path folder;

  BinaryCache(Path folder) {
    this.folder = folder;
  }

  /** In {@code $XDG_CACHE_HOME/llm4msr/opencl}, or that of {@code ~/.cache}. */
  static BinaryCache ofUser() {
    String configured = System.getenv("XDG_CACHE_HOME");
    Path base =
        configured == null || configured.isBlank()
            ? Path.of(System.getProperty("user.home"), ".cache")
            : Path.of(configured);
    return new BinaryCache(base.resolve("llm4msr").resolve("opencl"));
  }

  /** A name for what was built from all these. */
  static String key(String... parts) {
    MessageDigest digest = sha256();
    for (String part : parts) {
      byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
      digest.update((bytes.length + ":").getBytes(StandardCharsets.UTF_8));
      digest.update(bytes);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** The binary, or null if there is none that is whole. */
  byte[] load(String key) {
    try {
      byte[] file = Files.readAllBytes(folder.resolve(key));
      if (file.length <= HASH_BYTES) {
        return null;
      }
      byte[] binary = Arrays.copyOfRange(file, HASH_BYTES, file.length);
      byte[] expected = Arrays.copyOf(file, HASH_BYTES);
      return MessageDigest.isEqual(expected, sha256().digest(binary)) ? binary : null;
    } catch (IOException e) {
      return null;
    }
  }

  void store(String key, byte[] binary) {
    try {
      Files.createDirectories(
          folder,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      Path file = Files.createTempFile(folder, "new", null);
      try {
        byte[] content = Arrays.copyOf(sha256().digest(binary), HASH_BYTES + binary.length);
        System.arraycopy(binary, 0, content, HASH_BYTES, binary.length);
        Files.write(file, content);
        Files.move(file, folder.resolve(key), StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(file);
      }
    } catch (IOException | UnsupportedOperationException e) {
      // Only slower next time.
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
