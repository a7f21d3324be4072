package org.llm4msr.model.prompt;

import java.util.function.Consumer;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.prompt.PrivacyGate.Prompt;

/**
 * Makes the prompts of a data set: one per scenario, then one per profile (a user, or a user
 * without the rows of a fold). Training rows alone are used.
 */
public final class PromptFactory {
  private final Dataset dataset;
  private final Folds folds;
  private final PrivacyGate gate;
  private final ScenarioPrompts scenarioPrompts;
  private final UserPrompts userPrompts;

  public PromptFactory(Dataset dataset, Folds folds, PromptOptions options) {
    this.dataset = dataset;
    this.folds = folds;
    Templates templates = Templates.of(options.language());
    TrainingHistory history = new TrainingHistory(dataset);
    gate = new PrivacyGate(history, options);
    scenarioPrompts = new ScenarioPrompts(history, gate, templates, options.categories());
    userPrompts = new UserPrompts(history, gate, templates, options);
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
      String text = userPrompts.text(folds.user(profile), folds, folds.fold(profile));
      consumer.accept(gate.release(PromptIds.user(dataset, folds, profile), text));
    }
  }

  /** What the privacy gate did so far. */
  public Audit audit() {
    return gate.audit();
  }
}
