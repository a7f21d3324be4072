package org.llm4msr.app.report;

import java.util.Locale;

/** Numbers and words as the report shows them, the same everywhere. */
final class Text {
  static final String UNDEFINED = "–";
  private static final String MINUS = "−";

  /** Below this a difference is called significant. */
  static final double SIGNIFICANT = 0.05;

  private Text() {}

  /** Safe inside an element and inside a quoted attribute. */
  static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;")
        .replace("'", "&#39;");
  }

  static String metric(double value) {
    return decimals(value, 4);
  }

  static String difference(double value) {
    return Double.isNaN(value) ? UNDEFINED : sign(value, 4) + decimals(Math.abs(value), 4);
  }

  static String count(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }

  static String percent(double share) {
    return Double.isNaN(share) ? UNDEFINED : decimals(100 * share, 1) + " %";
  }

  /** A percentage with its sign. */
  static String signedPercent(double percent) {
    return Double.isNaN(percent)
        ? UNDEFINED
        : sign(percent, 2) + decimals(Math.abs(percent), 2) + " %";
  }

  static String pValue(double p) {
    return !Double.isNaN(p) && p < 0.001 ? "&lt; 0.001" : decimals(p, 3);
  }

  static String decimals(double value, int digits) {
    if (Double.isNaN(value)) {
      return UNDEFINED;
    }
    return String.format(Locale.ROOT, "%." + digits + "f", value).replace("-", MINUS);
  }

  /** A sign, or none for what rounds to zero. */
  private static String sign(double value, int digits) {
    if (Math.abs(value) < 0.5 * Math.pow(10, -digits)) {
      return "";
    }
    return value > 0 ? "+" : MINUS;
  }
}
