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
import org.llm4msr.app.report.ReportModel.Change;
import org.llm4msr.app.report.ReportModel.Curve;
import org.llm4msr.app.report.ReportModel.Epoch;
import org.llm4msr.app.report.ReportModel.Figure;
import org.llm4msr.app.report.ReportModel.Model;
import org.llm4msr.app.report.ReportModel.Part;
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
            List.of(new Result(HOSTILE, 2, List.of(row), row, List.of(), List.of(), List.of())),
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
    Document page = parse(minimal(new Result("star", List.of(row), row)));
    String table = page.getElementsByTagName("table").item(0).getTextContent();
    assertThat(table).contains("–").doesNotContain("NaN");
  }

  @Test
  void aSingleRunShowsOneColumnPerMetric() throws Exception {
    Row row = new Row("web", 10, 10, 5, null, new Scores(0.7123, NONE, 0.5, 0.6), NONE);
    Document page = parse(minimal(new Result("star", List.of(row), row)));
    String table = page.getElementsByTagName("table").item(0).getTextContent();
    assertThat(table).contains("0.7123").doesNotContain("difference");
  }

  /** Every figure of every model is a number of its own, so that none can stand for another. */
  @Test
  void everyScenarioShowsAllModelsWithAllTheirFigures() throws Exception {
    List<Model> models = List.of(model("alone", 0.1), model("control", 0.2), model("full", 0.3));
    Document page = parse(minimal(compared("star", models, List.of(new Part("web", 10, models)))));
    NodeList tables = page.getElementsByTagName("table");
    assertThat(tables.getLength()).as("overview of scenarios, all rows, web").isEqualTo(3);
    for (int i = 1; i < 3; i++) {
      String table = tables.item(i).getTextContent();
      for (String name : List.of("alone", "control", "full")) {
        assertThat(table).contains(name);
      }
      // AUC, LogLoss, GAUC, calibration error of the control: mean, deviation, change, interval, p.
      for (int measure = 1; measure <= 4; measure++) {
        assertThat(table)
            .contains(
                "0.2%d00 ± 0.2%d10".formatted(measure, measure),
                "+0.2%d20".formatted(measure),
                "+0.2%d30 to +0.2%d40".formatted(measure, measure),
                "p 0.2%d5".formatted(measure));
      }
      assertThat(table).contains("+0.2160", "+0.2260", "+2.00 %", "RelaImpr");
    }
  }

  @Test
  void severalBackbonesHaveOneTableInFront() throws Exception {
    Result first = compared("ple", List.of(model("alone", 0.1), full(0.3)), List.of());
    Result second = compared("star", List.of(model("alone", 0.2), full(0.25)), List.of());
    Document page = parse(minimal(first, second));
    String heading = page.getElementsByTagName("h2").item(0).getTextContent();
    assertThat(heading).isEqualTo("Backbones, best first");
    String table = page.getElementsByTagName("table").item(0).getTextContent();
    assertThat(table)
        .containsSubsequence("ple", "0.1100", "0.3100", "+0.3120", "p 0.315", "+0.3160", "1,000")
        .containsSubsequence("ple", "star", "0.2100", "0.2600");
    Document single = parse(minimal(first));
    assertThat(single.getElementsByTagName("h2").item(0).getTextContent()).isNotEqualTo(heading);
  }

  private static Result compared(String backbone, List<Model> models, List<Part> byScenario) {
    Scores scores = new Scores(0.7, 0.01, 0.5, 0.6);
    Row row = new Row("web", 10, 10, 5, scores, scores, 0.5);
    return new Result(backbone, 3, List.of(row), row, models, byScenario, List.of());
  }

  private static Model full(double base) {
    Model model = model("full", base);
    return new Model(
        "full",
        Side.WITH,
        model.auc(),
        1,
        model.logLoss(),
        model.gauc(),
        model.calibrationError(),
        1_000,
        1);
  }

  private static Model model(String name, double base) {
    return new Model(
        name,
        name.equals("alone") ? Side.WITHOUT : null,
        figure(base + 0.01),
        base * 10,
        figure(base + 0.02),
        figure(base + 0.03),
        figure(base + 0.04),
        10,
        1);
  }

  private static Figure figure(double base) {
    return new Figure(
        base,
        base + 0.001,
        new Change(base + 0.002, base + 0.003, base + 0.004, base + 0.005),
        new Change(base + 0.006, base + 0.007, base + 0.008, base + 0.009));
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

  private static ReportModel minimal(Result... results) {
    return new ReportModel(
        "title",
        "data",
        List.of(),
        List.of(results),
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
