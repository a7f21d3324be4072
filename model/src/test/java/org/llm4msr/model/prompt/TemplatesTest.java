package org.llm4msr.model.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class TemplatesTest {
  /** Which places each section has. */
  private static Map<String, TreeSet<String>> places(Language language) {
    Pattern place = Pattern.compile("\\{[^}]*}");
    return Templates.of(language).sections().entrySet().stream()
        .collect(
            Collectors.toMap(
                Map.Entry::getKey,
                entry ->
                    place
                        .matcher(entry.getValue())
                        .results()
                        .map(r -> r.group())
                        .collect(Collectors.toCollection(TreeSet::new))));
  }

  @Test
  void everyLanguageHasTheSameSectionsAndPlaces() {
    assertThat(places(Language.JA)).isEqualTo(places(Language.EN));
    assertThat(places(Language.EN)).isNotEmpty();
  }

  @Test
  void missingPartsLeaveNoTrace() {
    Templates templates = Templates.parse("== a ==\n{x} one  {y} two {x}\n\n{x}\nend\n");
    assertThat(templates.fill("a", "x", "", "y", "")).isEqualTo("one two\nend");
    assertThat(templates.fill("a", "x", "p\n", "y", "q")).isEqualTo("p\none q two p\np\nend");
  }

  @Test
  void whatIsFilledInIsNotLookedAtAgain() {
    Templates templates = Templates.parse("== a ==\n{x} {y}\n");
    assertThat(templates.fill("a", "x", "{y}", "y", "$1\\")).isEqualTo("{y} $1\\");
  }

  @Test
  void listsAreJoinedByTheLanguagesOwnSeparator() {
    assertThat(Templates.of(Language.EN).join(List.of("a", "b"))).isEqualTo("a, b");
    assertThat(Templates.of(Language.JA).join(List.of("a", "b"))).isEqualTo("a、b");
  }

  @Test
  void mistakesInATemplateAreNamed() {
    Templates templates = Templates.parse("== a ==\n{x}\n");
    assertThatThrownBy(() -> templates.fill("a")).hasMessageContaining("{x} in a");
    assertThatThrownBy(() -> templates.fill("b")).hasMessageContaining("no section b");
    assertThatThrownBy(() -> Templates.parse("== a ==\n== a ==\n")).hasMessageContaining("twice");
  }
}
