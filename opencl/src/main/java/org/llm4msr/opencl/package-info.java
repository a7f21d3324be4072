/** The operator set on OpenCL devices through JOCL, by the portable kernels. */
package org.llm4msr.opencl;
