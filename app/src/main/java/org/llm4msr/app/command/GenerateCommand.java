package org.llm4msr.app.command;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import org.llm4msr.app.encode.ModelDirectory;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.GenerationOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Shows what a language model concludes from a prompt. */
@Command(
    name = "generate",
    description = "Continues a prompt with a frozen language model, word by word as it comes.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  llm4msr generate --model ~/models/Qwen2.5-0.5B --prompt \"Somebody who buys tents likes\"",
      "  llm4msr generate --model ~/models/Qwen2.5-0.5B --prompt - --temperature 0.8 --top-p 0.95"
          + " --seed 1 < prompt.txt"
    })
public final class GenerateCommand implements Callable<Integer> {
  @Mixin private ModelFileOptions model;

  @Option(
      names = "--prompt",
      required = true,
      paramLabel = "TEXT",
      description = "What to continue; - reads it from the standard input.")
  private String prompt;

  @Option(
      names = "--max-new-tokens",
      defaultValue = "" + GenerationOptions.DEFAULT_NEW_TOKENS,
      paramLabel = "N",
      description = "Longest continuation. Default: ${DEFAULT-VALUE}.")
  private int maxNewTokens;

  @Option(
      names = "--temperature",
      defaultValue = "0",
      paramLabel = "T",
      description = "0 takes the most likely token, else one is drawn. Default: ${DEFAULT-VALUE}.")
  private double temperature;

  @Option(
      names = "--top-p",
      defaultValue = "1",
      paramLabel = "P",
      description =
          "Draw among the most likely tokens that together reach this probability. Default:"
              + " ${DEFAULT-VALUE}.")
  private double topP;

  @Option(
      names = "--seed",
      defaultValue = "0",
      paramLabel = "N",
      description = "Seed of the draws. Default: ${DEFAULT-VALUE}.")
  private long seed;

  @Option(names = "--json", description = "Print prompt and text as JSON, when all is there.")
  private boolean json;

  @Mixin private DeviceOptions device;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    GenerationOptions generation = generation();
    EncoderOptions options =
        model.in(
            EncoderOptions.defaults().withBackend(device.name()).withThreads(device.threads()),
            spec);
    PrintWriter stdout = spec.commandLine().getOut();
    String text = prompt.equals("-") ? standardInput() : prompt;
    try (FrozenEncoder encoder =
        FrozenEncoder.load(
            ModelDirectory.of(model.model(), spec.commandLine().getErr()), options)) {
      if (json) {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        node.put("prompt", text);
        node.put("text", encoder.generate(text, generation, piece -> {}));
        Json.print(stdout, node);
        return ExitCode.OK;
      }
      encoder.generate(
          text,
          generation,
          piece -> {
            stdout.print(piece);
            stdout.flush();
          });
      stdout.println();
      return ExitCode.OK;
    }
  }

  private GenerationOptions generation() {
    if (maxNewTokens < 1) {
      throw wrong("--max-new-tokens: expected at least 1, found " + maxNewTokens);
    }
    if (!(temperature >= 0)) {
      throw wrong("--temperature: expected 0 or more, found " + temperature);
    }
    if (!(topP > 0 && topP <= 1)) {
      throw wrong("--top-p: expected more than 0 and at most 1, found " + topP);
    }
    return GenerationOptions.greedy(maxNewTokens).withSampling(temperature, topP, seed);
  }

  private ParameterException wrong(String problem) {
    return new ParameterException(spec.commandLine(), problem);
  }

  private static String standardInput() {
    // Not closed: it belongs to the process.
    InputStream in = System.in;
    try {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
