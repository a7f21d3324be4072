/** The same work in PyTorch's native library, beside ours in one process. */
package org.llm4msr.bench.peers;
