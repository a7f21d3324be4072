package org.llm4msr.model.data;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;
import org.llm4msr.runtime.UserError;

/**
 * Owner of the columns of a log: on the heap, or in memory-mapped files, which the system writes
 * out and reads in as memory allows.
 *
 * <p>The files lose their names as soon as they are open: they vanish with the process, however it
 * ends.
 */
public final class ColumnStore implements AutoCloseable {
  private final Path folder;
  private final Set<Column> columns = Collections.newSetFromMap(new IdentityHashMap<>());

  private ColumnStore(Path folder) {
    this.folder = folder;
  }

  /** Columns on the heap; closing is not needed. */
  public static ColumnStore onHeap() {
    return new ColumnStore(null);
  }

  /** Columns in files of {@code folder}, to be closed when nothing reads them any more. */
  public static ColumnStore inFiles(Path folder) {
    return new ColumnStore(folder);
  }

  /** An empty column. */
  Column column() {
    Column column = new Column(this, folder == null ? null : open());
    columns.add(column);
    return column;
  }

  private FileChannel open() {
    try {
      return FileChannel.open(
          Files.createTempFile(folder, "llm4msr-", ".column"),
          StandardOpenOption.READ,
          StandardOpenOption.WRITE,
          StandardOpenOption.DELETE_ON_CLOSE);
    } catch (IOException e) {
      throw failure(e);
    }
  }

  UserError failure(IOException e) {
    return new UserError(
        folder
            + ": cannot keep the columns of the log there: "
            + e.getMessage()
            + "; LLM4MSR_JAVA_OPTS=-Djava.io.tmpdir=FOLDER chooses another folder",
        e);
  }

  void forget(Column column) {
    columns.remove(column);
  }

  /** Closes every column. */
  @Override
  public void close() {
    Set.copyOf(columns).forEach(Column::close);
  }
}
