package org.llm4msr.app.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.app.report.ReportModel.Curve;
import org.llm4msr.app.report.ReportModel.Epoch;
import org.llm4msr.app.report.ReportModel.Reading;
import org.llm4msr.app.report.ReportModel.Result;
import org.llm4msr.app.report.ReportModel.Row;
import org.llm4msr.app.report.ReportModel.Scores;
import org.llm4msr.app.report.ReportModel.Setting;
import org.llm4msr.app.report.ReportModel.Side;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class ReportWriterTest {
  private static final String HOSTILE = "<script>alert('1')</script> & \"quoted\" </svg>";
  private static final double NONE = Double.NaN;

  @ParameterizedTest
  @ValueSource(ints = {3, 4, 10})
  void everyScenarioHasALineInTheTableAndInTheChart(int scenarios) throws Exception {
    Document page = parse(SampleReport.of(scenarios, 0.01, 0.01, List.of("star")));
    NodeList lines = page.getElementsByTagName("tbody").item(0).getChildNodes();
    int rows = 0;
    for (int i = 0; i < lines.getLength(); i++) {
      rows += lines.item(i).getNodeName().equals("tr") ? 1 : 0;
    }
    assertThat(rows).isEqualTo(scenarios + 1);
    String chart = page.getElementsByTagName("svg").item(0).getTextContent();
    for (int s = 0; s < scenarios; s++) {
      assertThat(chart).contains("scenario_" + s);
    }
  }

  @Test
  void isOneFileWithoutScriptsAndLinks() {
    String html = ReportWriter.html(SampleReport.of(4, 0.01, 0.01, List.of("star", "ple")));
    assertThat(html).doesNotContain("<script", "http", "href", "src=", "url(", "@import");
  }

  @Test
  void hostileNamesStayText() throws Exception {
    Scores scores = new Scores(0.7, 0.01, 0.5, 0.6);
    Row row = new Row(HOSTILE, 10, 10, 5, scores, scores, 0.2);
    float[][] vectors = {{1, 2}, {3, 1}};
    ReportModel model =
        new ReportModel(
            HOSTILE,
            HOSTILE,
            List.of(HOSTILE),
            List.of(new Result(HOSTILE, 2, List.of(row), row, List.of(), List.of())),
            List.of(new Curve(HOSTILE, Side.WITH, HOSTILE, List.of(new Epoch(1, 0.5)), 0)),
            List.of(new Reading(HOSTILE, SampleReport.reading(HOSTILE), List.of(HOSTILE, "b"))),
            UserMap.of(vectors, new long[][] {{1}, {2}}, List.of(HOSTILE)),
            List.of(new Setting(HOSTILE, HOSTILE)),
            List.of(HOSTILE));
    Document page = parse(model);
    assertThat(page.getElementsByTagName("script").getLength()).isZero();
    assertThat(page.getElementsByTagName("h1").item(0).getTextContent()).isEqualTo(HOSTILE);
    assertThat(page.getElementsByTagName("dd").item(0).getTextContent()).isEqualTo(HOSTILE);
  }

  @Test
  void undefinedNumbersAreDashes() throws Exception {
    Scores undefined = new Scores(NONE, NONE, 0.5, NONE);
    Row row = new Row("one class", 10, 10, 0, undefined, undefined, NONE);
    Document page = parse(minimal(new Result("star", 1, List.of(row), row, List.of(), List.of())));
    String table = page.getElementsByTagName("table").item(0).getTextContent();
    assertThat(table).contains("–").doesNotContain("NaN");
  }

  @Test
  void aSingleRunShowsOneColumnPerMetric() throws Exception {
    Row row = new Row("web", 10, 10, 5, null, new Scores(0.7123, NONE, 0.5, 0.6), NONE);
    Document page = parse(minimal(new Result("star", 1, List.of(row), row, List.of(), List.of())));
    String table = page.getElementsByTagName("table").item(0).getTextContent();
    assertThat(table).contains("0.7123").doesNotContain("difference");
  }

  @Test
  void theFileReplacesAnOlderOneAndLeavesNothingBeside(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("run").resolve("report.html");
    ReportModel model = SampleReport.of(3, 0.01, 0.01, List.of("star"));
    ReportWriter.write(model, file);
    ReportWriter.write(model, file);
    assertThat(file).hasContent(ReportWriter.html(model));
    try (var files = Files.list(file.getParent())) {
      assertThat(files).containsExactly(file);
    }
  }

  @Test
  void contradictionsAreRefused() {
    Scores scores = new Scores(0.7, 0.01, 0.5, 0.6);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Row("web", 10, 10, 11, scores, scores, 0.5));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Row("web", 10, 10, 5, null, null, 0.5));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Curve("star", Side.WITH, "seed 1", new ArrayList<>(), 0));
  }

  private static ReportModel minimal(Result result) {
    return new ReportModel(
        "title",
        "data",
        List.of(),
        List.of(result),
        List.of(),
        List.of(),
        null,
        List.of(),
        List.of());
  }

  private static Document parse(ReportModel model) throws Exception {
    var source = new InputSource(new StringReader(ReportWriter.html(model)));
    return DocumentBuilderFactory.newDefaultInstance().newDocumentBuilder().parse(source);
  }
}
