/**
 * From a trained model to microseconds: the model's graph is specialised to each scenario ({@link
 * org.llm4msr.model.scorer.Specialiser}), rewritten so that what depends on the user, the request
 * or the item alone is computed once ({@link org.llm4msr.model.scorer.LinearRules}), and written as
 * programs into a snapshot, which {@link org.llm4msr.model.scorer.Scorer} runs.
 */
package org.llm4msr.model.scorer;
