package org.llm4msr.runtime.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.BackendProvider;
import org.llm4msr.runtime.backend.reference.ReferenceBackend;
import org.llm4msr.runtime.op.BlockInt8MatMulOp;
import org.llm4msr.runtime.op.FusedOp;
import org.llm4msr.runtime.op.Int8MatMulOp;
import org.llm4msr.runtime.op.Op;

/**
 * Every operator on a backend, against the reference backend in double on the same inputs. A
 * backend is done when it passes. A subclass says which backends; at its end a table of operators,
 * cases and largest errors is in {@code target/conformance}.
 */
@ParameterizedClass(name = "{0}")
@MethodSource("targets")
public abstract class ConformanceSuite {
  /**
   * These have every operator but fused ones that they don't ask for; others may lack some, which
   * is reported as skipped.
   */
  private static final Set<String> COMPLETE = Set.of("reference", "cpu", "opencl", "cuda");

  /** What a complete one lacks all the same. */
  private static final Set<Class<? extends Op>> OF_INTEGERS =
      Set.of(Int8MatMulOp.class, BlockInt8MatMulOp.class);

  private static final Map<String, Set<Class<? extends Op>>> LACKING =
      Map.of("opencl", OF_INTEGERS, "cuda", OF_INTEGERS);

  private static final Map<Target, Backend> OPEN = new HashMap<>();
  private static final ReferenceBackend ORACLE = new ReferenceBackend();
  private static final Map<Target, ConformanceTable> TABLES = new LinkedHashMap<>();

  /**
   * A backend with a number of threads.
   *
   * @param label names its table
   */
  public record Target(BackendProvider provider, int threads, String label) {
    public Target(BackendProvider provider, int threads) {
      this(provider, threads, provider.name());
    }

    @Override
    public String toString() {
      return label + ", threads " + threads;
    }
  }

  @Parameter Target target;

  public static List<ConformanceCase> cases() {
    return Cases.all();
  }

  public static List<ConformanceCase> invalidCases() {
    return InvalidCases.all();
  }

  @BeforeEach
  void skipIfUnavailable() {
    BackendProvider.Availability availability = target.provider().availability();
    assumeTrue(availability.available(), () -> target + ": " + availability.explanation());
  }

  @AfterAll
  static void closeBackends() throws IOException {
    for (Map.Entry<Target, ConformanceTable> table : TABLES.entrySet()) {
      table.getValue().write(table.getKey().toString());
    }
    TABLES.clear();
    OPEN.values().forEach(Backend::close);
    OPEN.clear();
  }

  /** The largest error that is allowed; a backend that rounds more by design says where. */
  protected double maxNmse(ConformanceCase conformanceCase) {
    return conformanceCase.maxNmse();
  }

  private Backend backend() {
    return OPEN.computeIfAbsent(target, t -> t.provider().open(new BackendOptions(t.threads())));
  }

  private CaseRun bind(ConformanceCase conformanceCase) {
    try {
      return new CaseRun(backend(), conformanceCase);
    } catch (UnsupportedOperationException e) {
      String name = target.provider().name();
      Op op = conformanceCase.op();
      boolean expected =
          !COMPLETE.contains(name)
              || LACKING.getOrDefault(name, Set.of()).contains(op.getClass())
              || op instanceof FusedOp fused && !backend().fuses(fused, conformanceCase.types());
      assumeFalse(expected, target + ": " + e.getMessage());
      throw e;
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void agreesWithTheReference(ConformanceCase conformanceCase) {
    try (CaseRun run = bind(conformanceCase);
        CaseRun oracle = new CaseRun(ORACLE, conformanceCase, DType.F64)) {
      List<Extents> sizes =
          List.of(
              conformanceCase.largest(),
              conformanceCase.scaled(2, 3),
              conformanceCase.scaled(0, 1),
              conformanceCase.largest());
      List<List<double[]>> results = new ArrayList<>();
      for (Extents extents : sizes) {
        run.prepare(extents);
        run.run();
        assertThat(run.trespasses()).as("%s", conformanceCase).isEmpty();
        results.add(run.results());
      }
      for (int size = 0; size < 3; size++) {
        oracle.prepare(sizes.get(size));
        oracle.run();
        List<double[]> expected = oracle.results();
        for (int i = 0; i < expected.size(); i++) {
          double error = nmse(results.get(size).get(i), expected.get(i));
          boolean rounded = maxNmse(conformanceCase) > conformanceCase.maxNmse();
          TABLES
              .computeIfAbsent(target, t -> new ConformanceTable())
              .add(conformanceCase, rounded, error);
          assertThat(error)
              .as("%s: normalised mean squared error of result %d", conformanceCase, i)
              .isLessThanOrEqualTo(maxNmse(conformanceCase));
        }
      }
      for (int i = 0; i < results.get(0).size(); i++) {
        assertThat(results.get(3).get(i))
            .as("%s: result %d of the second run, to the bit", conformanceCase, i)
            .isEqualTo(results.get(0).get(i));
      }
    }
  }

  @ParameterizedTest(name = "{0} {index}")
  @MethodSource("invalidCases")
  void refusesIndicesOutOfRange(ConformanceCase conformanceCase) {
    try (CaseRun run = bind(conformanceCase)) {
      run.prepare(conformanceCase.largest());
      assertThatThrownBy(run::run)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(conformanceCase.op().name());
      assertThat(run.trespasses()).isEmpty();
    }
  }

  /** Squared error relative to the expected energy; what F32 cannot hold counts as zero. */
  private static double nmse(double[] actual, double[] expected) {
    assertThat(actual).hasSameSizeAs(expected);
    double error = 0;
    double energy = 0;
    for (int i = 0; i < expected.length; i++) {
      error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
      energy += expected[i] * expected[i] + Float.MIN_NORMAL * (double) Float.MIN_NORMAL;
    }
    return error == 0 ? 0 : error / energy;
  }
}
