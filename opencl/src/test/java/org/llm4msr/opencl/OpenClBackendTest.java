package org.llm4msr.opencl;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.backend.DeviceBackendSuite;

/** Memory, faults and devices of the opencl backend. */
class OpenClBackendTest extends DeviceBackendSuite {
  OpenClBackendTest() {
    super(new OpenClProvider());
  }

  @Test
  void saysHowMuchMemoryIsMissing() {
    assertThatThrownBy(() -> backend().allocate(1L << 50, "the weights"))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("the weights needs 1073741824 MiB")
        .hasMessageContaining(" MiB that ");
  }

  @Test
  void devicesAreChosenByNumber() {
    Backends.open("opencl:0", BackendOptions.defaults()).close();
    assertThatThrownBy(() -> Backends.open("opencl:99", BackendOptions.defaults()))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("there is no device 'opencl:99'");
    assertThatThrownBy(() -> Backends.open("opencl:gpu", BackendOptions.defaults()))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("expected a number after the colon");
    assertThatThrownBy(() -> Backends.open("reference:1", BackendOptions.defaults()))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("one device, number 0");
  }
}
