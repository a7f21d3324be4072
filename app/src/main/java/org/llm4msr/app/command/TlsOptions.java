package org.llm4msr.app.command;

import java.nio.file.Path;
import javax.net.ssl.SSLContext;
import org.llm4msr.app.serve.Tls;
import org.llm4msr.runtime.UserError;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** The key and certificates of a service. */
final class TlsOptions {
  @Option(
      names = "--tls-certificate",
      paramLabel = "FILE",
      description = "PEM file with the server's certificate and those of its issuers: HTTPS.")
  private Path certificate;

  @Option(
      names = "--tls-key",
      paramLabel = "FILE",
      description = "PEM file with the certificate's private key, PKCS #8 without a password.")
  private Path key;

  @Option(
      names = "--tls-store",
      paramLabel = "FILE",
      description = "PKCS #12 file with key and certificates, instead of the PEM files.")
  private Path store;

  @Option(
      names = "--tls-password-file",
      paramLabel = "FILE",
      description = "File with the password of --tls-store.")
  private Path passwordFile;

  /**
   * What the files hold, or null for plain HTTP.
   *
   * @throws UserError if a file is no good
   */
  SSLContext read(CommandSpec command) {
    if ((certificate == null) != (key == null)) {
      throw Checks.wrong(command, "--tls-certificate and --tls-key go together");
    }
    if ((store == null) != (passwordFile == null)) {
      throw Checks.wrong(command, "--tls-store and --tls-password-file go together");
    }
    if (certificate != null && store != null) {
      throw Checks.wrong(
          command, "--tls-store: takes the place of --tls-certificate and --tls-key");
    }
    if (certificate != null) {
      return Tls.ofPem(certificate, key);
    }
    return store == null
        ? null
        : Tls.ofPkcs12(store, SecretFile.read(passwordFile, "password").toCharArray());
  }
}
