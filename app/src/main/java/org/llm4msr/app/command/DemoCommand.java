package org.llm4msr.app.command;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.llm4msr.app.Main;
import org.llm4msr.app.builtin.BuiltinEncoder;
import org.llm4msr.app.demo.DemoWorld;
import org.llm4msr.runtime.UserError;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The main job on built-in data: each step is a command that a user could type, and is shown. */
@Command(
    name = "demo",
    description = {
      "Does the main job on a generated company's log with the built-in encoder:",
      "prompts, encode, compare (which trains), report. A few minutes.",
      "The same command goes on after an interruption."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {"", "Examples:", "  llm4msr demo", "  llm4msr demo --out /tmp/demo --seeds 5"})
public final class DemoCommand implements Callable<Integer> {
  private static final String PLANTED =
      "The vectors hold what each customer likes: this shows what the method does with knowledge.";

  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "demo-out",
      description = "Folder for everything that the demo makes (default: ${DEFAULT-VALUE}).")
  private Path out;

  @Option(
      names = "--seeds",
      paramLabel = "N",
      defaultValue = "3",
      description = "Runs without, with, and with random vectors (default: ${DEFAULT-VALUE}).")
  private int seeds;

  @Option(
      names = "--planted",
      description = {
        "In place of prompts and encoder: vectors that hold each customer's hidden taste. Shows what"
            + " the method gains where there is knowledge."
      })
  private boolean planted;

  @Mixin private DeviceOptions device;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    if (seeds < 1) {
      throw new ParameterException(
          spec.commandLine(), "--seeds: expected at least 1, found " + seeds);
    }
    PrintWriter output = spec.commandLine().getOut();
    output.printf(
        Locale.ROOT,
        "A made-up company with four scenarios: %,d impressions, generated (seed %d).%n%s%n",
        DemoWorld.IMPRESSIONS,
        DemoWorld.SEED,
        planted ? PLANTED : BuiltinEncoder.NOTICE);
    DemoWorld world = DemoWorld.generate(DemoWorld.SEED);
    Path description = write(world);
    Path prompts = out.resolve("prompts.jsonl");
    Path knowledge = out.resolve("knowledge.safetensors");
    List<String> data = List.of("--data", description.toString());
    int code = 0;
    if (planted) {
      world.writeKnowledge(knowledge);
    } else {
      code = step(with(data, "--out", prompts.toString(), "--force"), "prompts", false);
    }
    if (code == 0 && !planted) {
      List<String> files = List.of("--input", prompts.toString(), "--out", knowledge.toString());
      code = step(with(files, "--model", "builtin", "--pool", "mean_prompt"), "encode", true);
    }
    if (code == 0) {
      List<String> files =
          with(data, "--knowledge", knowledge.toString(), "--out", out.resolve("runs").toString());
      // A small log: smaller batches than usual give enough steps.
      List<String> options =
          with(files, "--batch-size", "1024", "--seeds", Integer.toString(seeds), "--controls");
      code = step(options, "compare", true);
    }
    if (code == 0 && !planted) {
      output.println("The log is synthetic and the built-in encoder knows nothing: this shows the");
      output.println("mechanism, not the gain to expect. README.md says how to use your own log.");
      output.flush();
    }
    return code;
  }

  private Path write(DemoWorld world) {
    try {
      return world.write(out.resolve("data"));
    } catch (IOException e) {
      throw new UserError(
          out + ": the demo's data cannot be written there (" + e.getMessage() + ")", e);
    }
  }

  /** Runs a command as if it had been typed, and shows what to type. */
  private int step(List<String> options, String command, boolean computes) {
    List<String> line = new ArrayList<>(List.of(command));
    line.addAll(options);
    if (computes) {
      if (device.name() != null) {
        line.addAll(List.of("--device", device.name()));
      }
      line.addAll(List.of("--threads", Integer.toString(device.threads())));
    }
    PrintWriter output = spec.commandLine().getOut();
    output.println();
    output.println("> llm4msr " + String.join(" ", line));
    output.flush();
    return Main.run(line.toArray(String[]::new), output, spec.commandLine().getErr());
  }

  private static List<String> with(List<String> options, String... more) {
    List<String> all = new ArrayList<>(options);
    all.addAll(List.of(more));
    return all;
  }
}
