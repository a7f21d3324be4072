package org.llm4msr.runtime.backend;

import java.lang.foreign.MemorySegment;
import org.llm4msr.runtime.DType;

/**
 * What a kernel sees of one input or output: fixed memory that holds the largest extents, and the
 * extents of the current run. Row-major and dense for the current extents.
 */
public interface Operand {
  DType dtype();

  int rank();

  /** Extent in the current run. */
  long dim(int axis);

  /** Elements in the current run. */
  long elements();

  /** Largest number of elements of any run. */
  long maxElements();

  /** Host memory of at least {@link #maxElements()} elements, from the first element on. */
  MemorySegment segment();

  /** Device address of the first element. */
  long address();
}
