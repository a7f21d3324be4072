/** Prompts in, knowledge out. */
package org.llm4msr.app.encode;
