package org.llm4msr.model.recommender;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.runtime.graph.Autodiff;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.AdamOp;
import org.llm4msr.runtime.op.ClipFactorOp;
import org.llm4msr.runtime.op.SparseAdamOp;

/**
 * One training step as a graph: the model, its loss, the gradients and the optimiser, which updates
 * parameters and moments in place.
 */
public final class TrainingGraph {
  /** Prefixes of the moments' names in the parameter store. */
  public static final String FIRST_MOMENT = "adam.m/";

  /** See {@link #FIRST_MOMENT}. */
  public static final String SECOND_MOMENT = "adam.v/";

  private final RecommenderModel model;
  private final Value labels;
  private final Value loss;
  private final Value weights;
  private final Map<Value, Gradient> gradients;

  private TrainingGraph(
      RecommenderModel model,
      Value labels,
      Value loss,
      Value weights,
      Map<Value, Gradient> gradients) {
    this.model = model;
    this.labels = labels;
    this.loss = loss;
    this.weights = weights;
    this.gradients = gradients;
  }

  /** The same without weights of rows. */
  public static TrainingGraph of(RecommenderModel model, OptimizerConfig optimizer) {
    return of(model, optimizer, false);
  }

  /**
   * Appends loss, gradients and the optimiser's steps to a model that was built for training.
   *
   * @param weighted whether each row of a batch has a weight
   */
  public static TrainingGraph of(
      RecommenderModel model, OptimizerConfig optimizer, boolean weighted) {
    TrainingGraph training = gradientsOf(model, weighted);
    Value clip =
        optimizer.clipNorm() == 0 || training.gradients.isEmpty()
            ? null
            : ClipFactorOp.of(model.graph(), training.gradients.values(), optimizer.clipNorm());
    Map<Value, ModelBuilder.ModelParameter> trained = new LinkedHashMap<>();
    for (ModelBuilder.ModelParameter parameter : model.inputs().parameters()) {
      trained.put(parameter.value(), parameter);
    }
    training.gradients.forEach((value, gradient) ->
        training.update(trained.get(value), clipped(gradient, clip), optimizer));
    return training;
  }

  private static Gradient clipped(Gradient gradient, Value factor) {
    if (factor == null) {
      return gradient;
    }
    return switch (gradient) {
      case Gradient.Dense(Value value) -> new Gradient.Dense(Ops.mul(value, factor));
      case Gradient.SparseRows(Value rows, Value count, Value values) ->
          new Gradient.SparseRows(rows, count, Ops.mul(values, factor));
    };
  }

  /** The loss and its gradients only, without an optimiser. */
  public static TrainingGraph gradientsOf(RecommenderModel model) {
    return gradientsOf(model, false);
  }

  private static TrainingGraph gradientsOf(RecommenderModel model, boolean weighted) {
    Graph graph = model.graph();
    Value labels = graph.input("labels", model.inputs().rows());
    Value weights = weighted ? graph.input("weights", model.inputs().rows()) : null;
    Value loss =
        weighted
            ? Ops.bceWithLogits(model.logits(), labels, weights)
            : Ops.bceWithLogits(model.logits(), labels);
    List<Value> trained =
        model.inputs().parameters().stream()
            .filter(parameter -> parameter.group().isTrained())
            .map(ModelBuilder.ModelParameter::value)
            .toList();
    return new TrainingGraph(model, labels, loss, weights, Autodiff.gradients(loss, trained));
  }

  private void update(
      ModelBuilder.ModelParameter parameter, Gradient gradient, OptimizerConfig config) {
    Graph graph = model.graph();
    Value p = parameter.value();
    Value m = graph.parameter(FIRST_MOMENT + p.name(), p.type());
    Value v = graph.parameter(SECOND_MOMENT + p.name(), p.type());
    double decay = config.decay(parameter.group());
    switch (gradient) {
      case Gradient.Dense(Value g) ->
          graph.apply(
              new AdamOp(config.beta1(), config.beta2(), config.epsilon(), decay),
              p,
              m,
              v,
              g,
              step());
      case Gradient.SparseRows(Value rows, Value count, Value values) ->
          graph.apply(
              new SparseAdamOp(
                  config.beta1(), config.beta2(), config.epsilon(), decay, config.lazyEmbeddings()),
              p,
              m,
              v,
              rows,
              count,
              values,
              step());
    }
  }

  public RecommenderModel model() {
    return model;
  }

  /** Input {@code [rows]}: 0 or 1. */
  public Value labels() {
    return labels;
  }

  /** {@code [1]}: mean binary cross-entropy of the batch. */
  public Value loss() {
    return loss;
  }

  /** Input {@code [rows]}: how much each row counts; null where all count alike. */
  public Value weights() {
    return weights;
  }

  /** Input F64 {@code [2]}: the learning rate, and the number of this step from 1. */
  public Value step() {
    return model.inputs().step();
  }

  /** Gradients of the trained parameters that influence the loss. */
  public Map<Value, Gradient> gradients() {
    return gradients;
  }
}
