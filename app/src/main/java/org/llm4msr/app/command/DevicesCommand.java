package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
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
      for (ObjectNode device : describe(provider)) {
        boolean isDefault = preferred && device.get("available").booleanValue();
        preferred &= !isDefault;
        devices.add(device.put("default", isDefault));
      }
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

  /** A backend's devices by the names that {@code --device} takes, or why there are none. */
  private static List<ObjectNode> describe(BackendProvider provider) {
    Availability availability = provider.availability();
    if (!availability.available()) {
      return List.of(device(provider.name(), false, availability.explanation()));
    }
    List<String> descriptions = provider.devices();
    List<ObjectNode> devices = new ArrayList<>();
    for (int i = 0; i < descriptions.size(); i++) {
      String name = descriptions.size() == 1 ? provider.name() : provider.name() + ":" + i;
      devices.add(device(name, true, descriptions.get(i)));
    }
    return devices;
  }

  private static ObjectNode device(String name, boolean available, String description) {
    return JsonNodeFactory.instance
        .objectNode()
        .put("name", name)
        .put("available", available)
        .put("description", description);
  }
}
