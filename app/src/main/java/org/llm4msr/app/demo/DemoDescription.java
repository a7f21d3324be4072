package org.llm4msr.app.demo;

/** The YAML file that tells the data reader what the demo's CSV files hold. */
final class DemoDescription {
  private static final String HEAD =
      """
      # Synthetic: made up by a seeded generator. No person, brand or shop in here is real.
      name: kazamidori
      description:
        en: "A made-up retailer with a web shop, short videos, a shelf in its app and stores."
        ja: "架空の小売企業。ウェブショップ、ショート動画、アプリ内の棚、実店舗を持つ。"
      interactions:
        path: interactions.csv
        user: user_id
        item: item_id
        scenario: scenario
        label: label
        time: timestamp
      items:
        path: items.csv
        key: item_id
        title: {en: title, ja: title_ja}
        categories: {en: [category, subcategory], ja: [category_ja, subcategory_ja]}
      users:
        path: users.csv
        key: user_id
      scenarios:
      """;

  private static final String TAIL =
      """
      features:
        - user
        - item
        - {name: age_band, from: users}
        - {name: region, from: users}
        - {name: loyalty_tier, from: users}
        - {name: category, from: items}
        - {name: subcategory, from: items}
        - {name: brand, from: items}
        - {name: price_band, from: items}
        - {name: position, from: interactions}
        - {name: daypart, from: interactions}
      # The store opens late, so a split by time leaves it almost nothing to learn from.
      split:
        time: {train: 8, valid: 1, test: 1}
      prompts:
        fields: [item.title, item.categories, user.age_band, user.loyalty_tier]
      """;

  private DemoDescription() {}

  static String yaml() {
    StringBuilder yaml = new StringBuilder(HEAD);
    for (DemoScenario scenario : DemoScenario.values()) {
      yaml.append("  ").append(scenario.id).append(":\n");
      localized(yaml, "title", scenario.title);
      localized(yaml, "description", scenario.description);
    }
    return yaml.append(TAIL).toString();
  }

  private static void localized(StringBuilder yaml, String key, Catalogue.Name name) {
    yaml.append("    ").append(key).append(":\n");
    yaml.append("      en: \"").append(name.en()).append("\"\n");
    yaml.append("      ja: \"").append(name.ja()).append("\"\n");
  }
}
