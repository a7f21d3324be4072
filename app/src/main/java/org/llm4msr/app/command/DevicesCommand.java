package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.BackendProvider;
import org.llm4msr.runtime.backend.BackendProvider.Availability;
import org.llm4msr.runtime.backend.Backends;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Lists the backends, and for those that cannot run here why not. */
@Command(
    name = "devices",
    description = "What this machine can compute on, and why not on the rest.",
    mixinStandardHelpOptions = true,
    footer = {"", "Example:", "  llm4msr devices --json"})
public final class DevicesCommand implements Callable<Integer> {
  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    ArrayNode devices = JsonNodeFactory.instance.arrayNode();
    boolean preferred = true;
    for (BackendProvider provider : Backends.providers()) {
      ObjectNode device = describe(provider);
      boolean isDefault = preferred && device.get("available").booleanValue();
      preferred &= !isDefault;
      devices.add(device.put("default", isDefault));
    }
    if (json) {
      Json.print(out, devices);
      return 0;
    }
    for (var device : devices) {
      String state = device.get("available").booleanValue() ? "available" : "not available";
      state += device.get("default").booleanValue() ? ", default" : "";
      out.printf(
          Locale.ROOT,
          "%-10s %-20s %s%n",
          device.get("name").stringValue(),
          state,
          device.get("description").stringValue());
    }
    out.flush();
    return 0;
  }

  /** An available backend is opened for a moment, because only then it knows what it uses. */
  private static ObjectNode describe(BackendProvider provider) {
    Availability availability = provider.availability();
    ObjectNode device = JsonNodeFactory.instance.objectNode().put("name", provider.name());
    device.put("available", availability.available());
    if (!availability.available()) {
      return device.put("description", availability.explanation());
    }
    try (Backend backend = provider.open(BackendOptions.defaults())) {
      return device.put("description", backend.description());
    }
  }
}
