package org.llm4msr.app.data;

import java.util.List;
import java.util.Optional;
import org.llm4msr.app.data.DataDescription.Bucketing;
import org.llm4msr.app.data.DataDescription.Feature;
import org.llm4msr.app.data.DataDescription.ListPooling;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.data.Buckets;
import org.llm4msr.model.data.CodedColumn;
import org.llm4msr.model.data.ColumnStore;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.ListColumn;
import org.llm4msr.model.data.NumberColumn;
import org.llm4msr.model.data.ValueRule;
import org.llm4msr.runtime.UserError;

/** The values of a feature while its table is read. */
sealed interface FeatureColumn {
  /** An empty column for a feature that has one in a table. */
  static FeatureColumn of(Feature feature, ColumnStore store) {
    if (feature.number()) {
      return new Numbers(feature, new NumberColumn(store));
    }
    return feature.pooling().isPresent()
        ? new Lists(feature, new ListColumn(store, List.of(new ValueRule.Labels(feature.labels()))))
        : new Words(feature, new CodedColumn(store));
  }

  Feature feature();

  /**
   * Takes a value.
   *
   * @param index of the user, the item or the row
   * @param text null for a missing value
   * @param table where it was read, for complaints
   * @param row the row there, from 1
   */
  void set(int index, String text, Table table, long row);

  /**
   * Adds the field that the values make and gives their memory back; the builder knows which rows
   * train by now.
   */
  void addTo(DatasetBuilder builder);

  /**
   * The number that a value is; NaN where it says that it is none.
   *
   * @throws UserError if it is anything else
   */
  private static double number(Feature feature, String text, Table table, long row) {
    if (text.equalsIgnoreCase("nan")) {
      return Double.NaN;
    }
    try {
      double number = Double.parseDouble(text);
      if (Double.isFinite(number)) {
        return number;
      }
    } catch (NumberFormatException e) {
      // The complaint below covers it.
    }
    throw new UserError(
        table.path()
            + ": row "
            + row
            + ": column "
            + feature.column().orElseThrow()
            + " is '"
            + FileErrors.printable(text)
            + "', expected a number, or nothing where it is not known (feature "
            + feature.name()
            + (feature.buckets().isPresent() ? ", which has buckets" : "")
            + ")");
  }

  /** Values that are told apart by their text. */
  record Words(Feature feature, CodedColumn column) implements FeatureColumn {
    @Override
    public void set(int index, String text, Table table, long row) {
      if (feature.buckets().isPresent() && text != null) {
        String first = firstElement().apply(text);
        if (first != null) {
          number(feature, first, table, row);
        }
      }
      column.set(index, text);
    }

    private ValueRule firstElement() {
      return new ValueRule.FirstElement(feature.separator().orElse(""));
    }

    @Override
    public void addTo(DatasetBuilder builder) {
      CodedColumn values = column.apply(firstElement());
      Optional<Bucketing> buckets = feature.buckets();
      if (buckets.isPresent()) {
        CodedColumn numbers = values;
        values =
            switch (buckets.get()) {
              case Bucketing.Log() -> Buckets.log2(numbers);
              case Bucketing.Quantiles(int count) ->
                  Buckets.quantiles(numbers, builder.trainCounts(feature.owner(), numbers), count);
            };
      }
      if (!feature.labels().isEmpty()) {
        values = values.apply(new ValueRule.Labels(feature.labels()));
      }
      builder.field(feature.name(), feature.owner(), values, feature.options());
      column.closeEntries();
    }
  }

  /** Lists of which all elements count. */
  record Lists(Feature feature, ListColumn column) implements FeatureColumn {
    @Override
    public void set(int index, String text, Table table, long row) {
      column.set(index, TableReader.elements(text, feature.separator()));
    }

    @Override
    public void addTo(DatasetBuilder builder) {
      ListPooling pooling = feature.pooling().orElseThrow();
      builder.listField(
          feature.name(),
          feature.owner(),
          column,
          feature.options(),
          pooling.pooling(),
          pooling.most());
      column.closeEntries();
    }
  }

  /** Numbers that enter as such. */
  record Numbers(Feature feature, NumberColumn column) implements FeatureColumn {
    @Override
    public void set(int index, String text, Table table, long row) {
      column.set(index, text == null ? Double.NaN : number(feature, text, table, row));
    }

    @Override
    public void addTo(DatasetBuilder builder) {
      builder.numberField(feature.name(), feature.owner(), column, feature.options().dim());
      column.closeEntries();
    }
  }
}
