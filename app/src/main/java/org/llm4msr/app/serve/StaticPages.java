package org.llm4msr.app.serve;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;

/** What the service answers always the same. */
final class StaticPages {
  /** Its OpenAPI description. */
  static final byte[] OPENAPI = resource("openapi.json");

  /** A page that shows live figures and sends requests; all that it needs is within. */
  static final byte[] PAGE = resource("page.html");

  /** Nothing but the page's own script and style, which ask nobody but this service. */
  static final String SECURITY_POLICY =
      "default-src 'none'; script-src "
          + hash("script")
          + "; style-src "
          + hash("style")
          + "; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

  private StaticPages() {}

  private static byte[] resource(String name) {
    try (InputStream in = StaticPages.class.getResourceAsStream(name)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The hash of what the page has between the tags of this name. */
  private static String hash(String tag) {
    String page = new String(PAGE, StandardCharsets.UTF_8);
    int start = page.indexOf("<" + tag + ">") + tag.length() + 2;
    String text = page.substring(start, page.indexOf("</" + tag + ">"));
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return "'sha256-" + Base64.getEncoder().encodeToString(digest) + "'";
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
