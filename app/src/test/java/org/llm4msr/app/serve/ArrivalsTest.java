package org.llm4msr.app.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

class ArrivalsTest {
  private final List<Runnable> queue = new ArrayList<>();
  private final List<Boolean> answers = new ArrayList<>();

  private void runAll() {
    queue.forEach(Runnable::run);
    queue.clear();
  }

  @Test
  void whoComesBehindTooManyIsTold() {
    Arrivals arrivals = new Arrivals(queue::add, 3, 60_000);
    for (int round = 0; round < 2; round++) {
      for (int i = 0; i < 5; i++) {
        arrivals.execute(() -> answers.add(Arrivals.tooMany()));
      }
      runAll();
      assertThat(answers).containsExactly(false, false, false, true, true);
      answers.clear();
    }
    assertThat(Arrivals.tooMany()).isFalse();
  }

  @Test
  void whoWaitsTooLongIsTold() throws InterruptedException {
    Arrivals arrivals = new Arrivals(queue::add, 3, 0);
    arrivals.execute(() -> answers.add(Arrivals.tooMany()));
    Thread.sleep(1);
    runAll();
    assertThat(answers).containsExactly(true);
  }

  @Test
  void refusedRequestsLeaveTheirPlace() {
    boolean[] closed = {true};
    Arrivals arrivals =
        new Arrivals(
            request -> {
              if (closed[0]) {
                throw new RejectedExecutionException();
              }
              request.run();
            },
            1,
            60_000);
    assertThatThrownBy(() -> arrivals.execute(() -> {}))
        .isInstanceOf(RejectedExecutionException.class);
    closed[0] = false;
    arrivals.execute(() -> answers.add(Arrivals.tooMany()));
    assertThat(answers).containsExactly(false);
  }
}
