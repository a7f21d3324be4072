package org.llm4msr.runtime.plan;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;

/**
 * Places every value of a plan in one workspace so that values which live at the same time do not
 * overlap: largest first, each at the lowest free offset (Pisarchyk and Lee 2020, "greedy by
 * size").
 */
final class MemoryPlan {
  private final int alignment;
  private final Map<Value, Value> roots = new HashMap<>();
  private final Map<Value, Block> blocks = new HashMap<>();
  private long byteSize;

  private static final class Block {
    private final long bytes;
    private final int first;
    private int last;
    private long offset;

    private Block(long bytes, int first, int last) {
      this.bytes = bytes;
      this.first = first;
      this.last = last;
    }

    private boolean livesWith(Block other) {
      return first <= other.last && other.first <= last;
    }
  }

  /**
   * @param nodes in the order in which they run
   * @param kept values that are read after the run
   * @param alignment bytes that offsets are multiples of
   */
  MemoryPlan(List<Node> nodes, List<Value> kept, int alignment) {
    this.alignment = alignment;
    for (int step = 0; step < nodes.size(); step++) {
      Node node = nodes.get(step);
      for (Value input : node.inputs()) {
        use(input, step);
      }
      for (Value output : node.outputs()) {
        if (node.op().isView()) {
          roots.put(output, root(node.input(0)));
        } else {
          blocks.put(output, new Block(bytes(output), step, step));
        }
      }
    }
    for (Value value : kept) {
      use(value, Integer.MAX_VALUE);
    }
    place();
  }

  /** Bytes of the workspace. */
  long byteSize() {
    return byteSize;
  }

  /** The value whose memory this one shares; itself unless it is a view. */
  Value root(Value value) {
    return roots.getOrDefault(value, value);
  }

  /** Whether the value lives in the workspace; parameters and constants do not. */
  boolean contains(Value value) {
    return blocks.containsKey(root(value));
  }

  long offset(Value value) {
    return blocks.get(root(value)).offset;
  }

  private void use(Value value, int step) {
    Value root = root(value);
    if (root.kind() == Value.Kind.INPUT) {
      // Written before the first step, and readable after the last.
      blocks.computeIfAbsent(root, input -> new Block(bytes(input), -1, Integer.MAX_VALUE));
    } else if (root.kind() == Value.Kind.COMPUTED) {
      Block block = blocks.get(root);
      block.last = Math.max(block.last, step);
    }
  }

  private long bytes(Value value) {
    long bytes = value.type().dtype().byteSize(value.type().maxElements());
    return Math.ceilDiv(bytes, alignment) * alignment;
  }

  private void place() {
    List<Block> bySize = new ArrayList<>(blocks.values());
    // Ties by lifetime keep the layout the same from run to run.
    bySize.sort(
        Comparator.comparingLong((Block block) -> -block.bytes)
            .thenComparingInt(block -> block.first)
            .thenComparingInt(block -> block.last));
    List<Block> placed = new ArrayList<>();
    for (Block block : bySize) {
      long offset = 0;
      for (Block other : placed) {
        if (other.offset - offset >= block.bytes) {
          break;
        }
        if (other.livesWith(block)) {
          offset = Math.max(offset, other.offset + other.bytes);
        }
      }
      block.offset = offset;
      byteSize = Math.max(byteSize, offset + block.bytes);
      placed.add(block);
      placed.sort(Comparator.comparingLong(other -> other.offset));
    }
  }
}
