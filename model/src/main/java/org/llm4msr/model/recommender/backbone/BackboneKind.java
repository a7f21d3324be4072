package org.llm4msr.model.recommender.backbone;

import static org.llm4msr.model.recommender.backbone.BackboneOption.count;
import static org.llm4msr.model.recommender.backbone.BackboneOption.number;
import static org.llm4msr.model.recommender.backbone.BackboneOption.widths;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.llm4msr.runtime.UserError;

/** Every backbone by the name that users give it, with its options. */
public enum BackboneKind {
  SHAREDBOTTOM(
      "one bottom, a tower per scenario (Caruana 1997)",
      o -> new SharedBottom(o.widths("hidden"), o.widths("tower")),
      Options.hidden("the bottom"),
      Options.TOWER),
  OMOE(
      "experts with one gate, a tower per scenario (Jacobs et al. 1991)",
      o -> new Omoe(o.count("experts"), o.widths("hidden"), o.widths("tower")),
      Options.EXPERTS,
      Options.hidden("each expert"),
      Options.TOWER),
  MMOE(
      "experts, a gate and a tower per scenario (Ma et al. 2018)",
      o -> new Mmoe(o.count("experts"), o.widths("hidden"), o.widths("tower")),
      Options.EXPERTS,
      Options.hidden("each expert"),
      Options.TOWER),
  PLE(
      "levels of shared and own experts (Tang et al. 2020)",
      o ->
          new Ple(
              o.count("levels"),
              o.count("specific_experts"),
              o.count("shared_experts"),
              o.widths("hidden"),
              o.widths("tower")),
      count("levels", 2, "how many"),
      Options.specificExperts(1),
      Options.sharedExperts(1),
      Options.hidden("each expert"),
      Options.TOWER),
  STAR(
      "shared weights times each scenario's own (Sheng et al. 2021)",
      o -> new Star(o.widths("hidden"), false, List.of(), 0),
      Options.LAYERS),
  STAR_PAPER(
      "STAR with partitioned normalisation and the auxiliary network",
      o -> new Star(o.widths("hidden"), true, o.widths("auxiliary"), o.count("scenario_dim")),
      Options.LAYERS,
      widths("auxiliary", "64,32", "widths of the auxiliary network"),
      Options.SCENARIO_DIM),
  AITM(
      "knowledge handed on from scenario to scenario (Xi et al. 2021)",
      o -> new Aitm(o.widths("hidden"), o.widths("tower")),
      Options.hidden("each scenario's bottom"),
      Options.TOWER),
  SARNET(
      "features scaled per scenario, debias experts (Shen et al. 2021)",
      o ->
          new SarNet(
              o.count("specific_experts"),
              o.count("shared_experts"),
              o.widths("hidden"),
              o.widths("tower")),
      Options.specificExperts(1),
      Options.sharedExperts(4),
      Options.hidden("each expert"),
      widths("tower", "64", "widths behind the mixture")),
  M2M(
      "attention and tower generated from the scenario (Zhang et al. 2022)",
      o ->
          new M2m(
              o.count("experts"),
              o.widths("hidden"),
              o.count("meta_dim"),
              o.count("meta_layers"),
              o.count("scenario_dim")),
      Options.EXPERTS,
      widths("hidden", "256,64", "widths of each expert"),
      count("meta_dim", 16, "width of the scenario knowledge"),
      count("meta_layers", 2, "layers of the meta tower"),
      Options.SCENARIO_DIM),
  ADASPARSE(
      "neurons weighed and pruned per scenario (Yang et al. 2022)",
      o ->
          new AdaSparse(
              o.widths("hidden"),
              o.number("alpha"),
              o.number("beta"),
              o.number("epsilon"),
              o.count("scenario_dim")),
      Options.LAYERS,
      number("alpha", 1, "steepness of the pruner"),
      number("beta", 2, "largest weight of a neuron"),
      number("epsilon", 0.01, "neurons below it are pruned"),
      Options.SCENARIO_DIM),
  ADAPTDHM(
      "clusters of rows in the place of scenarios (Li et al. 2022)",
      o -> new AdaptDhm(o.widths("hidden"), o.count("clusters"), o.count("scenario_dim")),
      Options.LAYERS,
      count("clusters", 3, "how many"),
      Options.SCENARIO_DIM),
  EPNET(
      "features gated by the scenario (Chang et al. 2023)",
      o -> new EpNet(o.widths("hidden"), o.count("gate"), o.count("scenario_dim")),
      Options.LAYERS,
      Options.GATE,
      Options.SCENARIO_DIM),
  PPNET(
      "towers gated by user and item (Chang et al. 2023)",
      o -> new PpNet(o.widths("hidden"), o.count("gate"), o.names("prior")),
      Options.hidden("each tower"),
      Options.GATE,
      Options.PRIOR),
  PEPNET(
      "EPNet's gate and PPNet's towers (Chang et al. 2023)",
      o ->
          new PepNet(
              o.widths("hidden"), o.count("gate"), o.names("prior"), o.count("scenario_dim")),
      Options.hidden("each tower"),
      Options.GATE,
      Options.PRIOR,
      Options.SCENARIO_DIM),
  HAMUR(
      "scenario adapters by a hyper-network (Li et al. 2023)",
      o -> new Hamur(o.widths("hidden"), o.widths("hyper"), o.count("rank"), o.count("adapter")),
      Options.LAYERS,
      widths("hyper", "64", "widths of the hyper-network"),
      count("rank", 8, "of the adapters' weights"),
      count("adapter", 32, "width inside an adapter")),
  M3OE(
      "common, domain and task experts (Zhang et al. 2024)",
      o -> new M3oe(o.count("star"), o.count("experts"), o.widths("hidden"), o.widths("tower")),
      count("star", 256, "width of the scenario's representation"),
      Options.EXPERTS,
      widths("hidden", "128", "widths of each expert"),
      Options.TOWER),
  APG(
      "low-rank weights with a generated core (Yan et al. 2022)",
      o ->
          new Apg(
              o.widths("hidden"),
              o.count("rank"),
              o.widths("generator"),
              o.condition("condition"),
              o.count("scenario_dim")),
      Options.LAYERS,
      count("rank", 32, "of the layers' weights"),
      widths("generator", "32", "widths of the network that makes the cores"),
      new BackboneOption(
          "condition", BackboneOption.Type.CONDITION, "scenario", "what it reads: scenario or row"),
      Options.SCENARIO_DIM),
  EXTERNAL(
      "an existing recommender's logit, or a network on its representation",
      o -> new External(o.widths("head")),
      widths("head", "64", "widths of the network, with a representation"));

  private final String description;
  private final Function<BackboneOptions, Backbone> factory;
  private final List<BackboneOption> options;

  BackboneKind(
      String description, Function<BackboneOptions, Backbone> factory, BackboneOption... options) {
    this.description = description;
    this.factory = factory;
    this.options = List.of(options);
  }

  /** Options that several have, under one name and default. */
  private static final class Options {
    private static final BackboneOption EXPERTS = count("experts", 4, "how many");
    private static final BackboneOption LAYERS =
        widths("hidden", "256,128,64", "widths before the logit");
    private static final BackboneOption TOWER =
        widths("tower", "64", "widths of each scenario's tower");
    private static final BackboneOption SCENARIO_DIM =
        count("scenario_dim", 16, "width of the scenario's vector");
    private static final BackboneOption GATE = count("gate", 64, "width inside the gates");
    private static final BackboneOption PRIOR =
        new BackboneOption(
            "prior",
            BackboneOption.Type.NAMES,
            String.join(",", PpNet.DEFAULT_PRIOR),
            "features that the gates read");

    private static BackboneOption hidden(String of) {
      return widths("hidden", "256,128", "widths of " + of);
    }

    private static BackboneOption specificExperts(int initial) {
      return count("specific_experts", initial, "experts of each scenario");
    }

    private static BackboneOption sharedExperts(int initial) {
      return count("shared_experts", initial, "experts that all share");
    }
  }

  /** Those that train a network of their own: all but {@link #EXTERNAL}. */
  public static List<BackboneKind> networks() {
    return Stream.of(values()).filter(kind -> kind != EXTERNAL).toList();
  }

  /** The name that users give. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** One line: what it is, and its source. */
  public String description() {
    return description;
  }

  public List<BackboneOption> options() {
    return options;
  }

  public boolean hasOption(String option) {
    return options.stream().anyMatch(known -> known.name().equals(option));
  }

  /**
   * All options in a fixed order, those that are not given at their defaults.
   *
   * @throws UserError if one is unknown or has an impossible value
   */
  public Map<String, String> complete(Map<String, String> given) {
    for (String name : given.keySet()) {
      if (!hasOption(name)) {
        String known = options.stream().map(BackboneOption::name).collect(Collectors.joining(", "));
        throw new UserError(
            "the backbone %s has no option '%s'; it has %s".formatted(label(), name, known));
      }
    }
    Map<String, String> complete = new LinkedHashMap<>();
    for (BackboneOption option : options) {
      String value = given.getOrDefault(option.name(), option.initial());
      option.check(value);
      complete.put(option.name(), value);
    }
    return complete;
  }

  /**
   * @throws UserError as {@link #complete}
   */
  public Backbone build(Map<String, String> given) {
    return factory.apply(new BackboneOptions(complete(given)));
  }
}
