package org.llm4msr.model.encoder;

import java.util.Set;
import org.llm4msr.model.family.TensorNames.Role;
import org.llm4msr.runtime.Tensor;

/** Names in the parameter store, the same for all families. */
final class Parameters {
  /** Matrices that are no layer's. */
  private static final Set<String> OUTSIDE =
      Set.of(weight(Role.EMBEDDING), weight(Role.POSITIONS), weight(Role.HEAD));

  private Parameters() {}

  /** Whether the parameter of this name is a matrix that states are multiplied with in a layer. */
  static boolean isLayerMatrix(String name, Tensor tensor) {
    return tensor.shape().rank() == 2 && !OUTSIDE.contains(name);
  }

  /** A weight outside the layers. */
  static String weight(Role role) {
    return role.name().toLowerCase(java.util.Locale.ROOT) + ".weight";
  }

  static String bias(Role role) {
    return role.name().toLowerCase(java.util.Locale.ROOT) + ".bias";
  }

  /** A weight of one layer. */
  static String weight(int layer, Role role) {
    return "layers." + layer + "." + weight(role);
  }

  static String bias(int layer, Role role) {
    return "layers." + layer + "." + bias(role);
  }
}
