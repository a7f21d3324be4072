package org.llm4msr.app.serve;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.UnrecoverableKeyException;
import java.security.cert.Certificate;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.runtime.UserError;

/** A server's key and certificates out of files, checked before anything is served with them. */
public final class Tls {
  private static final long MOST_BYTES = 1 << 20;
  private static final Pattern PEM =
      Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\\s]*)-----END \\1-----");
  private static final String CONVERT =
      "; convert it: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW";

  // Enough for clients that come back; those that keep tickets take none.
  private static final int SESSIONS = 1024;

  static {
    // No client needs to shake hands again, and each time costs us more than it. Read once, when
    // TLS is first used.
    System.setProperty("jdk.tls.rejectClientInitiatedRenegotiation", "true");
  }

  private Tls() {}

  private record PemBlock(String type, byte[] content) {}

  /**
   * Reads PEM files.
   *
   * @param certificates the server's certificate, then those of its issuers if any
   * @param key its private key, PKCS #8 without a password
   * @throws UserError that names the file and what is wrong with it
   */
  public static SSLContext ofPem(Path certificates, Path key) {
    List<X509Certificate> chain = new ArrayList<>();
    for (PemBlock block : blocks(certificates)) {
      if (block.type().equals("CERTIFICATE")) {
        chain.add(certificate(block, certificates));
      }
    }
    if (chain.isEmpty()) {
      throw new UserError(certificates + ": expected -----BEGIN CERTIFICATE-----");
    }
    PrivateKey secret = key(key, chain.getFirst().getPublicKey());
    return context(secret, chain, certificates, key);
  }

  private static List<PemBlock> blocks(Path file) {
    String text = new String(bytes(file), StandardCharsets.ISO_8859_1);
    List<PemBlock> blocks = new ArrayList<>();
    for (Matcher matcher = PEM.matcher(text); matcher.find(); ) {
      try {
        byte[] content = Base64.getMimeDecoder().decode(matcher.group(2));
        blocks.add(new PemBlock(matcher.group(1), content));
      } catch (IllegalArgumentException e) {
        throw new UserError(file + ": " + matcher.group(1) + ": not valid Base64", e);
      }
    }
    return blocks;
  }

  private static byte[] bytes(Path file) {
    FileErrors.requireFile(file);
    try {
      if (Files.size(file) > MOST_BYTES) {
        throw new UserError(file + ": expected at most " + MOST_BYTES + " bytes");
      }
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw FileErrors.reading(file, e);
    }
  }

  private static X509Certificate certificate(PemBlock block, Path file) {
    try {
      CertificateFactory factory = CertificateFactory.getInstance("X.509");
      InputStream in = new ByteArrayInputStream(block.content());
      return (X509Certificate) factory.generateCertificate(in);
    } catch (GeneralSecurityException e) {
      throw new UserError(file + ": not a valid certificate", e);
    }
  }

  private static PrivateKey key(Path file, PublicKey certified) {
    List<PemBlock> keys =
        blocks(file).stream().filter(block -> block.type().endsWith("PRIVATE KEY")).toList();
    if (keys.size() != 1) {
      throw new UserError(
          file + ": holds " + keys.size() + " keys, expected one -----BEGIN PRIVATE KEY-----");
    }
    PemBlock block = keys.getFirst();
    switch (block.type()) {
      case "PRIVATE KEY" -> {}
      case "ENCRYPTED PRIVATE KEY" ->
          throw new UserError(file + ": the key has a password" + CONVERT + ", or use PKCS #12");
      default ->
          throw new UserError(
              file
                  + ": expected PKCS #8, -----BEGIN PRIVATE KEY-----, found "
                  + block.type()
                  + CONVERT);
    }
    try {
      return KeyFactory.getInstance(certified.getAlgorithm())
          .generatePrivate(new PKCS8EncodedKeySpec(block.content()));
    } catch (GeneralSecurityException e) {
      throw new UserError(
          file + ": not a valid key of the certificate's kind, " + certified.getAlgorithm(), e);
    }
  }

  /**
   * Reads a PKCS #12 file with one key and its certificates.
   *
   * @throws UserError that names the file and what is wrong with it
   */
  public static SSLContext ofPkcs12(Path file, char[] password) {
    byte[] bytes = bytes(file);
    try {
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(new ByteArrayInputStream(bytes), password);
      List<String> keys = new ArrayList<>();
      for (String alias : Collections.list(store.aliases())) {
        if (store.isKeyEntry(alias)) {
          keys.add(alias);
        }
      }
      if (keys.size() != 1) {
        throw new UserError(file + ": holds " + keys.size() + " keys, expected one");
      }
      PrivateKey key = (PrivateKey) store.getKey(keys.getFirst(), password);
      List<X509Certificate> chain = new ArrayList<>();
      for (Certificate certificate : store.getCertificateChain(keys.getFirst())) {
        chain.add((X509Certificate) certificate);
      }
      return context(key, chain, file, file);
    } catch (IOException e) {
      throw new UserError(
          e.getCause() instanceof UnrecoverableKeyException
              ? file + ": the password is wrong"
              : file + ": not a valid PKCS #12 file",
          e);
    } catch (GeneralSecurityException e) {
      throw new UserError(file + ": cannot read its key: " + e.getMessage(), e);
    }
  }

  private static SSLContext context(
      PrivateKey key, List<X509Certificate> chain, Path certificateFile, Path keyFile) {
    checkDates(chain, certificateFile);
    checkOrder(chain, certificateFile);
    try {
      if (!belong(key, chain.getFirst().getPublicKey())) {
        throw new UserError(keyFile + ": not the key of the certificate in " + certificateFile);
      }
      // A store in memory, which nobody else sees: its password guards nothing.
      char[] password = {'m'};
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(null, null);
      store.setKeyEntry("server", key, password, chain.toArray(X509Certificate[]::new));
      KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
      keys.init(store, password);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(keys.getKeyManagers(), null, null);
      context.getServerSessionContext().setSessionCacheSize(SESSIONS);
      return context;
    } catch (GeneralSecurityException | IOException e) {
      throw new UserError(keyFile + ": cannot serve with this key: " + e.getMessage(), e);
    }
  }

  private static void checkDates(List<X509Certificate> chain, Path file) {
    for (X509Certificate certificate : chain) {
      String name = file + ": the certificate of " + certificate.getSubjectX500Principal();
      try {
        certificate.checkValidity();
      } catch (CertificateExpiredException e) {
        throw new UserError(name + " ended " + certificate.getNotAfter().toInstant(), e);
      } catch (CertificateNotYetValidException e) {
        throw new UserError(name + " begins " + certificate.getNotBefore().toInstant(), e);
      }
    }
  }

  private static void checkOrder(List<X509Certificate> chain, Path file) {
    for (int i = 0; i + 1 < chain.size(); i++) {
      try {
        chain.get(i).verify(chain.get(i + 1).getPublicKey());
      } catch (GeneralSecurityException e) {
        throw new UserError(
            file
                + ": certificate "
                + (i + 2)
                + " did not issue the one before it; expected the server's first, then its"
                + " issuers'",
            e);
      }
    }
  }

  /** Whether what one signs the other confirms. */
  private static boolean belong(PrivateKey key, PublicKey certified)
      throws GeneralSecurityException {
    String algorithm =
        switch (key.getAlgorithm()) {
          case "RSA" -> "SHA256withRSA";
          case "EC" -> "SHA256withECDSA";
          default -> key.getAlgorithm();
        };
    byte[] text = "llm4msr".getBytes(StandardCharsets.US_ASCII);
    Signature signature = Signature.getInstance(algorithm);
    signature.initSign(key);
    signature.update(text);
    byte[] signed = signature.sign();
    signature.initVerify(certified);
    signature.update(text);
    return signature.verify(signed);
  }
}
