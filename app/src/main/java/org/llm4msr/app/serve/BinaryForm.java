package org.llm4msr.app.serve;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.app.serve.RequestScorer.Scores;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.runtime.UserError;

/**
 * {@code application/vnd.llm4msr}, little-endian, nothing aligned. A request:
 *
 * <pre>
 * u8[4]   "LMSR"
 * u16     version, 1
 * u16     flags: 1 the user is known by a key, 2 there are logits
 * u32     how many ranked items are wanted, 0 for all
 * u32     c, number of context values
 * u32     n, number of items
 * string  scenario
 * string  user, if flag 1 is set
 * string  field, string value, c times; a field that is there again has a list
 * string  item, n times
 * f32     logit, n times if flag 2 is set
 * </pre>
 *
 * where a string is a u16, its length in bytes, and its UTF-8. Nothing may follow. An answer:
 *
 * <pre>
 * u8[4]   "LMSA"
 * u16     version, 1
 * u16     1 for probabilities, 2 for ranked items
 * u32     generation of the snapshot
 * u32     m
 * f32     probability, m times; or
 * u32     position in the request's items, f32 probability, m times
 * </pre>
 */
final class BinaryForm implements MessageForm {
  private static final int REQUEST = magic("LMSR");
  private static final int ANSWER = magic("LMSA");
  private static final short VERSION = 1;
  private static final int HAS_USER = 1;
  private static final int HAS_LOGITS = 2;
  private static final short PROBABILITIES = 1;
  private static final short RANKED = 2;
  private static final int ANSWER_HEAD = 16;

  private static int magic(String text) {
    return littleEndian(text.getBytes(StandardCharsets.US_ASCII)).getInt();
  }

  private static ByteBuffer littleEndian(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public String type() {
    return "application/vnd.llm4msr";
  }

  @Override
  public ScoringRequest read(byte[] body, String where, int mostItems) {
    try {
      return new Reader(littleEndian(body), where).read(mostItems);
    } catch (BufferUnderflowException e) {
      throw new UserError(where + ": ends too early, after " + body.length + " bytes", e);
    }
  }

  private record Reader(ByteBuffer in, String where) {
    ScoringRequest read(int mostItems) {
      if (in.getInt() != REQUEST) {
        throw error("expected 'LMSR' at the start");
      }
      short version = in.getShort();
      if (version != VERSION) {
        throw error("version " + Short.toUnsignedInt(version) + ", expected " + VERSION);
      }
      int flags = Short.toUnsignedInt(in.getShort());
      if ((flags & ~(HAS_USER | HAS_LOGITS)) != 0) {
        throw error("flags " + flags + ", expected 0 to " + (HAS_USER | HAS_LOGITS));
      }
      int top = count("top", Integer.MAX_VALUE);
      // Each takes some bytes: no number can make the lists larger than the body.
      int values = count("context", in.remaining());
      int items = count("items", mostItems);
      String scenario = string("scenario");
      String user = (flags & HAS_USER) != 0 ? string("user") : null;
      Map<String, List<String>> context = context(values);
      List<String> keys = new ArrayList<>(Math.min(items, in.remaining()));
      for (int i = 0; i < items; i++) {
        keys.add(string("items[" + i + "]"));
      }
      float[] logits = (flags & HAS_LOGITS) != 0 ? logits(items) : null;
      if (in.hasRemaining()) {
        throw error(in.remaining() + " bytes too many");
      }
      return new ScoringRequest(user, scenario, keys, context, logits, top);
    }

    private int count(String field, int most) {
      int count = in.getInt();
      if (count < 0 || count > most) {
        throw error(
            field + ": holds " + Integer.toUnsignedString(count) + ", expected at most " + most);
      }
      return count;
    }

    private Map<String, List<String>> context(int values) {
      Map<String, List<String>> context = new LinkedHashMap<>();
      for (int i = 0; i < values; i++) {
        String field = string("context");
        context
            .computeIfAbsent(field, f -> new ArrayList<>())
            .add(string("context." + FileErrors.printable(field)));
      }
      return context;
    }

    private float[] logits(int items) {
      if (in.remaining() < (long) items * Float.BYTES) {
        throw new BufferUnderflowException();
      }
      float[] logits = new float[items];
      for (int i = 0; i < items; i++) {
        logits[i] = in.getFloat();
        if (!Float.isFinite(logits[i])) {
          throw error("logits[" + i + "]: expected a finite number");
        }
      }
      return logits;
    }

    private String string(String field) {
      int length = Short.toUnsignedInt(in.getShort());
      if (length > in.remaining()) {
        throw new BufferUnderflowException();
      }
      ByteBuffer bytes = in.slice(in.position(), length);
      in.position(in.position() + length);
      try {
        return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
      } catch (CharacterCodingException e) {
        throw new UserError(where + ": " + field + ": not valid UTF-8", e);
      }
    }

    private UserError error(String problem) {
      return new UserError(where + ": " + problem);
    }
  }

  @Override
  public byte[] scored(Scores scores, int generation) {
    float[] probabilities = scores.probabilities();
    ByteBuffer out = head(PROBABILITIES, generation, probabilities.length, Float.BYTES);
    out.asFloatBuffer().put(probabilities);
    return out.array();
  }

  @Override
  public byte[] ranked(Scores scores, ScoringRequest request, int generation) {
    int[] ranked = scores.ranked(request.top() > 0 ? request.top() : Integer.MAX_VALUE);
    ByteBuffer out = head(RANKED, generation, ranked.length, Integer.BYTES + Float.BYTES);
    for (int position : ranked) {
      out.putInt(position).putFloat(scores.probabilities()[position]);
    }
    return out.array();
  }

  private static ByteBuffer head(short kind, int generation, int count, int bytesEach) {
    return littleEndian(new byte[ANSWER_HEAD + count * bytesEach])
        .putInt(ANSWER)
        .putShort(VERSION)
        .putShort(kind)
        .putInt(generation)
        .putInt(count);
  }
}
