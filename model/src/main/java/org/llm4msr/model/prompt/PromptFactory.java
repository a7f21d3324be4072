package org.llm4msr.model.prompt;

import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.prompt.PrivacyGate.Prompt;

/**
 * Makes the prompts of a data set: one per scenario, then one per profile (a user, or a user
 * without the rows of a fold). Training rows alone are used.
 */
public final class PromptFactory {
  /** Writes the text for a user after some of her training rows. */
  private interface UserText {
    String text(int user, int[] rows);
  }

  private final Dataset dataset;
  private final Folds folds;
  private final PrivacyGate gate;
  private final ScenarioPrompts scenarioPrompts;
  private final TrainingHistory history;
  private final UserText userText;

  public PromptFactory(Dataset dataset, Folds folds, PromptOptions options) {
    this.dataset = dataset;
    this.folds = folds;
    Templates templates = Templates.of(options.language());
    history = new TrainingHistory(dataset);
    gate = new PrivacyGate(history, options);
    scenarioPrompts = new ScenarioPrompts(history, gate, templates, options.categories());
    userText =
        switch (options.style()) {
          case TASTE -> new UserTaste(history, gate, templates, options)::text;
          case DETAIL -> new UserDetail(history, gate, templates, options)::text;
        };
  }

  /** How many prompts {@link #forEach} makes. */
  public int count() {
    return dataset.scenarios().size() + folds.profiles(dataset);
  }

  /** Makes all prompts, one after the other. */
  public void forEach(Consumer<Prompt> consumer) {
    for (int s = 0; s < dataset.scenarios().size(); s++) {
      String id = PromptIds.scenario(dataset.scenarios().get(s));
      consumer.accept(gate.release(id, scenarioPrompts.text(s)));
    }
    for (int profile = 0; profile < folds.profiles(dataset); profile++) {
      String text = userText.text(folds.user(profile), rows(profile));
      consumer.accept(gate.release(PromptIds.user(dataset, folds, profile), text));
    }
  }

  /** The user's training rows without those of the profile's fold. */
  private int[] rows(int profile) {
    int leftOut = folds.fold(profile);
    return IntStream.of(history.rowsOf(folds.user(profile)))
        .filter(row -> leftOut == Folds.ALL_ROWS || folds.of(dataset, row) != leftOut)
        .toArray();
  }

  /** What the privacy gate did so far. */
  public Audit audit() {
    return gate.audit();
  }
}
