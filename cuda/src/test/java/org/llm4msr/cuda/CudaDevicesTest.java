package org.llm4msr.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;

/** What the backend says about drivers and devices, one line each. */
class CudaDevicesTest {
  private static final String DRIVER = "llm4msr.cuda.driver";

  @AfterEach
  void nothingIsWrong() {
    StandIn.assertNothingWrong();
  }

  private static String reason() {
    CudaDevices.Found found = CudaDevices.look();
    assertThat(found.availability().available()).isFalse();
    assertThat(found.devices()).isEmpty();
    assertThat(found.availability().explanation()).doesNotContain("\n");
    return found.availability().explanation();
  }

  @Test
  void noDriver() {
    assumeTrue(Modules.built());
    String driver = System.getProperty(DRIVER);
    System.setProperty(DRIVER, "libcuda.so.nowhere");
    try {
      assertThat(reason()).isEqualTo("no NVIDIA driver (libcuda.so.nowhere not found)");
    } finally {
      System.setProperty(DRIVER, driver);
    }
  }

  @Test
  void aLibraryThatIsNoDriver() {
    assumeTrue(Modules.built());
    String driver = System.getProperty(DRIVER);
    System.setProperty(DRIVER, "libc.so.6");
    try {
      assertThat(reason()).isEqualTo("libc.so.6 is not an NVIDIA driver");
    } finally {
      System.setProperty(DRIVER, driver);
    }
  }

  @Test
  void anOldDriver() {
    StandIn.require();
    StandIn.set("driver", 11040);
    assertThat(reason())
        .isEqualTo(
            "the NVIDIA driver is too old: it is for CUDA 11.4, needed is one for CUDA 12.0 or"
                + " newer");
  }

  @Test
  void aDriverThatCannotReadThePtx() {
    StandIn.require();
    StandIn.set("driver", 12040);
    assertThat(reason())
        .isEqualTo(
            "no NVIDIA GPU can be used: stand-in GPU: driver too old for it: the driver is for CUDA"
                + " 12.4, needed is one for CUDA 13.0");
    // Hopper has binaries.
    StandIn.set("capability", 90);
    assertThat(CudaDevices.look().availability().available()).isTrue();
  }

  @Test
  void noDevice() {
    StandIn.require();
    StandIn.set("devices", 0);
    assertThat(reason()).isEqualTo("the NVIDIA driver knows no GPU");
  }

  @Test
  void anOldDevice() {
    StandIn.require();
    StandIn.set("capability", 75);
    assertThat(reason())
        .isEqualTo(
            "no NVIDIA GPU can be used: stand-in GPU: compute capability 7.5, needed is 8.0 or"
                + " newer");
  }

  @Test
  void aSmallDevice() {
    StandIn.require();
    StandIn.set("memory", 512 << 20);
    assertThat(reason())
        .isEqualTo(
            "no NVIDIA GPU can be used: stand-in GPU: too little memory, 512 MiB of at least 1024"
                + " MiB");
  }

  @Test
  void aDeviceThatIsLocked() {
    StandIn.require();
    StandIn.set("prohibited", 1);
    assertThat(reason())
        .isEqualTo("no NVIDIA GPU can be used: stand-in GPU: its compute mode prohibits it");
  }

  @Test
  void eachDeviceIsALineAndHasANumber() {
    StandIn.require();
    StandIn.set("devices", 2);
    assertThat(CudaDevices.look().devices())
        .hasSize(2)
        .allMatch(device ->
            device
                .description()
                .equals(
                    "stand-in GPU, compute capability 8.6, driver for CUDA 13.0, 4 multiprocessors,"
                        + " 8192 MiB of memory"));
    try (Backend second = new CudaBackend(CudaDevices.look().devices().get(1))) {
      second.finish();
    }
  }

  @Test
  void devicesAreChosenByNumber() {
    CudaProvider provider = new CudaProvider();
    assumeTrue(provider.availability().available(), () -> provider.availability().explanation());
    Backends.open("cuda:0", BackendOptions.defaults()).close();
    assertThatThrownBy(() -> Backends.open("cuda:99", BackendOptions.defaults()))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("there is no device 'cuda:99'");
  }

  /** On Hopper it is the binary that is loaded; where the driver refuses it, the PTX. */
  @Test
  void hopperTakesTheBinary() {
    StandIn.require();
    assumeTrue(Path.of("../kernels/target/classes/cuda/portable.sm_90a.cubin").toFile().exists());
    StandIn.set("capability", 90);
    for (int refused = 0; refused < 2; refused++) {
      StandIn.set("refuse_cubin", refused);
      try (Backend backend = new CudaBackend(CudaDevices.look().devices().getFirst())) {
        backend.allocate(4, "a test").close();
      }
    }
  }
}
