/** The training step. */
package org.llm4msr.bench.training;
