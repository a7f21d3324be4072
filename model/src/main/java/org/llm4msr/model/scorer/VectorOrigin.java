package org.llm4msr.model.scorer;

import org.llm4msr.model.training.VectorScaling;

/**
 * Where a model's knowledge vectors of users came from: later ones must come from there too.
 *
 * @param model checksum of the language model, or null if its file did not say
 * @param pool how vectors were pooled, or null if the file did not say
 * @param scaling what the vectors went through before the model read them
 */
public record VectorOrigin(String model, String pool, VectorScaling scaling) {}
