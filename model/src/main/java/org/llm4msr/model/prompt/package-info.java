/**
 * Prompts: what the training part of a log says about scenarios and users, in words that give no
 * one away. Everything leaves through {@link org.llm4msr.model.prompt.PrivacyGate}.
 */
package org.llm4msr.model.prompt;
