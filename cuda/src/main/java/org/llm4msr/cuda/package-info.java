/**
 * The operator set on NVIDIA GPUs, by the portable kernels: JCuda's driver API for what happens
 * once, the Foreign Function & Memory API straight to the driver for what happens in every run.
 */
package org.llm4msr.cuda;
