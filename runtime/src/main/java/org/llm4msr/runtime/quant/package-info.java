/**
 * Weights in blocks of few bits, laid out as in GGUF: what they stand for, and how to make them.
 */
package org.llm4msr.runtime.quant;
