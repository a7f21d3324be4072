/** The encoder: prompts through a frozen language model. */
package org.llm4msr.bench.encoding;
