/**
 * Model files on disk: safetensors (read memory-mapped, written atomically) and the config.json of
 * Hugging Face directories. Files are hostile until checked: every length, offset, shape and number
 * is verified before it is used, and what is wrong ends in a {@link org.llm4msr.runtime.UserError}
 * that names the file and the field.
 */
package org.llm4msr.model.checkpoint;
