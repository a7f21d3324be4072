/** How fast the system is, measured so that the figures can be repeated and compared. */
package org.llm4msr.bench;
