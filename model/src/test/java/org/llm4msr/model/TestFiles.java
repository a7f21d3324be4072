package org.llm4msr.model;

import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;

/** Files among the test resources. */
public final class TestFiles {
  private TestFiles() {}

  /** The path of a resource, such as {@code golden/metrics/expected.json}. */
  public static Path resource(String name) {
    URL url = TestFiles.class.getResource("/" + name);
    if (url == null) {
      throw new IllegalArgumentException("no test resource " + name);
    }
    try {
      return Path.of(url.toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
