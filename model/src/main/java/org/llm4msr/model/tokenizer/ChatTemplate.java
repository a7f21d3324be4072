package org.llm4msr.model.tokenizer;

import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.llm4msr.runtime.UserError;

/**
 * Puts one prompt into the form of a chat that the model was trained on, ready for its answer. A
 * model's template is a Jinja program; instead of running it, the known forms are recognised by
 * what sets them apart, and any other is refused.
 */
public final class ChatTemplate {
  /** Forms of a chat with one turn; {@code %1$s} is the prompt, %2$s BOS and %3$s EOS. */
  private enum Form {
    MISTRAL_V7("%2$s[INST] %1$s[/INST]", has("[SYSTEM_PROMPT]")),
    MISTRAL_V1(
        "%2$s [INST] %1$s [/INST]",
        has("[INST]")
            .and(has("[AVAILABLE_TOOLS]").or(has("' [INST] ' + system_message")))
            .and(has(" [INST]"))),
    MISTRAL_TEKKEN("%2$s[INST]%1$s[/INST]", has("[AVAILABLE_TOOLS]").and(has("\"[INST]\""))),
    MISTRAL_V3("%2$s[INST] %1$s[/INST]", has("[AVAILABLE_TOOLS]")),
    LLAMA2("%2$s[INST] %1$s [/INST]", has("[INST]")),
    CHATML(
        "%2$s<|im_start|>user\n%1$s<|im_end|>\n<|im_start|>assistant\n",
        has("<|im_start|>").and(has("<|im_end|>"))),
    LLAMA3(
        "%2$s<|start_header_id|>user<|end_header_id|>\n\n%1$s<|eot_id|>"
            + "<|start_header_id|>assistant<|end_header_id|>\n\n",
        has("<|start_header_id|>").and(has("<|end_header_id|>")).and(has("<|eot_id|>"))),
    GEMMA(
        "%2$s<start_of_turn>user\n%1$s<end_of_turn>\n<start_of_turn>model\n",
        has("<start_of_turn>")),
    GLM4("[gMASK]<sop><|user|>\n%1$s<|assistant|>", has("[gMASK]<sop>")),
    CHATGLM3("[gMASK]sop<|user|>\n %1$s<|assistant|>", has("[gMASK]sop")),
    PHI4_MINI(
        "<|user|>%1$s<|end|><|assistant|>",
        has("'<|' + message['role'] + '|>' + message['content'] + '<|end|>'")),
    PHI3("%2$s<|user|>\n%1$s<|end|>\n<|assistant|>\n", has("<|user|>").and(has("<|end|>"))),
    DEEPSEEK_R1("%2$s<｜User｜>%1$s<｜Assistant｜>", has("<｜User｜>").and(has("<｜Assistant｜>"))),
    ZEPHYR(
        "%2$s<|user|>\n%1$s%3$s\n<|assistant|>\n",
        has("<|user|>").and(has("eos_token").or(has("<|endoftext|>"))));

    private final String text;
    private final Predicate<String> recognised;

    Form(String text, Predicate<String> recognised) {
      this.text = text;
      this.recognised = recognised;
    }

    private static Predicate<String> has(String mark) {
      return template -> template.contains(mark);
    }
  }

  /** ChatGLM 2 has no template in its files; its tokenizer adds its own prefix. */
  private static final String CHATGLM2 = "[gMASK]sop[Round 1]\n\n问：%1$s\n\n答：";

  /** A system message that ChatML templates begin with unless there is another. */
  private static final Pattern DEFAULT_SYSTEM =
      Pattern.compile("<\\|im_start\\|>system(?:\\\\n|\\n)([^'\"{}<]+)<\\|im_end\\|>");

  /** What Llama 3.1 and later say before every chat, on the day that their template assumes. */
  private static final String LLAMA31_SYSTEM =
      "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
          + "Today Date: 26 Jul 2024\n\n<|eot_id|>";

  private final String form;
  private final String before;
  private final String bos;
  private final String eos;

  private ChatTemplate(String form, String before, String bos, String eos) {
    this.form = form;
    this.before = before;
    this.bos = bos;
    this.eos = eos;
  }

  /**
   * Recognises a template.
   *
   * @param where begins the message of an error
   * @param jinja the model's template, or null if it has none
   * @param bos the token that begins a text, or null
   * @param eos the token that ends it, or null
   * @throws UserError if there is no template or it is of another form
   */
  public static ChatTemplate of(String where, String jinja, String bos, String eos) {
    if (jinja == null) {
      throw new UserError(where + ": has no chat template: it is no chat model, leave --chat out");
    }
    for (Form form : Form.values()) {
      if (form.recognised.test(jinja)) {
        // Only where the template writes it itself.
        String first = jinja.contains("bos_token") || literal(jinja, bos) ? bos : null;
        return new ChatTemplate(
            form.text, system(form, jinja), first == null ? "" : first, eos == null ? "" : eos);
      }
    }
    throw new UserError(
        where
            + ": its chat template is none of the known forms: write the prompts with its special"
            + " tokens and leave --chat out");
  }

  /** The form of ChatGLM 2. */
  static ChatTemplate chatGlm2() {
    return new ChatTemplate(CHATGLM2, "", "", "");
  }

  private static boolean literal(String jinja, String bos) {
    return bos != null && jinja.contains(bos);
  }

  private static String system(Form form, String jinja) {
    if (form == Form.LLAMA3) {
      return jinja.contains("Cutting Knowledge Date") ? LLAMA31_SYSTEM : "";
    }
    if (form == Form.CHATML) {
      Matcher matcher = DEFAULT_SYSTEM.matcher(jinja);
      return matcher.find() ? "<|im_start|>system\n" + matcher.group(1) + "<|im_end|>\n" : "";
    }
    return "";
  }

  /**
   * The text of a chat in which the user has said {@code prompt} and the model is to answer, for
   * {@link Tokenizer#encodeRendered}.
   */
  public String render(String prompt) {
    String turn = form.formatted(prompt.strip(), bos, eos);
    return turn.startsWith(bos) ? bos + before + turn.substring(bos.length()) : before + turn;
  }
}
