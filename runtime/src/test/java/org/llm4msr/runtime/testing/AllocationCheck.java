package org.llm4msr.runtime.testing;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.llm4msr.runtime.memory.AllocationTracker;

/**
 * Fails a test class that leaves native memory open, and says where it was opened. JUnit registers
 * it by itself where the test jar of {@code runtime} is on the class path, because the build sets
 * {@code junit.jupiter.extensions.autodetection.enabled}; it sees something only under {@code
 * -Dllm4msr.checkAllocations=true}, which the build sets too.
 */
public final class AllocationCheck implements BeforeAllCallback, AfterAllCallback {
  private static final Namespace NAMESPACE = Namespace.create(AllocationCheck.class);

  /** What was open before the class began: an enclosing class may still use it. */
  private record Before(List<AllocationTracker.Entry> open) {}

  @Override
  public void beforeAll(ExtensionContext context) {
    context.getStore(NAMESPACE).put(context.getUniqueId(), new Before(AllocationTracker.open()));
  }

  @Override
  public void afterAll(ExtensionContext context) {
    Before before = context.getStore(NAMESPACE).get(context.getUniqueId(), Before.class);
    verify(context.getDisplayName(), before.open());
  }

  /** Fails if more is open than was before. */
  static void verify(String testClass, List<AllocationTracker.Entry> before) {
    List<AllocationTracker.Entry> left = new ArrayList<>(AllocationTracker.open());
    left.removeAll(new HashSet<>(before));
    if (!left.isEmpty()) {
      throw new AssertionError(describe(testClass, left));
    }
  }

  private static String describe(String testClass, List<AllocationTracker.Entry> left) {
    StringWriter text = new StringWriter();
    PrintWriter out = new PrintWriter(text);
    out.println(testClass + " leaves " + left.size() + " native allocations open:");
    for (AllocationTracker.Entry entry : left) {
      out.println("- " + entry.label() + ", " + entry.byteSize() + " bytes");
      entry.origin().printStackTrace(out);
    }
    return text.toString();
  }
}
