package org.llm4msr.app.serve;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.llm4msr.app.serve.RequestScorer.Scores;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.node.ObjectNode;

/** {@code application/json}, see {@link ScoringRequest} and {@link Scores}. */
final class JsonForm implements MessageForm {
  @Override
  public String type() {
    return "application/json";
  }

  @Override
  public ScoringRequest read(byte[] body, String where, int mostItems) {
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString();
      return ScoringRequest.read(text, where, mostItems);
    } catch (CharacterCodingException e) {
      throw new UserError(where + ": not valid UTF-8", e);
    }
  }

  @Override
  public byte[] scored(Scores scores, int generation) {
    return bytes(scores.toJson(), generation);
  }

  @Override
  public byte[] ranked(Scores scores, ScoringRequest request, int generation) {
    int top = request.top() > 0 ? request.top() : Integer.MAX_VALUE;
    return bytes(scores.toRankedJson(request, top), generation);
  }

  private static byte[] bytes(ObjectNode answer, int generation) {
    return answer.put("generation", generation).toString().getBytes(StandardCharsets.UTF_8);
  }
}
