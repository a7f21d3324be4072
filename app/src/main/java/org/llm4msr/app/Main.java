package org.llm4msr.app;

import java.io.PrintWriter;
import java.util.Objects;
import java.util.stream.Collectors;
import org.llm4msr.app.command.BackboneHelp;
import org.llm4msr.app.command.CompareCommand;
import org.llm4msr.app.command.DemoCommand;
import org.llm4msr.app.command.DevicesCommand;
import org.llm4msr.app.command.EncodeCommand;
import org.llm4msr.app.command.EvaluateCommand;
import org.llm4msr.app.command.ExportCommand;
import org.llm4msr.app.command.GenerateCommand;
import org.llm4msr.app.command.PromptsCommand;
import org.llm4msr.app.command.ReplayCommand;
import org.llm4msr.app.command.ScoreCommand;
import org.llm4msr.app.command.ServeCommand;
import org.llm4msr.app.command.TrainCommand;
import org.llm4msr.app.command.TuneCommand;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.DeviceException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command line. Every command is a class of its own in {@code org.llm4msr.app.command}. */
@Command(
    name = "llm4msr",
    description =
        "Trains a multi-scenario recommender on what a frozen large language model knows.",
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class,
    usageHelpAutoWidth = true,
    footer = {
      "",
      "Examples:",
      "  llm4msr demo",
      "  llm4msr devices",
      "  llm4msr prompts --data D.yaml --out P.jsonl",
      "  llm4msr help prompts",
      "",
      "Exit codes: 0 success, 1 failure (one line says why), 2 wrong usage.",
      "Environment:",
      "  LLM4MSR_DATA       folder that relative paths in a data description start from",
      "  LLM4MSR_JAVA_OPTS  options for the Java virtual machine, such as -Xmx4g"
    },
    subcommands = {
      HelpCommand.class,
      DemoCommand.class,
      PromptsCommand.class,
      EncodeCommand.class,
      GenerateCommand.class,
      TrainCommand.class,
      EvaluateCommand.class,
      CompareCommand.class,
      TuneCommand.class,
      ExportCommand.class,
      ScoreCommand.class,
      ServeCommand.class,
      ReplayCommand.class,
      DevicesCommand.class,
    })
public final class Main implements Runnable {
  @Option(
      names = {"-v", "--verbose"},
      scope = ScopeType.INHERIT,
      description = "Print stack traces of failures.")
  private boolean verbose;

  @Spec private CommandSpec spec;

  public static void main(String[] args) {
    System.exit(run(args, new PrintWriter(System.out, true), new PrintWriter(System.err, true)));
  }

  /**
   * Runs one command.
   *
   * @return the exit code: 0 success, 1 failure, 2 wrong usage
   */
  public static int run(String[] args, PrintWriter out, PrintWriter err) {
    Main main = new Main();
    CommandLine commandLine =
        new CommandLine(main)
            .setOut(out)
            .setErr(err)
            .setCaseInsensitiveEnumValuesAllowed(true)
            .setParameterExceptionHandler((e, rest) -> wrongUsage(e, err))
            .setExecutionExceptionHandler((e, command, parsed) -> main.report(e, err));
    for (String name : new String[] {"train", "compare", "tune"}) {
      CommandLine command = commandLine.getSubcommands().get(name);
      BackboneHelp.addTo(command.getCommandSpec().usageMessage());
    }
    try {
      return commandLine.execute(args);
    } catch (Error e) {
      // The handler above sees exceptions only; running out of memory deserves one line, too.
      return main.report(e, err);
    }
  }

  /** Without a command there is nothing to do: wrong usage. */
  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Missing command");
  }

  private static int wrongUsage(ParameterException e, PrintWriter err) {
    CommandLine command = e.getCommandLine();
    err.println("llm4msr: " + e.getMessage().lines().collect(Collectors.joining(" ")));
    UnmatchedArgumentException.printSuggestions(e, err);
    err.println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    return ExitCode.USAGE;
  }

  private int report(Throwable e, PrintWriter err) {
    err.println("llm4msr: " + describe(e));
    if (verbose) {
      e.printStackTrace(err);
    }
    return ExitCode.SOFTWARE;
  }

  /** One line about a failure, without the program's name. */
  static String describe(Throwable e) {
    if (e instanceof UserError) {
      return e.getMessage().strip();
    }
    if (e instanceof DeviceException) {
      return "the device failed: "
          + Objects.requireNonNullElse(e.getMessage(), "").lines().findFirst().orElse("")
          + " (what was saved is whole; the same command goes on from there, --device cpu computes"
          + " without it)";
    }
    if (e instanceof OutOfMemoryError) {
      return "out of memory (" + e.getMessage() + "); LLM4MSR_JAVA_OPTS=-Xmx8g allows 8 GB";
    }
    String message = Objects.requireNonNullElse(e.getMessage(), "no message").strip();
    return "internal error, "
        + e.getClass().getSimpleName()
        + ": "
        + message.lines().findFirst().orElse("")
        + " (-v shows where; please report it)";
  }

  /** This program's version. */
  public static String version() {
    String version = Main.class.getPackage().getImplementationVersion();
    return Objects.requireNonNullElse(version, "(development build)");
  }

  /** The version that the build wrote into the jar's manifest. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {
        "llm4msr " + version(),
        "Java "
            + Runtime.version()
            + ", "
            + System.getProperty("os.name")
            + " "
            + System.getProperty("os.arch")
      };
    }
  }
}
