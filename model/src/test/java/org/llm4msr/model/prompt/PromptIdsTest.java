package org.llm4msr.model.prompt;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.llm4msr.model.data.Folds;

class PromptIdsTest {
  @Test
  void idsTellTheFolds() {
    assertThat(PromptIds.folds(List.of("scenario/a", "user/x", "user/y"))).isEqualTo(Folds.NONE);
    assertThat(PromptIds.folds(List.of("user/x", "user/x#fold1", "user/x#fold2")))
        .isEqualTo(new Folds(2));
    // The user's own key looks like a fold's, but there is no user "x" beside it.
    assertThat(PromptIds.folds(List.of("user/x#fold3"))).isEqualTo(Folds.NONE);
    assertThat(PromptIds.folds(List.of("user/x#fold3", "user/x#fold3#fold1", "user/x#fold3#fold2")))
        .isEqualTo(new Folds(2));
  }

  @Test
  void foldsOfAUserShareOneKey() {
    assertThat(PromptIds.withoutFold("user/a\nb#fold12")).isEqualTo("user/a\nb");
    assertThat(PromptIds.withoutFold("user/x")).isEqualTo("user/x");
    assertThat(PromptIds.withoutFold("scenario/x#fold1")).isEqualTo("scenario/x#fold1");
  }
}
