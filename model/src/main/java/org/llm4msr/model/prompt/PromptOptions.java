package org.llm4msr.model.prompt;

/**
 * How prompts are written.
 *
 * @param language of the templates; titles and categories come in the data set's language
 * @param style how much is told about a user
 * @param maxChars most characters (UTF-16 units) of a prompt, at least {@link #LEAST_CHARS}
 * @param titles most titles in a user prompt, per scenario where it tells scenarios apart
 * @param categories most categories, as titles
 * @param privacy what may go into a prompt
 */
public record PromptOptions(
    Language language,
    UserPromptStyle style,
    int maxChars,
    int titles,
    int categories,
    PrivacyPolicy privacy) {
  public static final int LEAST_CHARS = 200;

  /**
   * Small enough for a context of 512 tokens of a small model, which takes 2 to 3 characters each.
   */
  public static final int DEFAULT_MAX_CHARS = 900;

  public static final PromptOptions DEFAULT =
      new PromptOptions(
          Language.EN, UserPromptStyle.TASTE, DEFAULT_MAX_CHARS, 12, 6, PrivacyPolicy.DEFAULT);

  public PromptOptions {
    if (maxChars < LEAST_CHARS || titles < 0 || categories < 0) {
      throw new IllegalArgumentException(
          "max chars %d (at least %d), titles %d, categories %d (at least 0)"
              .formatted(maxChars, LEAST_CHARS, titles, categories));
    }
  }

  public PromptOptions withLanguage(Language other) {
    return new PromptOptions(other, style, maxChars, titles, categories, privacy);
  }

  public PromptOptions withStyle(UserPromptStyle other) {
    return new PromptOptions(language, other, maxChars, titles, categories, privacy);
  }

  public PromptOptions withMaxChars(int other) {
    return new PromptOptions(language, style, other, titles, categories, privacy);
  }
}
