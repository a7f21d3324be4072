package org.llm4msr.model.scorer;

/**
 * What new knowledge changed in a snapshot.
 *
 * @param added users that the snapshot did not know
 * @param changed users whose knowledge is another now
 * @param same users whose knowledge is what it was
 */
public record KnowledgeUpdate(int added, int changed, int same) {}
