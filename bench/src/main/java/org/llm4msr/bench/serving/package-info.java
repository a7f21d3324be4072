/** Load on the HTTP service from another process. */
package org.llm4msr.bench.serving;
