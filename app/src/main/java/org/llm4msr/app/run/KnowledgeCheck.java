package org.llm4msr.app.run;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.llm4msr.app.run.ModelSettings.MetaLevels;
import org.llm4msr.app.run.ModelSettings.VectorSource;
import org.llm4msr.app.run.RunConfig.DataSource;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.knowledge.KnowledgeFile;
import org.llm4msr.model.prompt.PromptIds;
import org.llm4msr.model.prompt.PromptSource;
import org.llm4msr.runtime.UserError;

/**
 * Whether vectors may be trained with. Those made from other rows may have seen labels that are
 * tested on, and those without folds have seen the labels that they are trained on.
 */
final class KnowledgeCheck {
  private final Path file;
  private final PromptSource source;
  private final Folds folds;
  private final Consumer<String> warn;
  private final Set<String> warned = new HashSet<>();

  /**
   * @param warn told each warning once, a line without its end
   * @throws UserError if vectors are missing that leave a fold out
   */
  KnowledgeCheck(Path file, KnowledgeFile knowledge, Consumer<String> warn) {
    this.file = file;
    this.warn = warn;
    source = knowledge.promptSource();
    Folds found = PromptIds.folds(knowledge.ids());
    folds = source == null ? found : source.folds();
    // Training rows of the missing folds would be without a vector.
    if (found.count() < folds.count()) {
      throw new UserError(
          "%s: was made from prompts with %d folds, but has vectors of %d; encode all prompts of the"
                  .formatted(file, folds.count(), found.count())
              + " file that 'llm4msr prompts' wrote");
    }
  }

  /** Which vectors training rows use. */
  Folds folds() {
    return folds;
  }

  /**
   * Warns if the vectors do not say what they were made from.
   *
   * @throws UserError if they were made from other rows than the data set's training rows
   */
  void requireRowsOf(Dataset dataset, DataSource data) {
    if (source == null) {
      warn(
          "does not say which training rows it was made from; if from others than are trained on"
              + " here, it may have seen labels of test rows");
    } else if (!source.isOf(dataset)) {
      throw new UserError(
          String.format(
              Locale.ROOT,
              "%s: was made from other training rows (%s) than %s trains on (%s), and may have seen"
                  + " labels of test rows, or rows cut away; run 'llm4msr prompts' with --data %s%s, then 'encode',"
                  + " again",
              file,
              rows(source.rows(), source.data(), source.cut()),
              data.file(),
              rows(dataset.count(Split.TRAIN), dataset.name(), data.cut()),
              data.file(),
              options(data.cut())));
    }
  }

  private static String rows(long count, String data, Map<String, Double> cut) {
    return String.format(
        Locale.ROOT, "%,d of %s", count, FileErrors.printable(data + options(cut)));
  }

  private static String options(Map<String, Double> cut) {
    return cut.entrySet().stream()
        .map(share -> " --cut " + share.getKey() + "=" + share.getValue())
        .collect(Collectors.joining());
  }

  /** Warns if a model that reads users' vectors needs other folds than theirs. */
  void warnOfFolds(ModelSettings model) {
    if (model.meta() == MetaLevels.SCENARIO || model.vectors() != VectorSource.LLM) {
      return;
    }
    int copies = model.crossFit();
    if (source != null && folds.equals(Folds.NONE)) {
      warn(
          "has no out-of-fold vectors: training rows use vectors that have seen their own labels,"
              + " and training trusts them too much; run 'llm4msr prompts' with --folds "
              + Math.max(2, copies));
    } else if (copies > 0 && folds.count() > 0 && folds.count() != copies) {
      warn(
          "has vectors that leave out one of %d folds, but --cross-fit is %d: a row's vector and its"
                  .formatted(folds.count(), copies)
              + " copy of the backbone come from different rows; give 'prompts --folds' and"
              + " --cross-fit the same number");
    }
  }

  private void warn(String message) {
    if (warned.add(message)) {
      warn.accept("warning: " + file + ": " + message);
    }
  }
}
