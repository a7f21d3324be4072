package org.llm4msr.model.encoder;

import org.llm4msr.model.family.TensorNames.Role;

/** Names in the parameter store, the same for all families. */
final class Parameters {
  private Parameters() {}

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
