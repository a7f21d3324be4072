package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.llm4msr.app.data.DataDescription;
import org.llm4msr.app.data.DatasetLoader;
import org.llm4msr.app.data.PromptFile;
import org.llm4msr.app.encode.EncodeRun;
import org.llm4msr.app.encode.ModelDirectory;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.GenerationOptions;
import org.llm4msr.model.prompt.Audit;
import org.llm4msr.model.prompt.Language;
import org.llm4msr.model.prompt.PrivacyPolicy;
import org.llm4msr.model.prompt.PromptFactory;
import org.llm4msr.model.prompt.PromptOptions;
import org.llm4msr.model.prompt.PromptSource;
import org.llm4msr.model.prompt.UserPromptStyle;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Writes the prompts of a data set. */
@Command(
    name = "prompts",
    description = {
      "Writes a prompt for every scenario and every user, one JSON object per line: {\"id\": …,"
          + " \"text\": …, \"made_from\": …}. Made from the training rows alone, without any"
          + " identifier; what may go into them is up to the description's prompts section.",
      "made_from says which rows these were: the vectors are good for training on the same rows"
          + " only."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  llm4msr prompts --data D.yaml --out P.jsonl",
      "  llm4msr prompts --data D.yaml --out P.ja.jsonl --language ja --max-chars 600",
      "  llm4msr prompts --data D.yaml --out P.jsonl --folds 0   (fewer prompts, but see docs/method.md)",
      "  llm4msr prompts --data D.yaml --out P.jsonl --explain --model ~/models/Qwen2.5-0.5B"
    })
public final class PromptsCommand implements Callable<Integer> {
  @Option(
      names = "--data",
      required = true,
      paramLabel = "D.yaml",
      description = "Description of the data set.")
  private Path data;

  @Option(names = "--out", required = true, paramLabel = "P.jsonl", description = "File to write.")
  private Path out;

  @Option(names = "--force", description = "Replace a file that is there.")
  private boolean force;

  @Option(
      names = "--language",
      paramLabel = "LANG",
      description = "${COMPLETION-CANDIDATES}; otherwise what the description says.")
  private Language language;

  @Option(
      names = "--style",
      paramLabel = "STYLE",
      description =
          "How users are described: taste, one sentence, or detail, a line per scenario with counts"
              + " and titles; otherwise what the description says.")
  private UserPromptStyle style;

  @Option(
      names = "--max-chars",
      paramLabel = "N",
      description = "Most characters of a prompt; otherwise what the description says.")
  private Integer maxChars;

  @Option(
      names = "--folds",
      paramLabel = "K",
      defaultValue = "2",
      description =
          "Besides each user's prompt write K more, each without the rows of one fold, so that no"
              + " training row meets a vector made from itself; 0 for none (default: ${DEFAULT-VALUE}).")
  private int folds;

  @Mixin private CutOption cut;

  @Option(
      names = "--json",
      description = "Print the figures, the privacy policy and what it did as JSON.")
  private boolean json;

  @ArgGroup(exclusive = false)
  private Explaining explaining;

  @Mixin private DeviceOptions device;

  @Spec private CommandSpec spec;

  /** What a model makes of the prompts. */
  static final class Explaining {
    @Option(
        names = "--explain",
        required = true,
        description =
            "Also write what the model of --model concludes from each prompt, as a text in"
                + " P.explained.jsonl. What is there for the same prompt and model stays.")
    private boolean explain;

    @ArgGroup(exclusive = false, multiplicity = "1")
    private ModelFileOptions model;

    @Option(
        names = "--max-new-tokens",
        defaultValue = "64",
        paramLabel = "N",
        description = "Longest text. Default: ${DEFAULT-VALUE}.")
    private int maxNewTokens;
  }

  @Override
  public Integer call() {
    if (folds < 0 || folds == 1) {
      throw wrong("--folds: expected 0 or at least 2, found " + folds);
    }
    if (maxChars != null && maxChars < PromptOptions.LEAST_CHARS) {
      throw wrong(
          "--max-chars: expected at least " + PromptOptions.LEAST_CHARS + ", found " + maxChars);
    }
    if (explaining != null && explaining.maxNewTokens < 1) {
      throw wrong("--max-new-tokens: expected at least 1, found " + explaining.maxNewTokens);
    }
    EncoderOptions reading = explaining == null ? null : reading();
    PromptFile.requireRoom(out, force);
    DataDescription description = DataDescription.read(data);
    PromptOptions options = description.prompts();
    if (language != null) {
      options = options.withLanguage(language);
    }
    if (style != null) {
      options = options.withStyle(style);
    }
    if (maxChars != null) {
      options = options.withMaxChars(maxChars);
    }
    try (Dataset dataset = DatasetLoader.load(description, options.language(), cut.shares())) {
      Folds leftOut = new Folds(folds);
      PromptFactory prompts = new PromptFactory(dataset, leftOut, options);
      PromptSource source = PromptSource.of(dataset, leftOut, cut.shares());
      try (Progress progress =
          Progress.start(spec.commandLine().getErr(), "prompts", prompts.count())) {
        PromptFile.write(prompts, source, out, progress::update);
      }
      print(dataset, source, options, prompts.audit());
    }
    return reading == null || explain(reading) ? ExitCode.OK : Interrupt.EXIT_CODE;
  }

  private EncoderOptions reading() {
    EncoderOptions options = EncoderOptions.defaults().withBackend(device.name());
    return explaining.model.in(options.withThreads(device.threads()), spec);
  }

  private boolean explain(EncoderOptions reading) {
    PrintWriter err = spec.commandLine().getErr();
    GenerationOptions generation = GenerationOptions.greedy(explaining.maxNewTokens);
    try (Interrupt interrupt = new Interrupt()) {
      return new EncodeRun(ModelDirectory.of(explaining.model.model(), err), reading, err)
          .explain(out, generation, interrupt::isRequested);
    }
  }

  private ParameterException wrong(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  private void print(Dataset dataset, PromptSource source, PromptOptions options, Audit audit) {
    PrintWriter output = spec.commandLine().getOut();
    if (json) {
      Json.print(output, report(dataset, source, options, audit));
      return;
    }
    output.printf(
        Locale.ROOT,
        "%s: %d prompts for %d scenarios and %d users, at most %d characters each%n",
        out,
        audit.prompts(),
        dataset.scenarios().size(),
        dataset.users(),
        options.maxChars());
    output.printf(
        Locale.ROOT,
        "may hold: %s; groups of at least %d users%n",
        String.join(", ", options.privacy().fields()),
        options.privacy().minGroup());
    for (Audit.Finding finding : Audit.Finding.values()) {
      if (audit.count(finding) > 0) {
        output.printf(Locale.ROOT, "  %s: %d%n", finding.description(), audit.count(finding));
      }
    }
    output.flush();
  }

  private ObjectNode report(
      Dataset dataset, PromptSource source, PromptOptions options, Audit audit) {
    ObjectNode report = JsonNodeFactory.instance.objectNode();
    report.put("out", out.toString());
    report.put("prompts", audit.prompts());
    report.put("scenarios", dataset.scenarios().size());
    report.put("users", dataset.users());
    report.put("folds", folds);
    report.set(PromptSource.KEY, source.toJson());
    report.put("language", options.language().code());
    report.put("max_chars", options.maxChars());
    PrivacyPolicy policy = options.privacy();
    ObjectNode privacy = report.putObject("privacy");
    policy.fields().forEach(privacy.putArray("fields")::add);
    privacy.put("min_group", policy.minGroup());
    policy.redact().stream()
        .sorted()
        .map(pattern -> pattern.name().toLowerCase(Locale.ROOT))
        .forEach(privacy.putArray("redact")::add);
    privacy.put("terms", policy.terms().size());
    ObjectNode findings = report.putObject("findings");
    for (Audit.Finding finding : Audit.Finding.values()) {
      findings.put(finding.code(), audit.count(finding));
    }
    return report;
  }
}
