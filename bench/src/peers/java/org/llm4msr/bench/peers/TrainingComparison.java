package org.llm4msr.bench.peers;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.JniUtils;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.llm4msr.bench.Machine;
import org.llm4msr.bench.Rounds;
import org.llm4msr.bench.peers.TorchTraining.Routing;
import org.llm4msr.bench.peers.TorchTraining.Tables;
import org.llm4msr.bench.training.TrainingStep;
import org.llm4msr.bench.training.TrainingWorkload;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;

/**
 * The training step, ours and PyTorch's, round by round. First both train from the same weights on
 * the same batches, and their losses must agree.
 *
 * <p>Arguments: backend, backbone, rows of the largest tables, threads, batch size, width of the
 * knowledge vectors (0 for the backbone alone), {@code lazy} or {@code dense}, rounds.
 */
public final class TrainingComparison {
  private static final double TOLERANCE = 1e-5;
  private static final int CHECKED_STEPS = 4;

  private TrainingComparison() {}

  public static void main(String[] args) {
    int threads = Integer.parseInt(args[3]);
    TrainingWorkload workload =
        new TrainingWorkload(
            TrainingWorkload.Kind.valueOf(args[1].toUpperCase(Locale.ROOT)),
            Integer.parseInt(args[2]),
            Integer.parseInt(args[4]),
            Integer.parseInt(args[5]));
    boolean lazy = args[6].equals("lazy");
    Engine engine = Engine.getInstance();
    JniUtils.setNumThreads(threads);
    try (Backend backend = Backends.open(args[0], new BackendOptions(threads));
        NDManager manager = NDManager.newBaseManager()) {
      System.out.println(Machine.describe(backend.description()) + "; " + engine);
      System.out.println(workload + ", " + args[6] + " Adam, threads " + threads);
      compare(backend, manager, workload, lazy, Integer.parseInt(args[7]));
    }
  }

  private static void compare(
      Backend backend, NDManager manager, TrainingWorkload workload, boolean lazy, int rounds) {
    List<TorchTraining> peers = new ArrayList<>();
    try (TrainingStep ours = new TrainingStep(backend, workload, lazy)) {
      Rounds runner = new Rounds(rounds, 0.5, rounds * 6.0);
      List<Tables> forms =
          lazy ? List.of(Tables.SPARSE, Tables.SPARSE_ROWS) : List.of(Tables.DENSE);
      for (Routing routing : Routing.values()) {
        for (Tables tables : forms) {
          TorchTraining peer = new TorchTraining(manager, workload, ours, tables, routing);
          peers.add(peer);
          runner.add("PyTorch " + tables + " " + routing, workload.batchSize(), peer::run);
        }
      }
      for (int step = 0; step < CHECKED_STEPS; step++) {
        ours.run();
        for (TorchTraining peer : peers) {
          checkLoss(step, ours.loss(), peer.runAndReadLoss());
        }
      }
      runner.add("llm4msr", workload.batchSize(), ours::run);
      runner.run().forEach(System.out::println);
    } finally {
      peers.forEach(TorchTraining::close);
    }
  }

  private static void checkLoss(int step, double ours, double theirs) {
    System.out.printf("step %d: loss %.8f, PyTorch %.8f%n", step, ours, theirs);
    if (!(Math.abs(ours - theirs) <= TOLERANCE)) {
      throw new IllegalStateException("the losses differ by more than " + TOLERANCE);
    }
  }
}
