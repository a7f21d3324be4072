/** The commands, one class each, and what they share. */
package org.llm4msr.app.command;
