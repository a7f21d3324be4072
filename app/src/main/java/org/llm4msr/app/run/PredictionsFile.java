package org.llm4msr.app.run;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.llm4msr.model.checkpoint.AtomicFile;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.training.Predictions;

/**
 * {@code predictions.csv}: the row's number in the log from 1, user, item, scenario, label,
 * probability.
 */
final class PredictionsFile {
  private static final Pattern NEEDS_QUOTES = Pattern.compile("[\",\r\n]");
  private static final int PIECE_CHARS = 1 << 16;

  private PredictionsFile() {}

  static void write(Path file, Predictions predictions) {
    Dataset dataset = predictions.dataset();
    try (AtomicFile out = AtomicFile.create(file)) {
      StringBuilder text = new StringBuilder("row,user,item,scenario,label,probability\n");
      for (int i = 0; i < predictions.rows().length; i++) {
        int row = predictions.rows()[i];
        text.append(row + 1).append(',');
        text.append(quoted(dataset.userKey(dataset.user(row)))).append(',');
        text.append(quoted(dataset.itemKey(dataset.item(row)))).append(',');
        text.append(quoted(dataset.scenarios().get(dataset.scenario(row)).name())).append(',');
        text.append(dataset.label(row)).append(',');
        text.append((float) predictions.probabilities()[i]).append('\n');
        if (text.length() > PIECE_CHARS) {
          flush(text, out);
        }
      }
      flush(text, out);
      out.commit();
    }
  }

  private static void flush(StringBuilder text, AtomicFile out) {
    out.write(ByteBuffer.wrap(text.toString().getBytes(StandardCharsets.UTF_8)));
    text.setLength(0);
  }

  /** As RFC 4180 wants it. */
  static String quoted(String field) {
    return NEEDS_QUOTES.matcher(field).find() ? "\"" + field.replace("\"", "\"\"") + "\"" : field;
  }
}
