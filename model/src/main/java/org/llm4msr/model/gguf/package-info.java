/** GGUF, the file format of llama.cpp: weights, config and vocabulary in one file. */
package org.llm4msr.model.gguf;
