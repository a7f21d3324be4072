package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * What tests set in the stand-in for the driver (src/test/native), and what it has noted. On a real
 * driver it notes nothing, and tests that set something are skipped. A class of tests that is
 * extended with it fails if something is wrong at its end.
 */
public final class StandIn implements AfterAllCallback {
  private static final int REPORT_BYTES = 1 << 14;

  /** Ends a class of tests that is extended with this. */
  @Override
  public void afterAll(ExtensionContext context) {
    assertNothingWrong();
  }

  private static MemorySegment symbol(String name) {
    try {
      SymbolLookup library = DriverLibrary.lookup();
      return library.find(name).orElse(null);
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  public static boolean isThere() {
    return symbol("standin_set") != null;
  }

  /** Skips the test, loudly, where there is no stand-in. */
  static void require() {
    if (!isThere()) {
      System.out.println("[skipped] no stand-in for the NVIDIA driver here");
      assumeTrue(false, "no stand-in for the NVIDIA driver");
    }
  }

  static void set(String name, long value) {
    assertThat(call("standin_set", name, value)).as(name).isZero();
  }

  /** How often something has happened, or a kernel has run, since the last reset. */
  public static long count(String name) {
    long count = call("standin_count", name, 0);
    assertThat(count).as(name).isNotNegative();
    return count;
  }

  /** What choose.h chooses: the kernel's number, then its blocks in the lower 32 bits. */
  static long choose(
      int m,
      int n,
      int k,
      boolean gated,
      boolean half,
      boolean mapped,
      boolean hopper,
      int multiprocessors) {
    MemoryLayout[] arguments = new MemoryLayout[8];
    Arrays.fill(arguments, JAVA_INT);
    try {
      return (long)
          Linker.nativeLinker()
              .downcallHandle(symbol("standin_choose"), FunctionDescriptor.of(JAVA_LONG, arguments))
              .invokeExact(
                  m,
                  n,
                  k,
                  gated ? 1 : 0,
                  half ? 1 : 0,
                  mapped ? 1 : 0,
                  hopper ? 1 : 0,
                  multiprocessors);
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  static void reset() {
    MemorySegment symbol = symbol("standin_reset");
    if (symbol != null) {
      try {
        MethodHandle reset =
            Linker.nativeLinker().downcallHandle(symbol, FunctionDescriptor.ofVoid());
        reset.invokeExact();
      } catch (Throwable e) {
        throw new AssertionError(e);
      }
    }
  }

  /** What should not have been done, and what is open, one line each. */
  static String report() {
    MemorySegment symbol = symbol("standin_report");
    if (symbol == null) {
      return "";
    }
    try (Arena arena = Arena.ofConfined()) {
      MethodHandle report =
          Linker.nativeLinker()
              .downcallHandle(symbol, FunctionDescriptor.ofVoid(ADDRESS, JAVA_LONG));
      MemorySegment text = arena.allocate(REPORT_BYTES);
      report.invokeExact(text, (long) REPORT_BYTES);
      return text.getString(0);
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /** All is closed, and nothing was done that a driver might not survive. */
  static void assertNothingWrong() {
    String report = report();
    reset();
    assertThat(report).isEmpty();
  }

  private static long call(String function, String name, long value) {
    try (Arena arena = Arena.ofConfined()) {
      MethodHandle handle =
          Linker.nativeLinker()
              .downcallHandle(
                  symbol(function), FunctionDescriptor.of(JAVA_LONG, ADDRESS, JAVA_LONG));
      MemorySegment text = arena.allocateFrom(name);
      return (long) handle.invokeExact(text, value);
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }
}
