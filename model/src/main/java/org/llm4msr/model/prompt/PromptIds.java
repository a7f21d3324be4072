package org.llm4msr.model.prompt;

import java.util.Collection;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Scenario;

/**
 * The keys by which prompts, knowledge vectors and the data set find each other. A key stands
 * beside a prompt and never in its text.
 */
public final class PromptIds {
  private static final String USER = "user/";
  private static final String FOLD = "#fold";
  private static final Pattern OF_FOLD =
      Pattern.compile("(" + USER + ".*)" + FOLD + "([1-9][0-9]{0,2})", Pattern.DOTALL);

  private PromptIds() {}

  /** {@code user/KEY}; {@code user/KEY#foldN} for a profile that leaves fold N out. */
  public static String user(Dataset dataset, Folds folds, int profile) {
    String id = USER + dataset.userKey(folds.user(profile));
    int fold = folds.fold(profile);
    return fold == Folds.ALL_ROWS ? id : id + FOLD + fold;
  }

  /**
   * The folds that prompts or vectors were made for: the largest N of the ids {@code
   * user/KEY#foldN} beside which {@code user/KEY} exists.
   */
  public static Folds folds(Collection<String> ids) {
    Set<String> all = new HashSet<>(ids);
    int count = 0;
    for (String id : ids) {
      Matcher fold = OF_FOLD.matcher(id);
      if (fold.matches() && all.contains(fold.group(1))) {
        count = Math.max(count, Integer.parseInt(fold.group(2)));
      }
    }
    return new Folds(count == 1 ? 0 : count);
  }

  /** The id of the same user's complete profile; any other id as it is. */
  public static String withoutFold(String id) {
    Matcher fold = OF_FOLD.matcher(id);
    return fold.matches() ? fold.group(1) : id;
  }

  /** The user's key in {@code user/KEY}; null for ids of another kind. */
  public static String userKey(String id) {
    return id.startsWith(USER) ? id.substring(USER.length()) : null;
  }

  /** {@code scenario/NAME}. */
  public static String scenario(Scenario scenario) {
    return "scenario/" + scenario.name();
  }
}
