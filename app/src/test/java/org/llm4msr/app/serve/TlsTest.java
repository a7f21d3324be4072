package org.llm4msr.app.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.serve.SelfSigned.Kind;
import org.llm4msr.runtime.UserError;

class TlsTest {
  @TempDir private static Path folder;
  private static SelfSigned server;
  private static SelfSigned other;

  @BeforeAll
  static void make() throws Exception {
    server = SelfSigned.make(folder.resolve("server"), Kind.EC);
    other = SelfSigned.make(folder.resolve("other"), Kind.EC);
  }

  private static void refused(Path certificate, Path key, Path named, String problem) {
    assertThatThrownBy(() -> Tls.ofPem(certificate, key))
        .isInstanceOf(UserError.class)
        .hasMessageStartingWith(named.toString() + ": ")
        .hasMessageContaining(problem);
  }

  private static Path file(String name, String text) throws IOException {
    return Files.writeString(folder.resolve(name), text);
  }

  @Test
  void keysOfEveryKindAreRead() throws Exception {
    for (Kind kind : Kind.values()) {
      SelfSigned made = SelfSigned.make(folder.resolve(kind.name()), kind);
      assertThat(Tls.ofPem(made.certificate(), made.key())).as(kind.name()).isNotNull();
      assertThat(Tls.ofPkcs12(made.store(), SelfSigned.PASSWORD.toCharArray())).isNotNull();
    }
  }

  @Test
  void wrongPemFilesAreNamed() throws Exception {
    Path missing = folder.resolve("missing");
    Path certificate = server.certificate();
    Path key = server.key();
    String keyText = Files.readString(key);
    refused(missing, key, missing, "no such file");
    refused(certificate, missing, missing, "no such file");
    refused(folder, key, folder, "not a regular file");
    refused(key, key, key, "expected -----BEGIN CERTIFICATE-----");
    refused(certificate, certificate, certificate, "holds 0 keys");
    Path two = file("two", keyText + keyText);
    refused(certificate, two, two, "holds 2 keys");
    refused(certificate, other.key(), other.key(), "not the key of the certificate");
    SelfSigned rsa = SelfSigned.make(folder.resolve("rsa"), Kind.RSA);
    refused(certificate, rsa.key(), rsa.key(), "kind, EC");
    Path old = file("old", keyText.replace(" PRIVATE", " EC PRIVATE"));
    refused(certificate, old, old, "found EC PRIVATE KEY; convert it: openssl pkcs8");
    Path locked = file("locked", keyText.replace(" PRIVATE", " ENCRYPTED PRIVATE"));
    refused(certificate, locked, locked, "has a password");
    Path cut = file("cut", keyText.replaceAll("\n.{32}", "\n"));
    refused(certificate, cut, cut, "not a valid key");
    Path broken = file("broken", Files.readString(certificate).replaceAll("\n.{32}", "\n"));
    refused(broken, key, broken, "not a valid certificate");
    Path chain =
        file("chain", Files.readString(certificate) + Files.readString(other.certificate()));
    refused(chain, key, chain, "certificate 2 did not issue");
    Path large = file("large", "x".repeat((1 << 20) + 1));
    refused(large, key, large, "at most 1048576 bytes");
  }

  @Test
  void certificatesOutOfTheirTimeAreRefused() throws Exception {
    SelfSigned ended = SelfSigned.make(folder.resolve("ended"), Kind.EC, "-3d");
    refused(ended.certificate(), ended.key(), ended.certificate(), " ended 2");
    SelfSigned early = SelfSigned.make(folder.resolve("early"), Kind.EC, "+3d");
    refused(early.certificate(), early.key(), early.certificate(), " begins 2");
  }

  @Test
  void wrongStoresAreNamed() throws Exception {
    Path store = server.store();
    char[] password = SelfSigned.PASSWORD.toCharArray();
    assertThatThrownBy(() -> Tls.ofPkcs12(store, "another".toCharArray()))
        .isInstanceOf(UserError.class)
        .hasMessage(store + ": the password is wrong");
    assertThatThrownBy(() -> Tls.ofPkcs12(server.key(), password))
        .isInstanceOf(UserError.class)
        .hasMessage(server.key() + ": not a valid PKCS #12 file");
  }
}
