/** Training runs: what they are made of, the folder that each leaves, and comparisons of many. */
package org.llm4msr.app.run;
