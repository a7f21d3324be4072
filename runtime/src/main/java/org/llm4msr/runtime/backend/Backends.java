package org.llm4msr.runtime.backend;

import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import org.llm4msr.runtime.UserError;

/** The backends on the class path. */
public final class Backends {
  private Backends() {}

  /** All providers, preferred ones first. */
  public static List<BackendProvider> providers() {
    return ServiceLoader.load(BackendProvider.class, Backends.class.getClassLoader()).stream()
        .map(ServiceLoader.Provider::get)
        .sorted(Comparator.comparingInt(BackendProvider::priority).reversed())
        .toList();
  }

  /** Opens the preferred backend that is available. */
  public static Backend openBest(BackendOptions options) {
    return providers().stream()
        .filter(provider -> provider.availability().available())
        .findFirst()
        .orElseThrow(() -> new UserError("no backend is available"))
        .open(options);
  }

  /**
   * @throws UserError if there is none of that name, or it cannot run here
   */
  public static Backend open(String name, BackendOptions options) {
    List<BackendProvider> providers = providers();
    for (BackendProvider provider : providers) {
      if (provider.name().equals(name)) {
        BackendProvider.Availability availability = provider.availability();
        if (!availability.available()) {
          throw new UserError(
              "the backend '" + name + "' is not available: " + availability.explanation());
        }
        return provider.open(options);
      }
    }
    throw new UserError(
        "no backend is called '"
            + name
            + "'; there are "
            + String.join(", ", providers.stream().map(BackendProvider::name).toList()));
  }
}
