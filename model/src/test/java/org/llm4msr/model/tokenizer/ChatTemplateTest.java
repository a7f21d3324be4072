package org.llm4msr.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.UserError;

/** The parts of published templates by which they are recognised, and what they render. */
class ChatTemplateTest {
  private static String render(String jinja) {
    return ChatTemplate.of("model", jinja, "<s>", "</s>").render(" Hi! \n");
  }

  @Test
  void rendersOneTurn() {
    String qwen25 =
        "{%- if messages[0]['role'] == 'system' %}{{- messages[0]['content'] }}{%- else %}{{-"
            + " '<|im_start|>system\\nYou are Qwen.<|im_end|>\\n' }}{%- endif %}{{- '<|im_start|>' +"
            + " message.role }}<|im_end|>";
    assertThat(render(qwen25))
        .isEqualTo(
            "<|im_start|>system\nYou are Qwen.<|im_end|>\n<|im_start|>user\nHi!<|im_end|>\n"
                + "<|im_start|>assistant\n");
    String qwen3 =
        "{%- if messages[0].role == 'system' %}{{- '<|im_start|>system\\n' +"
            + " messages[0].content + '<|im_end|>\\n' }}{%- endif %}";
    assertThat(render(qwen3)).isEqualTo("<|im_start|>user\nHi!<|im_end|>\n<|im_start|>assistant\n");
    String llama2 = "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}<<SYS>>";
    assertThat(render(llama2)).isEqualTo("<s>[INST] Hi! [/INST]");
    String llama3 =
        "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+"
            + " message['content'] | trim + '<|eot_id|>' %}{% set content = bos_token + content %}";
    assertThat(render(llama3))
        .isEqualTo(
            "<s><|start_header_id|>user<|end_header_id|>\n\nHi!<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\n");
    assertThat(render(llama3 + "{{- \"Cutting Knowledge Date: December 2023\\n\" }}"))
        .startsWith("<s><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date:")
        .endsWith("Hi!<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
    String gemma = "{{ bos_token }}{{ '<start_of_turn>' + role + '\n' + content | trim }}";
    assertThat(render(gemma))
        .isEqualTo("<s><start_of_turn>user\nHi!<end_of_turn>\n<start_of_turn>model\n");
    String phi3 = "{{'<|user|>\n' + message['content'] + '<|end|>\n<|assistant|>\n'}}";
    assertThat(render(phi3)).isEqualTo("<|user|>\nHi!<|end|>\n<|assistant|>\n");
    String zephyr = "{{ '<|user|>\n' + message['content'] + eos_token }}<|assistant|>";
    assertThat(render(zephyr)).isEqualTo("<|user|>\nHi!</s>\n<|assistant|>\n");
    assertThat(render("[gMASK]<sop>{% for item in messages %}<|user|>"))
        .isEqualTo("[gMASK]<sop><|user|>\nHi!<|assistant|>");
    assertThat(ChatTemplate.chatGlm2().render("Hi!"))
        .isEqualTo("[gMASK]sop[Round 1]\n\n问：Hi!\n\n答：");
  }

  @Test
  void keepsWhatThePromptSays() {
    String chatml = "<|im_start|>{{ message }}<|im_end|>";
    assertThat(ChatTemplate.of("model", chatml, null, null).render("100 % of $x, %1$s \\n"))
        .contains("user\n100 % of $x, %1$s \\n<|im_end|>");
  }

  @Test
  void refusesWhatItDoesNotKnow() {
    assertThatThrownBy(() -> ChatTemplate.of("model", null, null, null))
        .isInstanceOf(UserError.class)
        .hasMessage("model: has no chat template: it is no chat model, leave --chat out");
    assertThatThrownBy(() -> ChatTemplate.of("model", "{{ messages }}", null, null))
        .isInstanceOf(UserError.class)
        .hasMessageStartingWith("model: its chat template is none of the known forms");
  }
}
