package org.llm4msr.app.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.llm4msr.app.serve.RequestScorer.Scores;
import org.llm4msr.runtime.UserError;

class BinaryFormTest {
  /** Two items of a known user, one context value, logits. */
  private static final byte[] GOOD =
      new Bytes()
          .text("LMSR")
          .u16(1)
          .u16(3)
          .u32(7)
          .u32(1)
          .u32(2)
          .string("wéb")
          .string("u1")
          .string("hour")
          .string("18")
          .string("i1")
          .string("")
          .f32(0.5f)
          .f32(-2)
          .bytes();

  private static final int FLAGS = 6;
  private static final int VALUES = 12;
  private static final int ITEMS = 16;
  private static final int SCENARIO = 20;

  /** Writes as the layout is documented. */
  private static final class Bytes {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Bytes text(String text) {
      out.writeBytes(text.getBytes(StandardCharsets.UTF_8));
      return this;
    }

    Bytes u16(int value) {
      out.write(value);
      out.write(value >> 8);
      return this;
    }

    Bytes u32(int value) {
      return u16(value).u16(value >> 16);
    }

    Bytes f32(float value) {
      return u32(Float.floatToIntBits(value));
    }

    Bytes string(String text) {
      return u16(text.getBytes(StandardCharsets.UTF_8).length).text(text);
    }

    byte[] bytes() {
      return out.toByteArray();
    }
  }

  private static ScoringRequest read(byte[] body) {
    return MessageForm.BINARY.read(body, "request", 100);
  }

  private static byte[] changed(int offset, int value) {
    byte[] bytes = GOOD.clone();
    bytes[offset] = (byte) value;
    return bytes;
  }

  private static void refused(byte[] body, String problem) {
    assertThatThrownBy(() -> read(body))
        .isInstanceOf(UserError.class)
        .hasMessageStartingWith("request: ")
        .hasMessageContaining(problem);
  }

  @Test
  void readsEveryField() {
    ScoringRequest request = read(GOOD);
    assertThat(request.scenario()).isEqualTo("wéb");
    assertThat(request.user()).isEqualTo("u1");
    assertThat(request.context()).isEqualTo(Map.of("hour", List.of("18")));
    assertThat(request.items()).containsExactly("i1", "");
    assertThat(request.logits()).containsExactly(0.5f, -2);
    assertThat(request.top()).isEqualTo(7);
  }

  @Test
  void someFieldsMayBeLeftOut() {
    byte[] bytes = new Bytes().text("LMSR").u16(1).u16(0).u32(0).u32(0).u32(0).string("").bytes();
    ScoringRequest request = read(bytes);
    assertThat(request.user()).isNull();
    assertThat(request.logits()).isNull();
    assertThat(request.items()).isEmpty();
    assertThat(request.context()).isEmpty();
    assertThat(request.top()).isZero();
  }

  @Test
  void everyShorterBodyEndsTooEarly() {
    for (int length = 0; length < GOOD.length; length++) {
      refused(Arrays.copyOf(GOOD, length), "ends too early, after " + length + " bytes");
    }
    refused(Arrays.copyOf(GOOD, GOOD.length + 3), "3 bytes too many");
  }

  @Test
  void whatIsWrongIsNamed() {
    refused(changed(0, 'X'), "'LMSR'");
    refused(changed(4, 2), "version 2, expected 1");
    refused(changed(FLAGS, 4), "flags 4");
    refused(changed(FLAGS + 1, 1), "flags 259");
    refused(changed(11, 0x80), "top");
    refused(changed(VALUES + 3, 0xff), "context: holds 4278190081");
    refused(changed(ITEMS, 101), "items: holds 101, expected at most 100");
    refused(changed(ITEMS + 3, 0x80), "items: holds 2147483650");
    refused(changed(SCENARIO + 3, 'x'), "scenario: not valid UTF-8");
    byte[] infinite = GOOD.clone();
    ByteBuffer.wrap(infinite)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putFloat(GOOD.length - 4, Float.NEGATIVE_INFINITY);
    refused(infinite, "logits[1]: expected a finite number");
    byte[] twice =
        new Bytes()
            .text("LMSR")
            .u16(1)
            .u16(0)
            .u32(0)
            .u32(2)
            .u32(0)
            .string("web")
            .string("a\n")
            .string("1")
            .string("a\n")
            .string("2")
            .bytes();
    assertThat(MessageForm.BINARY.read(twice, "request", 10).context())
        .isEqualTo(Map.of("a\n", List.of("1", "2")));
  }

  @Test
  void damagedBodiesAreReadOrRefused() {
    Random random = new Random(3);
    for (int i = 0; i < 20_000; i++) {
      byte[] bytes = GOOD.clone();
      for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
        bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
      }
      try {
        read(bytes);
      } catch (UserError e) {
        assertThat(e).hasMessageStartingWith("request: ");
      }
    }
  }

  @Test
  void answersHoldTheProbabilities() {
    Scores scores = new Scores(new float[] {0.25f, 0.75f, 0.5f, 0.75f}, false, 0);
    assertThat(MessageForm.BINARY.scored(scores, 9))
        .isEqualTo(
            new Bytes()
                .text("LMSA")
                .u16(1)
                .u16(1)
                .u32(9)
                .u32(4)
                .f32(0.25f)
                .f32(0.75f)
                .f32(0.5f)
                .f32(0.75f)
                .bytes());
    ScoringRequest request =
        new ScoringRequest(null, "web", List.of("a", "b", "c", "d"), Map.of(), null, 3);
    assertThat(MessageForm.BINARY.ranked(scores, request, 9))
        .isEqualTo(
            new Bytes()
                .text("LMSA")
                .u16(1)
                .u16(2)
                .u32(9)
                .u32(3)
                .u32(1)
                .f32(0.75f)
                .u32(3)
                .f32(0.75f)
                .u32(2)
                .f32(0.5f)
                .bytes());
  }
}
