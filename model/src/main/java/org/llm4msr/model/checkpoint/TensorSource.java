package org.llm4msr.model.checkpoint;

import java.util.Set;
import org.llm4msr.runtime.UserError;

/** Named tensors of one or several open files. */
public interface TensorSource {
  /** All names, in no particular order. */
  Set<String> names();

  /**
   * The tensor of this name.
   *
   * @throws UserError if there is none
   */
  StoredTensor tensor(String name);
}
