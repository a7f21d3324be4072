package org.llm4msr.model.prompt;

import org.llm4msr.model.data.Dataset;

/**
 * How far the categories of one user truly differ in how often she likes them. A category's lift is
 * its rate of likes less her rate over everything. The variance of the true lifts is estimated from
 * the training rows by the method of moments: that of the lifts seen less what chance alone would
 * give (empirical Bayes; Casella, The American Statistician 39, 1985). A lift from few rows is then
 * drawn to 0 by as many rows as chance makes up for.
 *
 * @param rows of no lift that each category is given; unlimited if chance explains all
 * @param deviation standard deviation of the true lifts, 0 if chance explains all
 */
record LiftPrior(double rows, double deviation) {

  static LiftPrior of(TrainingHistory history) {
    Dataset dataset = history.dataset();
    double seen = 0;
    double squares = 0;
    double chance = 0;
    double excess = 0;
    for (int user = 0; user < dataset.users(); user++) {
      CategoryCounts counts = new CategoryCounts(dataset, history.rowsOf(user));
      double rate = counts.rate();
      for (CategoryCounts.Count count : counts.all()) {
        double n = count.seen();
        double variance = n * rate * (1 - rate);
        seen += n;
        squares += n * n;
        chance += variance;
        // A category's rows are drawn from the user's without putting back.
        excess += Math.pow(count.liked() - rate * n, 2) - variance * (1 - n / counts.seen());
      }
    }
    return excess <= 0
        ? new LiftPrior(Double.POSITIVE_INFINITY, 0)
        : new LiftPrior(chance / seen / (excess / squares), Math.sqrt(excess / squares));
  }

  /** The lift of a category that was seen and liked so often, drawn to 0. */
  double lift(CategoryCounts.Count count, double rate) {
    return (count.liked() - rate * count.seen()) / (count.seen() + rows);
  }
}
