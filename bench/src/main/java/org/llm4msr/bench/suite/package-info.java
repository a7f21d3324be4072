/** Everything measured by one command, beside the rates of the machine. */
package org.llm4msr.bench.suite;
