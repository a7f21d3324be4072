package org.llm4msr.model.data;

import java.util.Objects;

/**
 * One of the places in which users meet items: a web shop, a shelf in an app, an age group.
 *
 * @param name stable identifier, used in metrics, files and prompt ids
 * @param title how people call it, in the language of the data set; the name when there is none
 * @param description what happens there, for the scenario prompt; empty when there is none
 */
public record Scenario(String name, String title, String description) {
  public Scenario {
    if (name.isBlank()) {
      throw new IllegalArgumentException("a scenario needs a name");
    }
    Objects.requireNonNull(title);
    Objects.requireNonNull(description);
  }

  public Scenario(String name) {
    this(name, name, "");
  }
}
