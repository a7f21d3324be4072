package org.llm4msr.cuda;

import java.lang.foreign.MemorySegment;

/**
 * Copies between the host's memory and the device's by way of pinned memory, two pieces in turn:
 * one is filled while the other is on its way.
 */
final class Transfers implements AutoCloseable {
  private static final long PIECE = 4L << 20;

  /** Where pieces begin that share a piece of pinned memory. */
  private static final long ALIGNMENT = 64;

  private final Stream stream;
  private final Piece[] up;
  private final Piece[] down;
  private int filling;

  /** Pinned memory, and when the device has done with it. */
  private static final class Piece implements AutoCloseable {
    private final PinnedMemory memory = PinnedMemory.allocate(PIECE);
    private final Event done;
    private long used;

    Piece() {
      try {
        done = Event.create();
      } catch (RuntimeException e) {
        memory.close();
        throw e;
      }
    }

    MemorySegment slice(long at, long bytes) {
      return memory.segment().asSlice(at, bytes);
    }

    @Override
    public void close() {
      done.close();
      memory.close();
    }
  }

  Transfers(Stream stream) {
    this.stream = stream;
    up = new Piece[2];
    down = new Piece[2];
    try {
      for (int i = 0; i < 2; i++) {
        up[i] = new Piece();
        down[i] = new Piece();
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /** Issues a copy; the host's memory may change as soon as this returns. */
  void upload(MemorySegment host, long address) {
    for (long at = 0; at < host.byteSize(); ) {
      if (PIECE - up[filling].used < Math.min(PIECE, host.byteSize() - at)) {
        up[filling].done.record(stream);
        filling = 1 - filling;
        up[filling].done.synchronize();
        up[filling].used = 0;
      }
      Piece piece = up[filling];
      long bytes = Math.min(PIECE, host.byteSize() - at);
      MemorySegment pinned = piece.slice(piece.used, bytes);
      pinned.copyFrom(host.asSlice(at, bytes));
      CudaException.check(
          Driver.copyToDevice(address + at, pinned, stream.pointer()), "cuMemcpyHtoDAsync");
      piece.used = Math.min(PIECE, Math.ceilDiv(piece.used + bytes, ALIGNMENT) * ALIGNMENT);
      at += bytes;
    }
  }

  /** Copies; everything issued before has run when it returns. */
  void download(long address, MemorySegment host) {
    long total = host.byteSize();
    if (total == 0) {
      stream.synchronize();
      return;
    }
    issue(address, 0, total);
    for (long at = 0; at < total; at += PIECE) {
      if (at + PIECE < total) {
        issue(address, at + PIECE, total);
      }
      Piece piece = down[(int) (at / PIECE % 2)];
      piece.done.synchronize();
      long bytes = Math.min(PIECE, total - at);
      host.asSlice(at, bytes).copyFrom(piece.slice(0, bytes));
    }
  }

  private void issue(long address, long at, long total) {
    Piece piece = down[(int) (at / PIECE % 2)];
    MemorySegment pinned = piece.slice(0, Math.min(PIECE, total - at));
    CudaException.check(
        Driver.copyToHost(pinned, address + at, stream.pointer()), "cuMemcpyDtoHAsync");
    piece.done.record(stream);
  }

  @Override
  public void close() {
    for (int i = 0; i < 2; i++) {
      if (up[i] != null) {
        up[i].close();
      }
      if (down[i] != null) {
        down[i].close();
      }
    }
  }
}
