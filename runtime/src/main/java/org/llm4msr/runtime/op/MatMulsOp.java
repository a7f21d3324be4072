package org.llm4msr.runtime.op;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Several products with one left operand, such as queries, keys and values of the same tokens: what
 * a backend makes of the operand for them it makes once. Inputs: A, then what each product takes
 * beside it, one after the other; one output for each.
 *
 * @param products at least two, without residuals
 */
public record MatMulsOp(List<MatMulOp> products) implements FusedOp {
  public MatMulsOp {
    products = List.copyOf(products);
    if (products.size() < 2 || products.stream().anyMatch(MatMulOp::hasResidual)) {
      throw new IllegalArgumentException("products " + products);
    }
  }

  /** How many inputs a product takes beside A. */
  public static int others(MatMulOp product) {
    return product.hasBias() ? 2 : 1;
  }

  @Override
  public String name() {
    return "matmuls";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    int count = 1 + products.stream().mapToInt(MatMulsOp::others).sum();
    OpChecks.check(in.size() == count, this, in, count + " inputs");
    List<ValueType> types = new ArrayList<>();
    for (int i = 0; i < products.size(); i++) {
      types.addAll(products.get(i).infer(inputs(i, in)));
    }
    return types;
  }

  /** What product {@code i} takes of all inputs. */
  public <T> List<T> inputs(int i, List<T> all) {
    int at = 1;
    for (MatMulOp before : products.subList(0, i)) {
      at += others(before);
    }
    List<T> own = new ArrayList<>();
    own.add(all.get(0));
    own.addAll(all.subList(at, at + others(products.get(i))));
    return own;
  }
}
