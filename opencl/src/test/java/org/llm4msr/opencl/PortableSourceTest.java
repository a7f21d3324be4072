package org.llm4msr.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The portable kernels are C++ for the host and for CUDA too; compiled where a compiler is. */
class PortableSourceTest {
  private static final int MINUTES = 3;

  @TempDir Path folder;

  @Test
  void compilesAsHostCpp() throws IOException, InterruptedException {
    Path source = write("kernels.cpp");
    compile(
        "g++",
        "-std=c++17",
        "-fsyntax-only",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unused-function",
        source.toString());
  }

  @Test
  void compilesAsCuda() throws IOException, InterruptedException {
    Path source = write("kernels.cu");
    Path ptx = folder.resolve("kernels.ptx");
    compile("nvcc", "-ptx", "-arch=compute_80", source.toString(), "-o", ptx.toString());
    assertThat(Files.readString(ptx)).contains(".entry matmul(", ".entry attention(");
  }

  /** All that is not for OpenCL alone. */
  private Path write(String name) throws IOException {
    return Files.writeString(folder.resolve(name), Program.source(Program.PORTABLE));
  }

  private void compile(String... command) throws IOException, InterruptedException {
    Process process;
    Path output = folder.resolve("output");
    try {
      process =
          new ProcessBuilder(List.of(command))
              .redirectErrorStream(true)
              .redirectOutput(output.toFile())
              .start();
    } catch (IOException e) {
      System.out.println("[skipped] no " + command[0] + " here");
      assumeTrue(false, "no " + command[0]);
      return;
    }
    assertThat(process.waitFor(MINUTES, TimeUnit.MINUTES)).isTrue();
    assertThat(process.exitValue()).as("%s", Files.readString(output)).isZero();
  }
}
