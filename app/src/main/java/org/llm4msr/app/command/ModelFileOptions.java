package org.llm4msr.app.command;

import java.util.Locale;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.Quantisation;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** The language model, for every command that runs one. */
public final class ModelFileOptions {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "DIR|FILE",
      description = {
        "Hugging Face directory: config.json, *.safetensors and, for text, tokenizer.json or"
            + " tokenizer.model; or a GGUF file.",
        "'builtin' is the small encoder that ships with llm4msr."
      })
  private String model;

  @Option(
      names = "--quantize",
      paramLabel = "TYPE",
      description =
          "Quantise while loading. w8a8: matrices and activations become 8-bit integers, on any model"
              + " and the fastest. a8: matrices in Q8_0, Q4_0, Q4_K or Q6_K, such as a GGUF file's,"
              + " stay as they are, activations become 8-bit integers in blocks, as in llama.cpp."
              + " q8_0, q4_0: the matrices of a Hugging Face directory take a quarter or an eighth"
              + " of the memory, activations stay as they are; q8_0_a8, q4_0_a8: and are multiplied"
              + " as in a8. All change the vectors a little.")
  private String quantize;

  @Option(
      names = "--chat",
      description = "Put each text into the form of a chat that the model was trained on.")
  private boolean chat;

  /** What was asked for by name. */
  String model() {
    return model;
  }

  /**
   * Adds these to other options.
   *
   * @throws ParameterException if an option of this command has an impossible value
   */
  EncoderOptions in(EncoderOptions options, CommandSpec command) {
    return options.withQuantise(quantise(command)).withChat(chat);
  }

  private Quantisation quantise(CommandSpec command) {
    if (quantize == null) {
      return null;
    }
    for (Quantisation type : Quantisation.values()) {
      if (type.name().toLowerCase(Locale.ROOT).equals(quantize)) {
        return type;
      }
    }
    throw new ParameterException(
        command.commandLine(),
        "--quantize: expected w8a8, a8, q8_0, q4_0, q8_0_a8 or q4_0_a8, found " + quantize);
  }
}
