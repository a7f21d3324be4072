package org.llm4msr.model.training;

/**
 * What was measured at one evaluation.
 *
 * @param epoch epochs begun so far, from 1
 * @param step optimiser steps so far
 * @param trainLoss mean loss of the rows trained on since the evaluation before
 * @param validAuc AUC over all validation rows, NaN if undefined
 * @param validScenarioAuc mean of the scenarios' AUCs
 * @param validLogLoss LogLoss over all validation rows
 * @param score what early stopping looks at, higher is better; NaN if undefined
 * @param seconds spent on training since the evaluation before
 * @param samplesPerSecond training rows per second in that time
 */
public record HistoryEntry(
    int epoch,
    long step,
    double trainLoss,
    double validAuc,
    double validScenarioAuc,
    double validLogLoss,
    double score,
    double seconds,
    double samplesPerSecond) {}
