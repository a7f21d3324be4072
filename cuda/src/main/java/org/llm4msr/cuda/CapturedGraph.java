package org.llm4msr.cuda;

import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUresult;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;

/** Launches that were captured once, to be issued again in one call. */
final class CapturedGraph extends Handle {
  private final Raw raw;

  private static final class Raw extends CUgraphExec {
    long pointer() {
      return getNativePointer();
    }
  }

  private CapturedGraph(Raw raw) {
    super("graph of the cuda backend", 0, "cuGraphExecDestroy");
    this.raw = raw;
  }

  /** Captures what {@code work} issues to the stream, none of which runs. */
  static CapturedGraph of(Stream stream, Runnable work) {
    CudaException.check(
        JCudaDriver.cuStreamBeginCapture(
            stream.handle(), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
        "cuStreamBeginCapture");
    CUgraph graph = new CUgraph();
    try {
      work.run();
    } catch (RuntimeException e) {
      // The stream is to be usable again; what failed is known already.
      if (JCudaDriver.cuStreamEndCapture(stream.handle(), graph) == CUresult.CUDA_SUCCESS) {
        JCudaDriver.cuGraphDestroy(graph);
      }
      throw e;
    }
    CudaException.check(
        JCudaDriver.cuStreamEndCapture(stream.handle(), graph), "cuStreamEndCapture");
    Raw raw = new Raw();
    int code = JCudaDriver.cuGraphInstantiate(raw, graph, 0);
    int destroyed = JCudaDriver.cuGraphDestroy(graph);
    CudaException.check(code, "cuGraphInstantiate");
    CapturedGraph captured = new CapturedGraph(raw);
    if (destroyed != CUresult.CUDA_SUCCESS) {
      captured.close();
      CudaException.check(destroyed, "cuGraphDestroy");
    }
    return captured;
  }

  void launch(Stream stream) {
    CudaException.check(Driver.launchGraph(raw.pointer(), stream.pointer()), "cuGraphLaunch");
  }

  @Override
  int release() {
    return JCudaDriver.cuGraphExecDestroy(raw);
  }
}
