package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.llm4msr.app.Main;

/** One call of the command line within this virtual machine. */
record CommandLineRun(int exitCode, String out, String err) {
  static CommandLineRun of(String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code = Main.run(args, new PrintWriter(out, true), new PrintWriter(err, true));
    return new CommandLineRun(code, out.toString(), err.toString());
  }
}
