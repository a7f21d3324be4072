/**
 * Single kernels on one thread, beside the multiply-add rate of the same core in the same seconds.
 */
package org.llm4msr.bench.kernels;
