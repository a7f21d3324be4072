/** Text to token ids. */
package org.llm4msr.model.tokenizer;
