package org.llm4msr.bench;

import java.util.Locale;

/** How near vectors are to others: mean and least cosine. */
public record Cosines(double mean, double least) {
  /** Vector by vector. */
  public static Cosines of(float[][] a, float[][] b) {
    double least = 1;
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      double ab = 0;
      double aa = 0;
      double bb = 0;
      for (int j = 0; j < a[i].length; j++) {
        ab += (double) a[i][j] * b[i][j];
        aa += (double) a[i][j] * a[i][j];
        bb += (double) b[i][j] * b[i][j];
      }
      double cosine = ab / Math.sqrt(aa * bb);
      least = Math.min(least, cosine);
      sum += cosine;
    }
    return new Cosines(sum / a.length, least);
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "mean %.5f, least %.5f", mean, least);
  }
}
