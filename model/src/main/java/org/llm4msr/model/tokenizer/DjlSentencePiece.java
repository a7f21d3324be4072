package org.llm4msr.model.tokenizer;

import ai.djl.engine.EngineException;
import ai.djl.sentencepiece.SpTokenizer;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;

/** The only class that touches DJL's SentencePiece, so that everything else loads without it. */
final class DjlSentencePiece {
  private final SpTokenizer tokenizer;
  private AllocationTracker.Entry allocation;

  private DjlSentencePiece(SpTokenizer tokenizer, AllocationTracker.Entry allocation) {
    this.tokenizer = tokenizer;
    this.allocation = allocation;
  }

  static DjlSentencePiece create(SentencePieceModel model) {
    DjlTokenizer.stayOffline();
    byte[] bytes = model.serialise();
    try {
      return new DjlSentencePiece(
          new SpTokenizer(bytes),
          AllocationTracker.opened("tokenizer " + model.where(), bytes.length));
    } catch (EngineException e) {
      throw new UserError(model.where() + ": not a valid tokenizer: " + Texts.oneLine(e), e);
    }
  }

  int[] encode(String text) {
    try {
      return tokenizer.getProcessor().encode(Texts.withoutLoneSurrogates(text));
    } catch (RuntimeException e) {
      throw new UserError("cannot tokenise a text: " + Texts.oneLine(e), e);
    }
  }

  void close() {
    if (allocation != null) {
      tokenizer.close();
      AllocationTracker.closed(allocation);
      allocation = null;
    }
  }
}
