package org.llm4msr.bench.gpu;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.BackendProvider;
import org.llm4msr.runtime.backend.Backends;

/**
 * Measures workloads of one kind on a backend, or says what devices it has:
 *
 * <pre>
 * GpuBenchmark BACKEND devices
 * GpuBenchmark BACKEND matmul|attention|encoder|training FOLDER SECONDS SHAPE…
 * </pre>
 *
 * Each shape's result is a line in the folder's {@code measurements.jsonl}. {@code
 * bench/gpu/run.sh} has the shapes.
 */
public final class GpuBenchmark {
  private GpuBenchmark() {}

  public static void main(String[] arguments) {
    try {
      if (arguments[1].equals("devices")) {
        devices(arguments[0]);
        return;
      }
      Path folder = Path.of(arguments[2]);
      double seconds = Double.parseDouble(arguments[3]);
      for (String shape : Arrays.asList(arguments).subList(4, arguments.length)) {
        Measurement measurement = measure(arguments[0], arguments[1], shape, seconds);
        measurement.appendTo(folder.resolve("measurements.jsonl"));
        System.out.printf(
            Locale.ROOT,
            "%s: %.4g %s, median of %d runs%n",
            measurement.workload(),
            measurement.median(),
            measurement.unit(),
            measurement.runs());
      }
    } catch (UserError e) {
      System.err.println(e.getMessage());
      System.exit(1);
    }
  }

  private static void devices(String name) {
    for (BackendProvider provider : Backends.providers()) {
      if (provider.name().equals(name)) {
        if (!provider.availability().available()) {
          throw new UserError(name + " not available: " + provider.availability().explanation());
        }
        provider.devices().forEach(device -> System.out.println(name + ": " + device));
      }
    }
  }

  private static Measurement measure(String device, String kind, String shape, double seconds) {
    String name = kind + " " + shape;
    if (kind.equals("encoder")) {
      // It has a backend of its own.
      try (Workload workload = new EncoderWorkload(device, shape)) {
        return Measurement.take("llm4msr", name, workload, seconds);
      }
    }
    try (Backend backend = Backends.open(device, BackendOptions.defaults());
        Workload workload =
            switch (kind) {
              case "matmul" -> OperatorWorkload.matmul(backend, shape);
              case "attention" -> OperatorWorkload.attention(backend, shape);
              case "training" -> new StepWorkload(backend, shape);
              default -> throw new UserError("no workload is called '" + kind + "'");
            }) {
      return Measurement.take("llm4msr", name, workload, seconds);
    }
  }

  static int[] numbers(String shape) {
    return Arrays.stream(shape.split("[x:/]")).mapToInt(Integer::parseInt).toArray();
  }

  static DType dtype(String name) {
    return DType.valueOf(name.toUpperCase(Locale.ROOT));
  }
}
