package org.llm4msr.app.command;

import org.llm4msr.app.Main;
import org.llm4msr.app.run.RunConfig.Environment;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import picocli.CommandLine.Option;

/** Where a command computes. */
public final class DeviceOptions {
  @Option(
      names = "--device",
      paramLabel = "NAME",
      description =
          "Backend to compute on, or one of its devices (cuda:1); 'llm4msr devices' lists them."
              + " The best available one by default.")
  private String device;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads to compute with; all processors by default.")
  private Integer threads;

  /**
   * Opens the backend; the caller closes it.
   *
   * @throws UserError if it is unknown or cannot run here
   */
  public Backend open() {
    BackendOptions options = new BackendOptions(threads());
    return device == null ? Backends.openBest(options) : Backends.open(device, options);
  }

  /** Where a run takes place, for its configuration. */
  Environment environment(Backend backend) {
    return new Environment(
        Main.version(),
        Runtime.version().toString(),
        System.getProperty("os.name") + " " + System.getProperty("os.arch"),
        backend.name(),
        backend.description(),
        threads());
  }

  /** Name of the backend, or null for the best available one. */
  public String name() {
    return device;
  }

  /** How many threads the user wants. */
  public int threads() {
    if (threads == null) {
      return BackendOptions.defaults().threads();
    }
    if (threads < 1) {
      throw new UserError("--threads: expected at least 1, found " + threads);
    }
    return threads;
  }
}
