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
   * @param name of a backend, such as {@code cpu}, or of one of its devices, such as {@code
   *     opencl:1}; without a number it is the one that {@code options} names
   * @throws UserError if there is none of that name, or it cannot run here
   */
  public static Backend open(String name, BackendOptions options) {
    int colon = name.indexOf(':');
    BackendProvider provider = provider(colon < 0 ? name : name.substring(0, colon));
    BackendProvider.Availability availability = provider.availability();
    if (!availability.available()) {
      throw new UserError(
          "the backend '" + provider.name() + "' is not available: " + availability.explanation());
    }
    int device = colon < 0 ? options.device() : number(name, name.substring(colon + 1));
    int devices = provider.devices().size();
    if (device >= devices) {
      throw new UserError(
          "there is no device '"
              + provider.name()
              + ":"
              + device
              + "'; the backend '"
              + provider.name()
              + "' has "
              + (devices == 1 ? "one device, number 0" : devices + " devices, from number 0"));
    }
    return provider.open(new BackendOptions(options.threads(), device));
  }

  private static int number(String name, String digits) {
    if (!digits.matches("[0-9]{1,4}")) {
      throw new UserError("the device '" + name + "': expected a number after the colon");
    }
    return Integer.parseInt(digits);
  }

  private static BackendProvider provider(String name) {
    List<BackendProvider> providers = providers();
    for (BackendProvider provider : providers) {
      if (provider.name().equals(name)) {
        return provider;
      }
    }
    throw new UserError(
        "no backend is called '"
            + name
            + "'; there are "
            + String.join(", ", providers.stream().map(BackendProvider::name).toList()));
  }
}
