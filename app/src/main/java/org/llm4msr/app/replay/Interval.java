package org.llm4msr.app.replay;

/**
 * A mean over requests with its 95 % interval; NaN where undefined.
 *
 * @param requests that have a value
 */
public record Interval(double mean, double low, double high, long requests) {}
