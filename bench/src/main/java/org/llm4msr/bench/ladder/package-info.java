/** A matrix product from its formula to the kernel that ships, for readers. */
package org.llm4msr.bench.ladder;
