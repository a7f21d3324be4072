package org.llm4msr.app.run;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.llm4msr.app.run.RunConfig.Environment;
import tools.jackson.databind.node.ArrayNode;

/**
 * Where the runs of a comparison took place, one entry for each run. Backend, threads and version
 * move results a little, so that runs of several kinds are not wholly comparable.
 */
public record RunEnvironments(List<Environment> all) {
  public RunEnvironments {
    all = List.copyOf(all);
  }

  /** What of an environment moves results. */
  private record Kind(String version, String device, String description, int threads) {
    static Kind of(Environment environment) {
      return new Kind(
          environment.version(),
          environment.device(),
          environment.description(),
          environment.threads());
    }

    @Override
    public String toString() {
      return "version %s, %s (%s), --threads %d".formatted(version, device, description, threads);
    }
  }

  /** How many runs there are of each kind. */
  private Map<Kind, Long> kinds() {
    return all.stream()
        .collect(Collectors.groupingBy(Kind::of, LinkedHashMap::new, Collectors.counting()));
  }

  /** One line for the reader where not all runs are of one kind. */
  public Optional<String> warning() {
    Map<Kind, Long> kinds = kinds();
    if (kinds.size() < 2) {
      return Optional.empty();
    }
    String each =
        kinds.entrySet().stream()
            .map(kind -> kind.getValue() + " with " + kind.getKey())
            .collect(Collectors.joining("; "));
    return Optional.of(
        "runs of this comparison differ in version, backend or threads, which moves results a"
            + " little: "
            + each);
  }

  /** Each kind and its number of runs. */
  void writeTo(ArrayNode array) {
    kinds()
        .forEach((kind, runs) ->
            array
                .addObject()
                .put("version", kind.version)
                .put("device", kind.device)
                .put("description", kind.description)
                .put("threads", kind.threads)
                .put("runs", runs));
  }
}
