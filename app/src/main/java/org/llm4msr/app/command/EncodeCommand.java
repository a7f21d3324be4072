package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.llm4msr.app.encode.EncodeRun;
import org.llm4msr.app.encode.ModelDirectory;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.GenerationOptions;
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
      "The input has one JSON object per line: {\"id\": \"u1\", \"text\": \"…\"}, or {\"id\":"
          + " \"u1\", \"tokens\": [1, 2, …]} taken as they are.",
      "The output is a safetensors file: hidden F32 [prompts, width], the ids in its metadata.",
      "",
      "Examples:",
      "  llm4msr encode --model ~/models/Qwen2.5-0.5B --input prompts.jsonl --out"
          + " knowledge.safetensors",
      "  llm4msr encode --model ~/models/Qwen2.5-0.5B --input today.jsonl --out today.safetensors"
          + " --since knowledge.safetensors"
    })
public final class EncodeCommand implements Callable<Integer> {
  @Mixin private ModelFileOptions model;

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

  @Option(
      names = "--layer",
      paramLabel = "N",
      description = "Read the output of this layer, 0 for the embeddings. Default: the last.")
  private Integer layer;

  @Option(
      names = "--final-norm",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "Normalise states as after the last layer. Default: yes.")
  private boolean finalNorm;

  @Option(names = "--l2", description = "Scale vectors to length 1.")
  private boolean l2;

  @Option(
      names = "--prefix-reuse",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "Compute what prompts begin with alike once; the vectors stay. Default: yes.")
  private boolean prefixReuse;

  @Option(
      names = "--max-new-tokens",
      defaultValue = "64",
      paramLabel = "N",
      description =
          "Longest continuation for last_generated, mean_generated and --explain. Default:"
              + " ${DEFAULT-VALUE}.")
  private int maxNewTokens;

  @Option(
      names = "--explain",
      description =
          "Also keep what the model concludes from each prompt as text, in a .explained.jsonl file"
              + " beside the vectors.")
  private boolean explain;

  @Option(
      names = "--since",
      paramLabel = "OLD",
      description =
          "A knowledge file of the same model and pooling: only prompts that are new or have"
              + " changed since are encoded, the other vectors are taken from it.")
  private Path since;

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
    if (maxNewTokens < 1) {
      throw new ParameterException(
          spec.commandLine(), "--max-new-tokens: expected at least 1, found " + maxNewTokens);
    }
    if (layer != null && layer < 0) {
      throw new ParameterException(
          spec.commandLine(), "--layer: expected 0 or more, found " + layer);
    }
    if (since != null && force) {
      throw new ParameterException(
          spec.commandLine(), "--force encodes all prompts anew; leave out --since");
    }
    EncoderOptions options =
        model.in(
            EncoderOptions.defaults()
                .withBackend(device.name())
                .withThreads(device.threads())
                .withMaxTokensPerBatch(tokensPerBatch)
                .withPooling(pool)
                .withLayer(layer == null ? EncoderOptions.LAST_LAYER : layer)
                .withFinalNorm(finalNorm)
                .withL2(l2)
                .withPrefixReuse(prefixReuse)
                .withMaxNewTokens(maxNewTokens),
            spec);
    GenerationOptions explanation = explain ? GenerationOptions.greedy(maxNewTokens) : null;
    PrintWriter err = spec.commandLine().getErr();
    EncodeRun.Summary summary =
        new EncodeRun(ModelDirectory.of(model.model(), err), options, err)
            .encode(input, out, since, force, explanation);
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
      if (summary.changes() != null) {
        ObjectNode changes = node.putObject("since");
        changes.put("added", summary.changes().added());
        changes.put("changed", summary.changes().changed());
        changes.put("unchanged", summary.changes().unchanged());
        changes.put("removed", summary.changes().removed());
      }
      node.put("shortened", summary.shortened());
      node.put("tokens", summary.plan().tokens());
      node.put("computedTokens", summary.computed());
      node.put("seconds", summary.seconds());
      node.put("tokensPerSecond", tokensPerSecond);
      Json.print(stdout, node);
      return;
    }
    long saved = summary.plan().tokens() - summary.computed();
    String shared =
        saved == 0
            ? ""
            : String.format(
                Locale.ROOT,
                ", %.0f %% of them shared beginnings",
                100.0 * saved / summary.plan().tokens());
    stdout.printf(
        Locale.ROOT,
        "%s: %d vectors of width %d; %d prompts encoded (%d tokens in %.1f s, %.0f tokens/s%s)%n",
        out,
        summary.prompts(),
        summary.width(),
        summary.plan().prompts(),
        summary.plan().tokens(),
        summary.seconds(),
        tokensPerSecond,
        shared);
    if (summary.changes() != null) {
      stdout.printf(
          "since %s: %d prompts are new, %d have changed, %d are the same, %d are gone%n",
          since,
          summary.changes().added(),
          summary.changes().changed(),
          summary.changes().unchanged(),
          summary.changes().removed());
    }
    stdout.flush();
  }
}
