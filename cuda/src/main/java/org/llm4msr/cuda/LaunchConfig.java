package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/**
 * A CUlaunchConfig for a launch in clusters, whose groups share their local memory (Hopper).
 * Offsets are those of cuda.h, which keeps them for its binary interface.
 */
final class LaunchConfig {
  private static final long BYTES = 56;
  private static final long GROUP = 12;
  private static final long SHARED_BYTES = 24;
  private static final long STREAM = 32;
  private static final long ATTRIBUTES = 40;
  private static final long ATTRIBUTE_COUNT = 48;

  private static final long ATTRIBUTE_BYTES = 72;
  private static final long ATTRIBUTE_VALUE = 8;
  private static final int CLUSTER_DIMENSION = 4;

  private LaunchConfig() {}

  /**
   * @param groups in all, a multiple of {@code cluster}
   * @param sharedBytes of dynamic local memory in a group
   * @param cluster groups in a cluster, 1 for none
   */
  static MemorySegment of(
      SegmentAllocator allocator,
      int groups,
      int groupSize,
      int sharedBytes,
      int cluster,
      Stream stream) {
    if (groups < 1 || groupSize < 1 || sharedBytes < 0 || cluster < 1 || groups % cluster != 0) {
      throw new IllegalArgumentException(
          groups + " groups of " + groupSize + " in clusters of " + cluster);
    }
    MemorySegment config = allocator.allocate(BYTES, Long.BYTES);
    setDimension(config, 0, groups);
    setDimension(config, GROUP, groupSize);
    config.set(JAVA_INT, SHARED_BYTES, sharedBytes);
    config.set(JAVA_LONG, STREAM, stream.pointer());
    MemorySegment attribute = allocator.allocate(ATTRIBUTE_BYTES, Long.BYTES);
    attribute.set(JAVA_INT, 0, CLUSTER_DIMENSION);
    setDimension(attribute, ATTRIBUTE_VALUE, cluster);
    config.set(ADDRESS, ATTRIBUTES, attribute);
    config.set(JAVA_INT, ATTRIBUTE_COUNT, 1);
    return config;
  }

  private static void setDimension(MemorySegment segment, long at, int x) {
    segment.set(JAVA_INT, at, x);
    segment.set(JAVA_INT, at + 4, 1);
    segment.set(JAVA_INT, at + 8, 1);
  }
}
