package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.llm4msr.app.Main;
import org.llm4msr.app.run.TinyShop;

/** One call of the command line within this virtual machine. */
record CommandLineRun(int exitCode, String out, String err) {
  static CommandLineRun of(String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code = Main.run(args, new PrintWriter(out, true), new PrintWriter(err, true));
    return new CommandLineRun(code, out.toString(), err.toString());
  }

  /** The command line in a process of its own; what it prints goes one way. */
  static ProcessBuilder process(List<String> args) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    command.addAll(args);
    return new ProcessBuilder(command).redirectErrorStream(true);
  }

  /** Trains on a shop with its knowledge, to the end. */
  static void train(TinyShop shop, Path run, String... options) {
    List<String> args = new ArrayList<>(List.of("train", "--data", shop.data()));
    args.addAll(List.of("--knowledge", shop.knowledge(), "--out", run.toString()));
    args.addAll(List.of("--batch-size", "128"));
    args.addAll(List.of(options));
    CommandLineRun trained = of(args.toArray(String[]::new));
    assertThat(trained.exitCode()).as(trained.err()).isZero();
  }
}
