/**
 * What the frozen model knows, on disk: one vector per prompt. A vector is identified by the
 * model's checksum, the pooling and the hash of the prompt's tokens, so that an interrupted job
 * goes on where it stopped and an unchanged prompt is never encoded again.
 */
package org.llm4msr.model.knowledge;
