package org.llm4msr.app.serve;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

/**
 * Ends TLS in front of a plain server on loopback: what clients say is handed on, and what it
 * answers goes back. The JDK's own HTTPS server looks each client's name up, and writes to
 * connections that it closes while it holds locks that every request takes: one client that does
 * not take its answers stops the service for all.
 *
 * <p>Each connection has two virtual threads. Whatever they wait for, the connection is closed by
 * its socket when a client takes too long for its handshake or for an answer; how long it may be
 * silent is up to the server behind.
 */
final class TlsFront implements AutoCloseable {
  private static final int REQUEST_BYTES = 4096;
  private static final int ANSWER_BYTES = 16_384;
  private static final Duration CHECKED_EVERY = Duration.ofMillis(250);
  private static final Duration REST_AFTER_ERROR = Duration.ofMillis(100);
  private static final Duration LAST_ANSWERS = Duration.ofSeconds(1);

  private final ServerSocket listener;
  private final SSLSocketFactory sockets;
  private final InetSocketAddress server;
  private final int most;
  private final long clientNanos;
  private final Consumer<String> log;
  private final Set<Connection> connections = ConcurrentHashMap.newKeySet();
  private volatile boolean listening = true;
  private volatile boolean closed;

  /**
   * Binds an address; {@link #start} begins to listen.
   *
   * @param server where requests are handed on to
   * @param most connections at a time; more are closed at once
   * @param clientSeconds for a handshake, and for a client to take an answer
   * @param log takes lines about failures
   */
  TlsFront(
      InetSocketAddress address,
      int backlog,
      SSLContext tls,
      InetSocketAddress server,
      int most,
      int clientSeconds,
      Consumer<String> log)
      throws IOException {
    this.server = server;
    this.most = most;
    this.log = log;
    clientNanos = TimeUnit.SECONDS.toNanos(clientSeconds);
    sockets = tls.getSocketFactory();
    listener = new ServerSocket();
    try {
      listener.bind(address, backlog);
    } catch (IOException e) {
      listener.close();
      throw e;
    }
  }

  InetSocketAddress address() {
    return (InetSocketAddress) listener.getLocalSocketAddress();
  }

  void start() {
    Thread.ofPlatform().name("llm4msr-tls-accept").daemon().start(this::accept);
    Thread.ofPlatform().name("llm4msr-tls-timeouts").daemon().start(this::closeLate);
  }

  private void accept() {
    while (listening) {
      try {
        Socket client = listener.accept();
        if (connections.size() >= most) {
          client.close();
        } else {
          Connection connection = new Connection(client);
          connections.add(connection);
          Thread.ofVirtual().name("llm4msr-tls").start(connection::run);
        }
      } catch (IOException e) {
        if (listening) {
          // Too many open files, say; what is open goes on.
          log.accept("cannot accept a connection: " + e.getMessage());
          rest(REST_AFTER_ERROR);
        }
      }
    }
  }

  private void closeLate() {
    while (!closed) {
      rest(CHECKED_EVERY);
      long nowNanos = System.nanoTime();
      for (Connection connection : connections) {
        if (connection.limited && nowNanos - connection.dueNanos > 0) {
          connection.close();
        }
      }
    }
  }

  private static void rest(Duration duration) {
    try {
      Thread.sleep(duration);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** A client, and a connection to the server for it alone. */
  private final class Connection {
    private final Socket client;
    private final Socket inner = new Socket();
    private volatile long dueNanos;
    private volatile boolean limited;

    Connection(Socket client) {
      this.client = client;
      limit();
    }

    private void limit() {
      dueNanos = System.nanoTime() + clientNanos;
      limited = true;
    }

    void run() {
      try (SSLSocket secure = (SSLSocket) sockets.createSocket(client, null, true)) {
        client.setTcpNoDelay(true);
        secure.setUseClientMode(false);
        secure.startHandshake();
        limited = false;
        inner.setTcpNoDelay(true);
        inner.connect(server);
        Thread answers = Thread.ofVirtual().name("llm4msr-tls").start(() -> answer(secure));
        try {
          request(secure);
        } finally {
          answers.join();
        }
      } catch (IOException e) {
        // No TLS, or gone: there is nobody to tell.
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } finally {
        close();
        connections.remove(this);
      }
    }

    /** Hands requests on until the client ends, or the server closed the connection. */
    private void request(SSLSocket secure) {
      byte[] buffer = new byte[REQUEST_BYTES];
      try {
        InputStream in = secure.getInputStream();
        OutputStream out = inner.getOutputStream();
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
          out.write(buffer, 0, n);
        }
        inner.shutdownOutput();
      } catch (IOException e) {
        // What is answered to the requests before may still be wanted.
        try {
          inner.shutdownOutput();
        } catch (IOException _) {
          close();
        }
      }
    }

    /** Hands answers on until the server ends, then tells the client so. */
    private void answer(SSLSocket secure) {
      byte[] buffer = new byte[ANSWER_BYTES];
      try (secure) {
        InputStream in = inner.getInputStream();
        OutputStream out = secure.getOutputStream();
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
          if (!limited) {
            limit();
          }
          out.write(buffer, 0, n);
          // The time for an answer ends with its last byte.
          limited = in.available() > 0;
        }
        limit();
      } catch (IOException e) {
        // The client is gone, was too slow, or the server closed the connection.
      } finally {
        close();
      }
    }

    void close() {
      // The socket itself, whoever waits in TLS's locks.
      closeQuietly(client);
      closeQuietly(inner);
    }

    private static void closeQuietly(Socket socket) {
      try {
        socket.close();
      } catch (IOException e) {
        // It is given up anyway.
      }
    }
  }

  /** Takes no more connections; those that are open go on. */
  void stopListening() {
    listening = false;
    try {
      listener.close();
    } catch (IOException e) {
      log.accept("cannot close " + address() + ": " + e.getMessage());
    }
  }

  /** Ends when the server has closed its connections and clients have the last answers. */
  @Override
  public void close() {
    stopListening();
    long endNanos = System.nanoTime() + LAST_ANSWERS.toNanos();
    while (!connections.isEmpty() && System.nanoTime() < endNanos) {
      rest(CHECKED_EVERY.dividedBy(10));
    }
    connections.forEach(Connection::close);
    closed = true;
  }
}
