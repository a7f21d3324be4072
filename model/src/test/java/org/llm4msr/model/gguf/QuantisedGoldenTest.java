package org.llm4msr.model.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.model.SharedFolder;
import org.llm4msr.model.TestFiles;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.model.checkpoint.StoredTensor;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.BackendProvider;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;
import org.llm4msr.runtime.quant.Quantiser;

/** Quantised weights against gguf-py: what they stand for, and how they are made. */
class QuantisedGoldenTest {
  private static final int ROWS = 4;

  static Stream<Arguments> typesAndBackends() {
    List<Arguments> arguments = new ArrayList<>();
    for (BackendProvider provider : Backends.providers()) {
      for (DType type : DType.values()) {
        boolean half = type == DType.F16 || type == DType.BF16;
        if (provider.availability().available() && (half || type.isQuantised())) {
          arguments.add(Arguments.of(type, provider));
        }
      }
    }
    return arguments.stream();
  }

  @ParameterizedTest
  @MethodSource("typesAndBackends")
  void standsForTheSameNumbers(DType type, BackendProvider provider) {
    try (Safetensors file =
            Safetensors.open(TestFiles.resource("golden/gguf/dequant_vectors.safetensors"));
        Backend backend = provider.open(new BackendOptions(1));
        ParameterStore weights = new ParameterStore(backend)) {
      StoredTensor raw = file.tensor(type + ".raw");
      float[] expected =
          file.tensor(type + ".f32").data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
      int width = expected.length / ROWS;
      weights.create("table", type, Shape.of(ROWS, width));
      backend.upload(raw.data(), weights.get("table").buffer(), 0);
      Graph graph = new Graph(DType.F32);
      Value ids = graph.input("ids", ValueType.of(DType.I32, Dim.of(ROWS)));
      Value rows = Ops.gather(graph.parameter("table", ValueType.of(type, ROWS, width)), ids);
      float[] actual = new float[expected.length];
      try (Plan plan = new Plan(backend, graph, weights, List.of(rows))) {
        for (int row = 0; row < ROWS; row++) {
          plan.input(ids).setAtIndex(ValueLayout.JAVA_INT, row, row);
        }
        plan.run();
        try (Arena arena = Arena.ofConfined()) {
          MemorySegment host = arena.allocate(actual.length * 4L, 4);
          plan.read(rows, host);
          MemorySegment.copy(host, ValueLayout.JAVA_FLOAT, 0, actual, 0, actual.length);
        }
      }
      for (int i = 0; i < actual.length; i++) {
        float tolerance = Float.isFinite(expected[i]) ? 2 * Math.ulp(expected[i]) : 0;
        assertThat(
                Float.compare(actual[i], expected[i]) == 0
                    || Float.isNaN(actual[i]) && Float.isNaN(expected[i])
                    || Math.abs(actual[i] - expected[i]) <= tolerance)
            .as("%s element %d: %s, expected %s", type, i, actual[i], expected[i])
            .isTrue();
      }
    }
  }

  static Stream<Arguments> quantisedModels() {
    return Stream.of(
        Arguments.of("llama-Q8_0.gguf", DType.Q8_0), Arguments.of("llama-Q4_0.gguf", DType.Q4_0));
  }

  /** The files hold the same weights, quantised by gguf-py: ours must be the same bytes. */
  @ParameterizedTest
  @MethodSource("quantisedModels")
  void quantisesToTheSameBytes(String name, DType type) {
    int compared = 0;
    try (GgufFile exact = GgufFile.open(SharedFolder.require("golden/gguf/llama-F32.gguf"));
        GgufFile quantised = GgufFile.open(TestFiles.resource("golden/gguf/" + name))) {
      for (String tensor : quantised.names()) {
        StoredTensor stored = quantised.tensor(tensor);
        if (stored.dtype() != type) {
          continue;
        }
        float[] values = exact.tensor(tensor).data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        byte[] bytes = new byte[(int) stored.data().byteSize()];
        Quantiser.quantise(type, values, bytes);
        byte[] expected = stored.data().toArray(ValueLayout.JAVA_BYTE);
        assertThat(Arrays.mismatch(bytes, expected)).as(tensor).isEqualTo(-1);
        compared++;
      }
    }
    assertThat(compared).isGreaterThan(10);
  }
}
