/**
 * Measures of ranking and calibration for binary labels. Undefined values (an AUC over one class,
 * say) are NaN here and absent from JSON.
 */
package org.llm4msr.model.metrics;
