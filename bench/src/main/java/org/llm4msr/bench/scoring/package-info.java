/** Requests to a scorer: one user, one scenario, some hundred items. */
package org.llm4msr.bench.scoring;
