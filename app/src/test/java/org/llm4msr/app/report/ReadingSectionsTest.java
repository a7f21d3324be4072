package org.llm4msr.app.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** The pictures are measured: what is twice as much must be twice as long. */
class ReadingSectionsTest {
  private final Document page;

  ReadingSectionsTest() throws Exception {
    String html = ReadingPage.html("run", SampleReport.reading("a"), List.of("a", "b"));
    page =
        DocumentBuilderFactory.newDefaultInstance()
            .newDocumentBuilder()
            .parse(new InputSource(new StringReader(html)));
  }

  private Element chart(String label) {
    NodeList charts = page.getElementsByTagName("svg");
    for (int i = 0; i < charts.getLength(); i++) {
      Element chart = (Element) charts.item(i);
      if (chart.getAttribute("aria-label").equals(label)) {
        return chart;
      }
    }
    throw new AssertionError("no chart is called " + label);
  }

  private static List<Element> elements(Element chart, String tag, String style) {
    NodeList all = chart.getElementsByTagName(tag);
    List<Element> chosen = new ArrayList<>();
    for (int i = 0; i < all.getLength(); i++) {
      Element element = (Element) all.item(i);
      if (element.getAttribute("class").equals(style)) {
        chosen.add(element);
      }
    }
    return chosen;
  }

  private static double number(Element element, String attribute) {
    return Double.parseDouble(element.getAttribute(attribute));
  }

  private static List<String> texts(Element chart) {
    return elements(chart, "text", "row").stream().map(Element::getTextContent).toList();
  }

  @Test
  void barsAreAsLongAsTheLossesAndTheLargestComesFirst() {
    Element chart = chart("AUC lost when an input is permuted");
    Element field = elements(chart, "rect", "bar without").getFirst();
    Element knowledge = elements(chart, "rect", "bar with").getFirst();
    assertThat(number(field, "y")).isLessThan(number(knowledge, "y"));
    double pixels = number(field, "width") / 0.02;
    assertThat(number(knowledge, "width")).isCloseTo(0.005 * pixels, within(0.11));
    Element whisker = elements(chart, "line", "whisker").getFirst();
    assertThat(number(whisker, "x2") - number(whisker, "x1"))
        .isCloseTo(2 * 0.002 * pixels, within(0.21));
    assertThat(texts(chart))
        .containsExactly("colour", "+0.0200 ± 0.0020", "knowledge of the user", "+0.0050 ± 0.0010");
  }

  @Test
  void aPartWithoutRowsIsLeftOutAndALossBelowZeroGoesToTheLeft() {
    Element chart = chart("AUC lost without the knowledge of the user");
    List<Element> bars = elements(chart, "rect", "bar with");
    assertThat(bars).hasSize(3);
    double zero = number(elements(chart, "line", "zero").getFirst(), "x1");
    double pixels = number(bars.get(1), "width") / 0.04;
    assertThat(number(bars.get(1), "x")).isCloseTo(zero, within(0.11));
    assertThat(number(bars.getFirst(), "width")).isCloseTo(0.01 * pixels, within(0.21));
    assertThat(number(bars.getFirst(), "x") + number(bars.getFirst(), "width"))
        .isCloseTo(zero, within(0.11));
    assertThat(texts(chart)).contains("a", "−0.0100 ± 0.0010", "b", "+0.0400 ± 0.0040");
  }

  @Test
  void boxesShowTheSpreadOfTheWeight() {
    Element chart = chart("The weight of knowledge over the rows");
    List<Element> boxes = elements(chart, "rect", "bar with");
    List<Element> medians = elements(chart, "line", "median");
    assertThat(boxes).hasSize(3);
    double perUnit = number(boxes.get(1), "width") / 0.4;
    assertThat(number(boxes.getFirst(), "width")).isCloseTo(0.1 * perUnit, within(0.2));
    assertThat(number(medians.get(1), "x1") - number(medians.getFirst(), "x1"))
        .isCloseTo(0.3 * perUnit, within(0.2));
    assertThat(texts(chart)).contains("0.2000", "0.5000");
  }

  @Test
  void theTableAndTheHeatMapHoldTheNumbers() {
    String table = page.getElementsByTagName("table").item(0).getTextContent();
    assertThat(table).contains("0.6500", "+0.0400", "0.2100").doesNotContain("NaN");
    Element chart = chart("Distances between generated layers");
    assertThat(texts(chart)).containsExactly("a", "0.000", "0.500", "b", "0.500", "0.000");
    List<Element> cells = elements(chart, "rect", "heat");
    assertThat(number(cells.getFirst(), "fill-opacity")).isZero();
    assertThat(number(cells.get(1), "fill-opacity")).isPositive();
    assertThat(page.getDocumentElement().getTextContent())
        .contains("of 90 users: median 0.500, from 0.100 (10 %) to 0.900 (90 %)");
  }
}
