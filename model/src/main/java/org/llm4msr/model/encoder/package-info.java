/**
 * The frozen large language model: reads a Hugging Face directory and turns prompts into vectors.
 * Work is packed, never padded: the sequences of a batch lie end to end, and attention is told
 * where each begins.
 */
package org.llm4msr.model.encoder;
