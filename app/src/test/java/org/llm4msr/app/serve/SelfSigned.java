package org.llm4msr.app.serve;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.Base64;
import java.util.List;

/**
 * A key and its self-signed certificate for 127.0.0.1, valid for two days.
 *
 * @param store PKCS #12
 * @param certificate PEM
 * @param key PEM
 */
public record SelfSigned(Path store, Path certificate, Path key) {
  public static final String PASSWORD = "a password";

  /** Kinds of keys. */
  public enum Kind {
    RSA("RSA"),
    EC("EC"),
    ED25519("Ed25519");

    private final String algorithm;

    Kind(String algorithm) {
      this.algorithm = algorithm;
    }
  }

  /**
   * Makes them.
   *
   * @param path to which endings are added
   */
  public static SelfSigned make(Path path, Kind kind) throws Exception {
    return make(path, kind, "-1H");
  }

  static SelfSigned make(Path path, Kind kind, String start) throws Exception {
    Path store = path.resolveSibling(path.getFileName() + ".p12");
    Files.deleteIfExists(store);
    List<String> command =
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
            "-genkeypair",
            "-alias",
            "server",
            "-keyalg",
            kind.algorithm,
            "-dname",
            "CN=localhost",
            "-ext",
            "SAN=ip:127.0.0.1,dns:localhost",
            "-startdate",
            start,
            "-validity",
            "2",
            "-storetype",
            "PKCS12",
            "-keystore",
            store.toString(),
            "-storepass",
            PASSWORD);
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    SelfSigned made =
        new SelfSigned(
            store,
            path.resolveSibling(path.getFileName() + ".pem"),
            path.resolveSibling(path.getFileName() + ".key"));
    KeyStore keys = made.load();
    pem(made.certificate, "CERTIFICATE", keys.getCertificate("server").getEncoded());
    pem(made.key, "PRIVATE KEY", keys.getKey("server", PASSWORD.toCharArray()).getEncoded());
    return made;
  }

  private KeyStore load() throws Exception {
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(store)) {
      keys.load(in, PASSWORD.toCharArray());
    }
    return keys;
  }

  private static void pem(Path file, String type, byte[] content) throws Exception {
    String text =
        Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII)).encodeToString(content);
    Files.writeString(
        file, "-----BEGIN %s-----\n%s\n-----END %s-----\n".formatted(type, text, type));
  }

  /** Who trusts it and nothing else. */
  public KeyStore trust() throws Exception {
    Certificate certificate = load().getCertificate("server");
    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    trusted.setCertificateEntry("server", certificate);
    return trusted;
  }
}
