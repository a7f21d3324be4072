/**
 * Training and evaluation of a recommender on a data set: parameters, batches prepared on a second
 * thread, early stopping with the best weights restored, checkpoints that resume to the same bits.
 */
package org.llm4msr.model.training;
