package org.llm4msr.app.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Random;
import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.EigenDecomposition;
import org.apache.commons.math3.linear.RealMatrix;
import org.apache.commons.math3.linear.RealVector;
import org.apache.commons.math3.stat.correlation.Covariance;
import org.apache.commons.math3.stat.descriptive.moment.Mean;
import org.junit.jupiter.api.Test;

class UserMapTest {
  @Test
  void theAxesAreThoseOfCommonsMath() {
    Random random = new Random(3);
    int rows = 200;
    int width = 12;
    float[][] vectors = new float[rows][width];
    double[][] exact = new double[rows][width];
    for (int i = 0; i < rows; i++) {
      double a = 5 * random.nextGaussian();
      double b = 3 * random.nextGaussian();
      for (int j = 0; j < width; j++) {
        vectors[i][j] = (float) (7 + a * Math.sin(j) + b * Math.cos(3 * j) + random.nextGaussian());
        exact[i][j] = vectors[i][j];
      }
    }
    Pca pca = Pca.of(vectors);

    RealMatrix data = new Array2DRowRealMatrix(exact);
    EigenDecomposition eigen = new EigenDecomposition(new Covariance(data).getCovarianceMatrix());
    double total = 0;
    for (double value : eigen.getRealEigenvalues()) {
      total += value;
    }
    for (int axis = 0; axis < 2; axis++) {
      assertThat(pca.explained()[axis])
          .isCloseTo(eigen.getRealEigenvalue(axis) / total, within(1e-9));
      RealVector direction = eigen.getEigenvector(axis);
      double sign = 0;
      for (int i = 0; i < rows; i++) {
        double expected = 0;
        for (int j = 0; j < width; j++) {
          expected +=
              (exact[i][j] - new Mean().evaluate(data.getColumn(j))) * direction.getEntry(j);
        }
        sign = sign == 0 ? Math.signum(expected * pca.coordinate(i, axis)) : sign;
        assertThat(sign * pca.coordinate(i, axis)).isCloseTo(expected, within(1e-3));
      }
    }
  }

  @Test
  void equalVectorsFallOnOnePoint() {
    Pca pca = Pca.of(new float[][] {{1, 2, 3}, {1, 2, 3}});
    assertThat(pca.coordinate(1, 0)).isZero();
    assertThat(pca.explained()).containsExactly(0, 0);
  }

  @Test
  void aHabitIsWhatAUserDoesMoreThanOthers() {
    float[][] vectors = {{0, 1}, {1, 0}, {2, 2}};
    // Everyone is mostly in the first scenario; the second user less than the others.
    long[][] rows = {{90, 1}, {20, 5}, {0, 0}};
    UserMap map = UserMap.of(vectors, rows, List.of("large", "small"));
    assertThat(map.points()).extracting(UserMap.Point::scenario).containsExactly(0, 1);
  }

  @Test
  void largePopulationsAreThinned() {
    float[][] vectors = new float[10_000][2];
    long[][] rows = new long[vectors.length][1];
    for (int u = 0; u < vectors.length; u++) {
      vectors[u][0] = u;
      rows[u][0] = 1;
    }
    assertThat(UserMap.of(vectors, rows, List.of("only")).points()).hasSizeBetween(1_000, 2_000);
  }

  @Test
  void shapesThatContradictEachOtherAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> UserMap.of(new float[2][2], new long[1][1], List.of("web")));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> UserMap.of(new float[1][2], new long[1][2], List.of("web")));
    assertThatIllegalArgumentException().isThrownBy(() -> Pca.of(new float[][] {{1}, {1, 2}}));
  }
}
