/** What {@code bench/gpu/run.sh} measures on a GPU, and how it sums up. */
package org.llm4msr.bench.gpu;
