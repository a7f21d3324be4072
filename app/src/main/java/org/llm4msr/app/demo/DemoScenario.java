package org.llm4msr.app.demo;

/**
 * The four scenarios of the synthetic company and their quirks. Each has a level and a habit of its
 * own; what users like carries over from one to the next.
 */
enum DemoScenario {
  WEB_SHOP(
      "web_shop",
      "Web shop",
      "ウェブショップ",
      "The online shop in the browser: people search and compare on long result pages, look at the"
          + " price and seldom go beyond the first rows.",
      "ブラウザーで使うネットショップ。長い検索結果を見比べ、価格をよく見て、下の方まではあまり見ない。",
      0.45,
      new Quirks(-1.35, 1.0, 0.55, 0.13, 10, 13, 0, 24, 0)),
  SHORT_VIDEO(
      "short_video",
      "Short video",
      "ショート動画",
      "A feed of short product clips on the phone in the evening: one item at a time, quick likes,"
          + " price hardly matters, beauty, fashion and games are shown most.",
      "夜にスマートフォンで見る短い商品動画。一度に一つ、気軽に「いいね」。価格はあまり関係なく、美容・ファッション・ゲームが多い。",
      0.33,
      new Quirks(-0.95, 0.85, 0.05, 0.0, 14, 20, 0, 24, 0)),
  APP_SHELF(
      "app_shelf",
      "In-app shelf",
      "アプリ内の棚",
      "A shelf of a few recommended items on the home screen of the loyalty app, opened around noon"
          + " for everyday goods.",
      "会員アプリのホーム画面に並ぶおすすめ棚。昼ごろに日用品のために開かれる。",
      0.17,
      new Quirks(-1.65, 1.1, 0.35, 0.22, 6, 12, 0, 24, 0)),
  PHYSICAL_STORE(
      "physical_store",
      "Physical store",
      "実店舗",
      "Screens at the shelves of the stores, where a customer may scan an item with the app. They"
          + " were installed a month ago, so there is little data yet.",
      "実店舗の棚の画面。客はアプリで商品を読み取れる。一か月前に設置されたばかりで、データはまだ少ない。",
      0.05,
      new Quirks(-0.85, 1.15, 0.25, 0.0, 4, 16, 10, 20, 60));

  /**
   * What sets a scenario apart.
   *
   * @param base log-odds of a click before anything else
   * @param tasteGain how strongly tastes show
   * @param priceAversion log-odds lost from the cheapest to the dearest price band, halved
   * @param positionLoss log-odds lost per place down the page
   * @param sessionLength usual number of impressions in a session
   * @param busiestHour hour of the day with most sessions
   * @param opensAt hour of the day before which nothing happens
   * @param closesAt hour of the day from which nothing happens
   * @param firstDay first day with data; from there traffic grows linearly if it is not day 0
   */
  record Quirks(
      double base,
      double tasteGain,
      double priceAversion,
      double positionLoss,
      int sessionLength,
      int busiestHour,
      int opensAt,
      int closesAt,
      int firstDay) {}

  /** Relative supply per category, in the order of {@link Catalogue}; 0 = not on offer. */
  private static final double[][] SUPPLY = {
    // Kitchen Sweets Coffee Outdoor Fitness Beauty Kids Pets Electronics Games Books Fashion
    {1.0, 0.6, 0.7, 1.0, 1.0, 1.0, 0.9, 0.9, 1.4, 1.0, 1.2, 1.2},
    {0.8, 0.9, 0.5, 0.9, 1.0, 2.0, 0.4, 1.2, 0.8, 1.5, 0.4, 1.9},
    {0.9, 1.6, 1.5, 0.4, 0.7, 1.1, 1.3, 1.3, 0.6, 0.6, 0.7, 0.6},
    {1.4, 2.0, 1.6, 0.6, 0.5, 1.2, 1.1, 0.9, 0.7, 0.4, 0.0, 0.8},
  };

  /** Log-odds that everyone adds per category and scenario: a sweet sells itself at the shelf. */
  private static final double[][] CATEGORY_QUIRK = {
    {0.0, -0.3, 0.0, 0.1, 0.0, -0.1, 0.1, 0.2, 0.3, 0.0, 0.2, -0.2},
    {0.2, 0.3, -0.2, 0.2, 0.1, 0.4, -0.3, 0.6, -0.2, 0.2, -0.6, 0.3},
    {0.0, 0.4, 0.3, -0.4, 0.0, 0.0, 0.2, 0.2, -0.3, -0.3, 0.0, -0.2},
    {0.2, 0.6, 0.4, -0.3, -0.3, 0.1, 0.0, -0.1, -0.5, -0.4, 0.0, 0.1},
  };

  final String id;
  final Catalogue.Name title;
  final Catalogue.Name description;
  final double share;
  final Quirks quirks;

  DemoScenario(
      String id,
      String titleEn,
      String titleJa,
      String descriptionEn,
      String descriptionJa,
      double share,
      Quirks quirks) {
    this.id = id;
    this.title = new Catalogue.Name(titleEn, titleJa);
    this.description = new Catalogue.Name(descriptionEn, descriptionJa);
    this.share = share;
    this.quirks = quirks;
  }

  double supply(int category) {
    return SUPPLY[ordinal()][category];
  }

  double categoryQuirk(int category) {
    return CATEGORY_QUIRK[ordinal()][category];
  }
}
