/**
 * The operator set as sequences of the portable kernels ({@code kernels/src/main/portable}), for
 * any device that can run them: a backend brings memory and launches, this package says which
 * kernels with which arguments.
 */
package org.llm4msr.runtime.backend.portable;
