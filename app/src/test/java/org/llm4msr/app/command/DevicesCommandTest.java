package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.app.Main;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class DevicesCommandTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... args) {
    return Main.run(args, new PrintWriter(out, true), new PrintWriter(err, true));
  }

  @Test
  void everyBackendIsListedAndExactlyOneIsTheDefault() {
    assertThat(run("devices", "--json")).isZero();
    JsonNode devices = JsonMapper.shared().readTree(out.toString());
    assertThat(devices).isNotEmpty();
    assertThat(devices)
        .anyMatch(device ->
            device.get("name").stringValue().equals("reference")
                && device.get("available").booleanValue());
    assertThat(devices).filteredOn(device -> device.get("default").booleanValue()).hasSize(1);
    assertThat(devices).allMatch(device -> !device.get("description").stringValue().isBlank());
  }

  @ParameterizedTest
  @ValueSource(strings = {"opencl", "cuda"})
  void aGpuBackendIsListedWhetherItIsThereOrNot(String backend) {
    assertThat(run("devices", "--json")).isZero();
    JsonNode devices = JsonMapper.shared().readTree(out.toString());
    assertThat(devices)
        .anyMatch(device -> device.get("name").stringValue().startsWith(backend))
        .allMatch(device -> !device.get("description").stringValue().contains("\n"));
  }

  @Test
  void forPeopleEachBackendIsALine() {
    assertThat(run("devices")).isZero();
    assertThat(out.toString()).contains("reference", "available, default");
  }
}
