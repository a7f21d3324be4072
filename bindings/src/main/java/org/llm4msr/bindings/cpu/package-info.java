/**
 * The C kernels for the CPU, one to one: stateless static methods per kernel family, which check
 * every pointer, length and shape before the call, and turn return codes into exceptions. All
 * matrices are row-major, in native memory.
 */
package org.llm4msr.bindings.cpu;
