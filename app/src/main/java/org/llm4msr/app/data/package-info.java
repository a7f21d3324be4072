/** Reads a data description (YAML) and the tables that it names into a data set. */
package org.llm4msr.app.data;
