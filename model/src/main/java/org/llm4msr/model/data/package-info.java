/**
 * The interaction log in memory: immutable columns, vocabularies, splits, mini-batches.
 *
 * <p>Pure Java, without input or output; {@code app} reads files into a {@link
 * org.llm4msr.model.data.DatasetBuilder}.
 */
package org.llm4msr.model.data;
