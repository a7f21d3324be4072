package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.llm4msr.app.encode.EncodeRun;
import org.llm4msr.app.encode.ModelDirectory;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.Pooling;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Turns prompts into vectors with a frozen language model. */
@Command(
    name = "encode",
    description = {
      "Turns prompts into vectors with a frozen language model.",
      "Stopped or killed, the same command goes on where it was; unchanged prompts are not encoded"
          + " again."
    },
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "The input has one JSON object per line: {\"id\": \"u1\", \"text\": \"…\"}, or {\"id\": \"u1\","
          + " \"tokens\": [1, 2, …]} taken as they are.",
      "The output is a safetensors file: hidden F32 [prompts, width], the ids in its metadata.",
      "",
      "Example:",
      "  llm4msr encode --model ~/models/Qwen2.5-0.5B --input prompts.jsonl --out"
          + " knowledge.safetensors"
    })
public final class EncodeCommand implements Callable<Integer> {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "DIR",
      description =
          "Hugging Face directory: config.json, *.safetensors and, for"
              + " text, tokenizer.json. 'builtin' is the small encoder that ships with llm4msr.")
  private String model;

  @Option(
      names = "--input",
      required = true,
      paramLabel = "FILE",
      description = "Prompts, one JSON object per line.")
  private Path input;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "FILE",
      description = "The knowledge file to write, such as knowledge.safetensors.")
  private Path out;

  @Option(
      names = "--pool",
      defaultValue = "last_prompt",
      paramLabel = "FORM",
      description = "What makes the vector: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
  private Pooling pool;

  @Option(
      names = "--tokens-per-batch",
      defaultValue = "" + EncoderOptions.DEFAULT_TOKENS_PER_BATCH,
      paramLabel = "N",
      description = "Tokens computed together. Default: ${DEFAULT-VALUE}.")
  private int tokensPerBatch;

  @Option(names = "--force", description = "Encode everything anew.")
  private boolean force;

  @Option(names = "--json", description = "Print a summary as JSON.")
  private boolean json;

  @Mixin private DeviceOptions device;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    if (tokensPerBatch < 1) {
      throw new ParameterException(
          spec.commandLine(), "--tokens-per-batch: expected at least 1, found " + tokensPerBatch);
    }
    EncoderOptions options =
        EncoderOptions.defaults()
            .withBackend(device.name())
            .withThreads(device.threads())
            .withMaxTokensPerBatch(tokensPerBatch)
            .withPooling(pool);
    PrintWriter err = spec.commandLine().getErr();
    EncodeRun.Summary summary =
        new EncodeRun(ModelDirectory.of(model, err), options, err).encode(input, out, force);
    if (!summary.finished()) {
      return ExitCode.SOFTWARE;
    }
    print(summary);
    return ExitCode.OK;
  }

  private void print(EncodeRun.Summary summary) {
    PrintWriter stdout = spec.commandLine().getOut();
    double tokensPerSecond =
        summary.seconds() == 0 ? 0 : summary.plan().tokens() / summary.seconds();
    if (json) {
      ObjectNode node = JsonNodeFactory.instance.objectNode();
      node.put("out", out.toString());
      node.put("model", summary.model());
      node.put("pool", pool.toString());
      node.put("width", summary.width());
      node.put("prompts", summary.prompts());
      node.put("encoded", summary.plan().prompts());
      node.put("resumed", summary.plan().resumed());
      node.put("reused", summary.plan().reused());
      node.put("shortened", summary.shortened());
      node.put("tokens", summary.plan().tokens());
      node.put("seconds", summary.seconds());
      node.put("tokensPerSecond", tokensPerSecond);
      Json.print(stdout, node);
      return;
    }
    stdout.printf(
        Locale.ROOT,
        "%s: %d vectors of width %d; %d prompts encoded (%d tokens in %.1f s, %.0f tokens/s)%n",
        out,
        summary.prompts(),
        summary.width(),
        summary.plan().prompts(),
        summary.plan().tokens(),
        summary.seconds(),
        tokensPerSecond);
    stdout.flush();
  }
}
