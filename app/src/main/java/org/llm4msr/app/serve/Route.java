package org.llm4msr.app.serve;

/** What the service answers; every other path is 404. */
enum Route {
  SCORE("POST", "/v1/score", false),
  RANK("POST", "/v1/rank", false),
  RELOAD("POST", "/v1/reload", false),
  MODELS("GET", "/v1/models", false),
  STATS("GET", "/v1/stats", false),
  METRICS("GET", "/metrics", false),
  HEALTH("GET", "/health", true),
  READY("GET", "/ready", true),
  DESCRIPTION("GET", "/openapi.json", true),
  PAGE("GET", "/", true);

  final String method;
  final String path;

  /** Whether it answers without a token. */
  final boolean open;

  Route(String method, String path, boolean open) {
    this.method = method;
    this.path = path;
    this.open = open;
  }

  /**
   * The route of a path, null for none.
   *
   * @param rawPath as it was sent: an encoded or doubled slash is no other way to a path
   */
  static Route of(String rawPath) {
    for (Route route : values()) {
      if (route.path.equals(rawPath)) {
        return route;
      }
    }
    return null;
  }
}
