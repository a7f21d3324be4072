package org.llm4msr.cuda;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.KernelSequence;

/**
 * A plan's kernels, issued in one call where a run is like one before: the second run of the same
 * extents is captured, and every further one replays it. A few extents are remembered.
 */
final class CapturedKernels implements KernelSequence {
  private static final int MOST_REMEMBERED = 8;

  private final Context context;
  private final Stream stream;
  private final CudaDevice device;
  private final Kernel[] kernels;
  private final long[] extents;
  // The last used first.
  private final List<Run> remembered = new ArrayList<>(MOST_REMEMBERED + 1);

  /** That the kernels ran with some extents, and from the second time on what they launched. */
  private static final class Run {
    private final long[] extents;
    private CapturedGraph graph;
    private int scratchGeneration;

    private Run(long[] extents) {
      this.extents = extents;
    }

    private void forget() {
      if (graph != null) {
        graph.close();
        graph = null;
      }
    }
  }

  CapturedKernels(
      Context context, Stream stream, CudaDevice device, List<Kernel> kernels, long[] extents) {
    this.context = context;
    this.stream = stream;
    this.device = device;
    this.kernels = kernels.toArray(Kernel[]::new);
    this.extents = extents;
  }

  @Override
  public void run() {
    Run run = recall();
    if (run == null) {
      remember();
      issue();
      return;
    }
    context.use();
    if (run.graph == null || run.scratchGeneration != device.scratchGeneration()) {
      run.forget();
      run.graph = CapturedGraph.of(stream, this::issue);
      run.scratchGeneration = device.scratchGeneration();
    }
    run.graph.launch(stream);
  }

  private void issue() {
    for (Kernel kernel : kernels) {
      kernel.run();
    }
  }

  private Run recall() {
    for (int i = 0; i < remembered.size(); i++) {
      if (Arrays.equals(remembered.get(i).extents, extents)) {
        Run run = remembered.remove(i);
        remembered.addFirst(run);
        return run;
      }
    }
    return null;
  }

  private void remember() {
    remembered.addFirst(new Run(extents.clone()));
    if (remembered.size() > MOST_REMEMBERED) {
      remembered.removeLast().forget();
    }
  }

  @Override
  public void close() {
    context.useToClose();
    remembered.forEach(Run::forget);
    remembered.clear();
  }
}
