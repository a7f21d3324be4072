package org.llm4msr.model.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.llm4msr.runtime.UserError;

/**
 * A file that appears whole or not at all: written under a temporary name in the same folder,
 * forced to the disk, then renamed over the target. Closed without {@link #commit}, it leaves no
 * trace.
 */
public final class AtomicFile implements AutoCloseable {
  private final Path target;
  private final Path temporary;
  private final FileChannel channel;
  private boolean committed;

  private AtomicFile(Path target, Path temporary, FileChannel channel) {
    this.target = target;
    this.temporary = temporary;
    this.channel = channel;
  }

  /**
   * Begins a file.
   *
   * @throws UserError if it cannot be created or the target is a folder or a device
   */
  public static AtomicFile create(Path target) {
    if (Files.exists(target) && !Files.isRegularFile(target)) {
      throw new UserError(target + ": cannot write: exists and is not a regular file");
    }
    Path temporary =
        target.resolveSibling(
            "." + target.getFileName() + "." + ProcessHandle.current().pid() + ".tmp");
    try {
      FileChannel channel =
          FileChannel.open(
              temporary,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE);
      // Ctrl-C must leave no trace either; after a commit there is nothing of this name.
      temporary.toFile().deleteOnExit();
      return new AtomicFile(target, temporary, channel);
    } catch (IOException e) {
      throw FileErrors.writing(target, e);
    }
  }

  /**
   * Appends all remaining bytes.
   *
   * @throws UserError if the disk is full, for example
   */
  public void write(ByteBuffer bytes) {
    try {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    } catch (IOException e) {
      throw FileErrors.writing(target, e);
    }
  }

  /**
   * Puts the file in its place, replacing an older one.
   *
   * @throws UserError if that fails; an older file is then untouched
   */
  public void commit() {
    try {
      channel.force(true);
      channel.close();
      Files.move(
          temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      committed = true;
      forceFolder();
    } catch (IOException e) {
      throw FileErrors.writing(target, e);
    }
  }

  /** The rename itself must survive a power cut too. */
  private void forceFolder() throws IOException {
    try (FileChannel folder =
        FileChannel.open(target.toAbsolutePath().getParent(), StandardOpenOption.READ)) {
      folder.force(true);
    }
  }

  /** Removes what was written unless it has been committed. */
  @Override
  public void close() {
    if (committed) {
      return;
    }
    try {
      channel.close();
      Files.deleteIfExists(temporary);
    } catch (IOException e) {
      throw FileErrors.writing(temporary, e);
    }
  }
}
