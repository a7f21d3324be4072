/**
 * The families of transformers as declarations: what a config says, in terms that are the same for
 * all of them, and where each keeps its weights.
 */
package org.llm4msr.model.family;
