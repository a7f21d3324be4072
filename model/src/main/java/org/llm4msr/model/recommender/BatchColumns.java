package org.llm4msr.model.recommender;

import org.llm4msr.runtime.graph.Value;

/**
 * An input of the model that is a choice of a batch's columns.
 *
 * @param input {@code [rows, columns]}
 * @param columns numbers of the columns in the batch's ids or factors, ascending
 */
public record BatchColumns(Value input, int[] columns) {}
