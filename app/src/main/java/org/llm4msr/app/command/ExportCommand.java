package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.llm4msr.app.run.SnapshotExport;
import org.llm4msr.model.scorer.Precision;
import org.llm4msr.model.scorer.SnapshotWriter;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Makes a trained model ready to score. */
@Command(
    name = "export",
    description = {
      "Makes a trained model ready to score: one file, in which everything is worked out that does"
          + " not depend on the request. Its scores of test rows are compared with evaluation's"
          + " before it appears."
    },
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  llm4msr export --run runs/star --out star.snapshot",
      "  llm4msr export --run runs/star --out star.snapshot --no-precompute     (a smaller file)",
      "  llm4msr export --run runs/star --out star.snapshot --bf16              (half the size)",
      "  llm4msr export --run runs/star --out star.snapshot --int8              (a quarter, fastest)"
    })
public final class ExportCommand implements Callable<Integer> {
  @Mixin private RunOption run;

  @Option(names = "--out", required = true, paramLabel = "FILE", description = "Snapshot to write.")
  private Path out;

  @Option(
      names = "--no-precompute",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = {
        "Without the items' parts of layers, which take memory for every item and scenario;"
            + " requests take longer then."
      })
  private boolean precompute;

  /** In what matrices and items' parts are held, if not in F32. */
  private static final class Rounded {
    @Option(
        names = "--bf16",
        description = {
          "Hold matrices and items' parts as BF16, in half the memory. Scores differ in the third"
              + " digit; what that costs of the AUC is measured on the test rows."
        })
    private boolean bf16;

    @Option(
        names = "--int8",
        description = {
          "Hold them as integers of 8 bits, in a quarter of the memory, and multiply integers. Scores"
              + " differ in the second digit; what that costs is measured likewise."
        })
    private boolean int8;
  }

  @ArgGroup private Rounded rounded;

  @Option(
      names = "--max-auc-loss",
      paramLabel = "LOSS",
      defaultValue = "" + SnapshotExport.MOST_AUC_LOSS,
      description = {
        "What --bf16 or --int8 may cost of the AUC of all test rows, and of each scenario's; more is refused"
            + " (default: ${DEFAULT-VALUE})."
      })
  private double mostAucLoss;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter err = spec.commandLine().getErr();
    if (!(mostAucLoss >= 0)) {
      throw Checks.wrong(spec, "--max-auc-loss: expected 0 or more, found " + mostAucLoss);
    }
    Precision precision =
        rounded == null ? Precision.F32 : rounded.int8 ? Precision.INT8 : Precision.BF16;
    SnapshotExport.Options options =
        new SnapshotExport.Options(new SnapshotWriter.Options(precompute, precision), mostAucLoss);
    SnapshotExport.Result result =
        SnapshotExport.write(run.folder(), out, options, step -> err.println(step + " ..."));
    PrintWriter printed = spec.commandLine().getOut();
    if (json) {
      Json.print(printed, toJson(result));
      return 0;
    }
    printed.printf(
        Locale.ROOT,
        "%s: %s, %d users, %d items, scenarios %s%n",
        out,
        result.model(),
        result.users(),
        result.items(),
        String.join(", ", result.scenarios()));
    printed.printf(
        Locale.ROOT,
        "size: %s, of which scoring reads %s; a remembered user takes %s%n",
        size(result.fileBytes()),
        size(result.scoringBytes()),
        size(result.userBytes()));
    if (precompute) {
      printed.println("with many items --no-precompute makes the file smaller and requests slower");
    }
    if (result.checkedRows() == 0) {
      printed.println("there are no test rows: its scores were not compared with evaluation's");
    } else {
      printed.printf(
          Locale.ROOT,
          "compared with evaluation on %d test rows: largest difference %.1e%n",
          result.checkedRows(),
          result.largestDifference());
    }
    if (result.aucLoss() != null) {
      printed.printf(
          Locale.ROOT,
          "%s costs at most %.5f of an AUC, of %s%n",
          precision,
          result.aucLoss().loss(),
          result.aucLoss().where());
    }
    return 0;
  }

  private static ObjectNode toJson(SnapshotExport.Result result) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("model", result.model());
    node.put("users", result.users());
    node.put("items", result.items());
    result.scenarios().forEach(node.putArray("scenarios")::add);
    node.put("file_bytes", result.fileBytes());
    node.put("scoring_bytes", result.scoringBytes());
    node.put("user_bytes", result.userBytes());
    node.put("checked_rows", result.checkedRows());
    node.put("largest_difference", result.largestDifference());
    if (result.aucLoss() != null) {
      node.put("auc_loss", result.aucLoss().loss());
      node.put("auc_loss_of", result.aucLoss().where());
    }
    return node;
  }

  private static String size(long bytes) {
    return bytes < 1 << 20
        ? String.format(Locale.ROOT, "%.1f KiB", bytes / 1024.0)
        : String.format(Locale.ROOT, "%.1f MiB", bytes / 1048576.0);
  }
}
