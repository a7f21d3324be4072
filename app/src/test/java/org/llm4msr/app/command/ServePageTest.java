package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.serve.Browser;
import org.llm4msr.app.serve.ScorerPool;
import org.llm4msr.app.serve.ScoringService;
import org.llm4msr.model.scorer.Snapshot;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The built-in page in a real browser. Set the property {@code screenshots} to keep pictures. */
class ServePageTest extends ServedShop {
  private static final String WEB = "document.querySelector('[data-scenario=web]')";

  @Test
  void theBrowserMayRunNothingButThePagesOwn() throws Exception {
    try (ScorerPool pool = new ScorerPool(Snapshot.open(first), 1);
        ScoringService service = serve(pool, LIMITS, TOKEN)) {
      HttpResponse<String> page = get(service.port(), "/", null);
      String policy = page.headers().firstValue("Content-Security-Policy").orElseThrow();
      assertThat(policy)
          .startsWith("default-src 'none'; script-src 'sha256-")
          .contains("frame-ancestors 'none'", "connect-src 'self'")
          .doesNotContain("unsafe");
      // A name space, nothing to fetch.
      assertThat(page.body().replace("http://www.w3.org/2000/svg", ""))
          .doesNotContain("http://", "https://", "src=", "onclick", "innerHTML", "eval(");
    }
  }

  @Test
  void showsLiveFiguresAndSendsRequests(@TempDir Path profile) throws Exception {
    Optional<Path> chromium = Browser.installed();
    if (chromium.isEmpty()) {
      System.err.println("SKIPPED: the built-in page is not tested, there is no chromium here");
    }
    assumeTrue(chromium.isPresent(), "needs chromium (apt-get install chromium)");
    try (ScorerPool pool = new ScorerPool(Snapshot.open(first), 1);
        ScoringService service = serve(pool, LIMITS, TOKEN);
        Browser browser = new Browser(chromium.get(), profile)) {
      browser.open("http://127.0.0.1:" + service.port() + "/");
      logIn(browser);
      sendRequests(browser);
      picture(browser, "page", 1200, false);
      picture(browser, "page-narrow-dark", 420, true);
    }
  }

  private static void logIn(Browser browser) throws Exception {
    browser.await("document.getElementById('login')?.hidden === false");
    enter(browser, "x" + TOKEN);
    browser.await("document.getElementById('trouble').textContent.includes('refuses this token')");
    assertThat(browser.evaluate("document.getElementById('live').hidden").booleanValue()).isTrue();
    // The browser itself reports the two refused requests, and nothing else.
    assertThat(browser.complaints().lines())
        .hasSize(2)
        .allSatisfy(line -> assertThat(line).contains("status of 401", "/v1/stats"));
    enter(browser, TOKEN);
    browser.await("!document.getElementById('live').hidden");
    assertThat(browser.evaluate("document.getElementById('login').hidden").booleanValue()).isTrue();
    // It comes with the answer to another request.
    browser.await("document.getElementById('model').textContent !== ''");
    assertThat(browser.evaluate("document.getElementById('model').textContent").stringValue())
        .contains("60 users", "24 items", "snapshot 1");
    assertThat(
            browser
                .evaluate(
                    "JSON.stringify([localStorage.length, sessionStorage.length, document.cookie])")
                .stringValue())
        .isEqualTo("[0,0,\"\"]");
  }

  private static void enter(Browser browser, String token) throws Exception {
    browser.evaluate("document.getElementById('token').value = '" + token + "'");
    browser.evaluate("document.querySelector('#login button').click()");
  }

  private static JsonNode send(Browser browser, String path, String body) throws Exception {
    browser.evaluate("document.getElementById('path').value = '" + path + "'");
    browser.evaluate(
        "document.getElementById('body').value = " + JsonMapper.shared().writeValueAsString(body));
    browser.evaluate("document.getElementById('send').click()");
    browser.await("!document.getElementById('send').disabled");
    return JsonMapper.shared()
        .readTree(browser.evaluate("document.getElementById('answer').textContent").stringValue());
  }

  private static String text(Browser browser, String element) throws Exception {
    return browser.evaluate(element + ".textContent").stringValue();
  }

  private void sendRequests(Browser browser) throws Exception {
    // The prepared request of somebody unknown.
    JsonNode prepared =
        JsonMapper.shared()
            .readTree(browser.evaluate("document.getElementById('body').value").stringValue());
    assertThat(prepared.get("context").has("kind")).isTrue();
    assertThat(send(browser, "/v1/score", prepared.toString()).get("probabilities")).hasSize(2);
    for (int i = 0; i < 20; i++) {
      assertThat(send(browser, "/v1/rank", GOOD.replace("u1", "u" + i)).get("items")).hasSize(3);
    }
    assertThat(text(browser, "document.getElementById('status')")).startsWith("200, ");
    assertThat(send(browser, "/v1/score", "{").get("error").stringValue()).contains("JSON");
    assertThat(text(browser, "document.getElementById('status')")).startsWith("400, ");
    browser.await(WEB + ".querySelectorAll('dd')[1]?.textContent === '20'");
    assertThat(text(browser, WEB)).contains("requests/s", "p50≤", "p99≤", "p99.9≤");
    JsonNode bars =
        browser.evaluate(
            "[...%s.querySelectorAll('rect.score title')].map(t => Number(t.textContent))"
                .formatted(WEB));
    assertThat(bars).hasSize(20);
    assertThat(bars.valueStream().mapToInt(JsonNode::intValue).sum()).isEqualTo(60);
    browser.evaluate("document.querySelector('[value=start]').click()");
    assertThat(text(browser, WEB)).doesNotContain("requests/s").contains("requests20");
    browser.evaluate("document.querySelector('[value=minute]').click()");
    // Beside the refused tokens only the request that was meant to fail.
    assertThat(browser.complaints().lines()).hasSize(3);
    assertThat(browser.complaints()).contains("status of 400");
  }

  private static void picture(Browser browser, String name, int width, boolean dark)
      throws Exception {
    browser.show(width, dark);
    assertThat(
            browser.evaluate("document.documentElement.scrollWidth <= innerWidth").booleanValue())
        .as("fits " + width + " pixels")
        .isTrue();
    byte[] png = browser.screenshot();
    assertThat(png).startsWith(0x89, 'P', 'N', 'G');
    if (System.getProperty("screenshots") != null) {
      Files.write(Path.of(System.getProperty("screenshots"), name + ".png"), png);
    }
  }
}
