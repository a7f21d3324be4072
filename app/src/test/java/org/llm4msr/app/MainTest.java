package org.llm4msr.app;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.backend.DeviceException;

class MainTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... args) {
    return Main.run(args, new PrintWriter(out, true), new PrintWriter(err, true));
  }

  @Test
  void helpListsExamplesAndExitCodes() {
    assertThat(run("--help")).isZero();
    assertThat(out.toString()).contains("Usage: llm4msr", "Examples:", "Exit codes:");
  }

  @Test
  void versionNamesTheProgramAndTheJavaVersion() {
    assertThat(run("--version")).isZero();
    assertThat(out.toString()).contains("llm4msr", "Java 2");
  }

  @Test
  void noCommandIsWrongUsage() {
    assertThat(run()).isEqualTo(2);
    assertThat(err.toString()).startsWith("llm4msr: Missing command").contains("--help");
  }

  @Test
  void anUnknownOptionIsWrongUsageAndSuggestsTheNearest() {
    assertThat(run("--verison")).isEqualTo(2);
    assertThat(err.toString()).contains("--verison", "--version");
  }

  @Test
  void aDeviceThatFailsIsNoInternalError() {
    String lost = "clFinish failed with CL_OUT_OF_RESOURCES\nsecond line";
    assertThat(Main.describe(new DeviceException(lost)))
        .startsWith("the device failed: clFinish failed with CL_OUT_OF_RESOURCES (")
        .contains("the same command goes on from there", "--device cpu")
        .doesNotContain("second line");
  }
}
