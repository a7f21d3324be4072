#!/usr/bin/env python3
"""Puts the HTTP service under load and under attack, and reports what it took and what it left.

Builds nothing: run `bench/run.sh -m org.llm4msr.bench.serving.ServiceLoad export S.snapshot` first (it builds, and writes
the model to serve), then

  bench/service.py S.snapshot                               every part, some minutes
  bench/service.py S.snapshot steady --rate 500 --seconds 1800
  bench/service.py S.snapshot overload idle slow hostile
  bench/service.py S.snapshot --tls ec                      the same over TLS, with what is hostile to TLS alone

The service runs in a process of its own, the load in another; both share this machine's cores."""

import argparse
import json
import os
import random
import re
import resource
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import warnings

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JAVA_HOME = os.environ.get("JAVA_HOME") or subprocess.check_output([ROOT + "/.mvn/find-jdk.sh"], text=True).strip()
TOKEN = "a-token-for-the-load-test"
PARTS = ["steady", "overload", "idle", "slow", "hostile"]
GOOD = json.dumps({"user": "u1", "scenario": "web", "items": ["i%d" % i for i in range(20)]}).encode()
BODY_LIMIT = 1 << 20
CLIENT_SECONDS = 10


def head(line, *headers, token=TOKEN):
    lines = [line + " HTTP/1.1", "Host: localhost"]
    if token is not None:
        lines.append("Authorization: Bearer " + token)
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1")


def post(path, body, kind="application/json", **more):
    return head("POST " + path, "Content-Type: " + kind, "Content-Length: %d" % len(body), **more) + body


class Certificate:
    """A self-signed one for localhost, a client's trust in it, and half of what a client says first."""

    def __init__(self, kind, folder):
        self.store, self.password_file, authority = folder + "/server.p12", folder + "/password", folder + "/server.pem"
        with open(self.password_file, "w") as out:
            out.write(TOKEN)
        key = {"ec": ["-keyalg", "EC", "-groupname", "secp256r1"], "rsa": ["-keyalg", "RSA", "-keysize", "2048"]}[kind]
        keytool = [JAVA_HOME + "/bin/keytool", "-keystore", self.store, "-storetype", "PKCS12", "-storepass", TOKEN, "-alias", "server"]
        subprocess.check_call([*keytool, "-genkeypair", *key, "-validity", "2", "-dname", "CN=localhost",
                               "-ext", "san=dns:localhost,ip:127.0.0.1"], stderr=subprocess.DEVNULL)
        subprocess.check_call([*keytool, "-exportcert", "-rfc", "-file", authority], stderr=subprocess.DEVNULL)
        self.context = ssl.create_default_context(cafile=authority)

    def hello(self):
        """A client's first message, as bytes."""
        outgoing = ssl.MemoryBIO()
        try:
            self.context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
        except ssl.SSLWantReadError:
            pass
        return outgoing.read()


class Service:
    def __init__(self, snapshot, folder, tls):
        token = folder + "/token"
        with open(token, "w") as out:
            out.write(TOKEN)
        self.certificate = Certificate(tls, folder) if tls else None
        secure = ["--tls-store=" + self.certificate.store, "--tls-password-file=" + self.certificate.password_file] if tls else []
        self.process = subprocess.Popen(
            [JAVA_HOME + "/bin/java", "-Xmx512m", "-jar", ROOT + "/app/target/llm4msr.jar", "serve", "--snapshot=" + snapshot,
             "--port=0", "--token-file=" + token, "--max-connections=12000", "--max-body=%d" % BODY_LIMIT,
             "--client-timeout=%d" % CLIENT_SECONDS, *secure],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = self.process.stdout.readline()
        if "serving" not in line:
            raise SystemExit("the service did not start: " + line + self.process.stdout.read())
        self.port = int(line.rsplit(":", 1)[1])

    def plain(self, buffered=None):
        """A connection without TLS, of which the system buffers as little as is asked for."""
        client = socket.socket()
        if buffered:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffered)
        client.settimeout(30)
        client.connect(("127.0.0.1", self.port))
        return client

    def connect(self, buffered=None):
        """A connection that is ready for requests."""
        client = self.plain(buffered)
        if not self.certificate:
            return client
        return self.certificate.context.wrap_socket(client, server_hostname="localhost")

    def answer(self, request):
        """Status of the answer to whatever bytes; None if there is none."""
        with self.connect() as client:
            try:
                client.sendall(request)
            except OSError:
                pass  # Refused before everything was sent; the answer may be there.
            return status(client)

    def works(self):
        return self.answer(post("/v1/score", GOOD)) == 200

    def jcmd(self, command):
        return subprocess.check_output([JAVA_HOME + "/bin/jcmd", str(self.process.pid), command], text=True)

    def usage(self):
        """What it holds after a collection: heap, resident memory, open files, threads."""
        heap = self.heap_megabytes()
        with open("/proc/%d/status" % self.process.pid) as text:
            fields = dict(line.split(":", 1) for line in text)
        return "heap %.1f MB, resident %.0f MB, %d files, %d threads" % (
            heap, int(fields["VmRSS"].split()[0]) / 1024, self.files(), int(fields["Threads"]))

    def heap_megabytes(self):
        """What is in use after a collection."""
        self.jcmd("GC.run")
        time.sleep(1)
        self.jcmd("GC.run")
        return int(re.search(r"total (?:reserved )?\d+K.*?used (\d+)K", self.jcmd("GC.heap_info")).group(1)) / 1024

    def files(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid) as text:
            fields = text.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        left = self.process.stdout.read()
        return self.process.wait(30), left.strip()


def status(client):
    try:
        line = b""
        while b"\n" not in line:
            part = client.recv(4096)
            if not part:
                break
            line += part
        return int(line.split(b" ", 2)[1]) if line.startswith(b"HTTP/1.1 ") else None
    except OSError:
        return None


def load(service, form, items, connections, *phases):
    trust = ["-Djavax.net.ssl.trustStore=" + service.certificate.store,
             "-Djavax.net.ssl.trustStorePassword=" + TOKEN] if service.certificate else []
    command = [JAVA_HOME + "/bin/java", "--enable-native-access=ALL-UNNAMED", "-Xmx512m", *trust, "-cp",
               ROOT + "/bench/target/classes:" + ROOT + "/bench/target/lib/*", "org.llm4msr.bench.serving.ServiceLoad",
               ("tls:" if service.certificate else "") + str(service.port), TOKEN, form, str(items), str(connections), *phases]
    return subprocess.Popen(command)


def loaded(service, *arguments):
    """Runs a load to its end and tells what the service needed for it."""
    before = service.cpu_seconds()
    load(service, *arguments).wait()
    print("  the service used %.1f CPU-seconds" % (service.cpu_seconds() - before), flush=True)


def steady(service, options):
    for form in options.forms.split(","):
        phase = "%d:%d" % (options.rate, options.seconds)
        loaded(service, form, options.items, options.connections, "%d:10" % options.rate, phase)


def overload(service, options):
    """More connections than the service takes requests, as fast as they go; then moderately."""
    phases = ["%d:10" % options.rate, "100000:20", "%d:10" % options.rate]
    loaded(service, "json", options.items, 600, *phases)


def idle(service, options):
    """Connections that send nothing; the service closes them after half a minute."""
    kinds = {"": service.connect}
    if service.certificate:
        kinds = {" before the handshake": service.plain, " after the handshake": service.connect}
    for kind, connect in kinds.items():
        before, heap = service.files(), service.heap_megabytes()
        clients = []
        opening = [threading.Thread(target=lambda: clients.extend(connect() for _ in range(options.idle // 8))) for _ in range(8)]
        start = time.time()
        try:
            for thread in opening:
                thread.start()
            for thread in opening:
                thread.join()
            time.sleep(1)
            print("  %d connections idle%s, opened in %.1f s, %d files more; a request is answered: %s" % (
                len(clients), kind, time.time() - start, service.files() - before, service.works()), flush=True)
            print("  the heap has grown by %.1f KB for each" % ((service.heap_megabytes() - heap) * 1024 / len(clients)), flush=True)
            loaded(service, "json", options.items, options.connections, "%d:10" % options.rate)
            while service.files() > before + 40 and time.time() < start + 120:
                time.sleep(0.5)
            print("  %d files more after %.0f s" % (service.files() - before, time.time() - start), flush=True)
        finally:
            for client in clients:
                client.close()


def slow(service, options):
    """Heads and bodies that do not end, answers that nobody takes; meanwhile ordinary load."""
    many = json.dumps({"user": "u1", "scenario": "web", "items": ["i%d" % i for i in range(10_000)]}).encode()
    kinds = {"heads": (service.connect, head("POST /v1/score")[:-2]), "bodies": (service.connect, post("/v1/score", GOOD)[:-5]),
             # The system's buffers take several answers of half a megabyte.
             "answers": (service.connect, post("/v1/rank", many) * 40)}
    if service.certificate:
        hello = service.certificate.hello()
        kinds |= {"greetings": (service.plain, hello[:len(hello) // 2]), "handshakes": (service.plain, hello),
                  "first words": (service.connect, b"")}
    for kind, (connect, text) in kinds.items():
        before = service.files()
        clients = []

        def begin():
            client = connect(1024)
            clients.append(client)
            client.settimeout(2)
            try:
                client.sendall(text)
            except OSError:
                pass  # It no longer reads, for want of somebody who takes its answers.

        start = time.time()
        # Ten that ask for so much are enough: more would only overload it.
        beginning = [threading.Thread(target=begin) for _ in range(10 if kind == "answers" else 100)]
        for thread in beginning:
            thread.start()
        for thread in beginning:
            thread.join()
        running = load(service, "json", options.items, options.connections, "%d:%d" % (options.rate, CLIENT_SECONDS))
        time.sleep(2)
        held = service.files() - before
        running.wait()
        while service.files() > before + 20 and time.time() < start + 60:
            time.sleep(0.2)
        print("  slow %s: %d of %d connections held, %d left after %.0f s"
              % (kind, held, len(clients), service.files() - before, time.time() - start), flush=True)
        for client in clients:
            client.close()


def hostile(service, options):
    """Each request has the statuses that are right for it; anything else is listed."""
    chance = random.Random(1)
    binary = b"LMSR" + struct.pack("<HHIII", 1, 1, 0, 0, 2) + b"".join(
        struct.pack("<H", len(text)) + text for text in (b"web", b"u1", b"i1", b"i2"))

    def mutated(body):
        changed = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        return bytes(changed[:chance.randrange(len(changed))] if chance.random() < 0.3 else changed)

    kinds = {
        "good": (lambda: post("/v1/score", GOOD), {200}),
        "malformed JSON": (lambda: post("/v1/score", b"{\"user\": " + bytes(chance.randrange(256) for _ in range(40))), {400}),
        "mutated JSON": (lambda: post("/v1/rank", mutated(GOOD)), {200, 400}),
        "mutated binary": (lambda: post("/v1/score", mutated(binary), "application/vnd.llm4msr"), {200, 400}),
        "deep JSON": (lambda: post("/v1/score", b"[" * 100_000), {400}),
        "huge declared": (lambda: head("POST /v1/score", "Content-Type: application/json", "Content-Length: 99999999999"), {413}),
        "huge sent": (lambda: post("/v1/score", b" " * (BODY_LIMIT + 1)), {413}),
        "huge chunked": (lambda: head("POST /v1/score", "Content-Type: application/json", "Transfer-Encoding: chunked")
                         + b"200000\r\n" + b" " * 0x200000 + b"\r\n0\r\n\r\n", {413}),
        "many items": (lambda: post("/v1/score", b'{"user":1,"scenario":"web","items":[' + b"1," * 10_000 + b"1]}"), {400}),
        "wrong token": (lambda: post("/v1/score", GOOD, token="x" * chance.randint(1, 2000)), {401}),
        "no token": (lambda: post(chance.choice(["/v1/score", "/v1/reload", "/x"]), GOOD, token=None), {401}),
        "path tricks": (lambda: head("GET " + chance.choice(
            ["/../../etc/passwd", "/v1/..%2f..%2fetc/passwd", "//v1/models", "/v1/models/", "/v1%2fmodels", "/v1/models%00",
             "/metrics;x", "/%2e%2e/%2e%2e/etc/passwd", "/V1/MODELS", "/" + "a" * 8000])), {404}),
        "other methods": (lambda: head(chance.choice(["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"]) + " /v1/score"), {405}),
        "other types": (lambda: post("/v1/score", GOOD, chance.choice(["text/plain", "application/xml", "multipart/form-data"])), {415}),
        "no HTTP": (lambda: bytes(chance.randrange(33, 127) for _ in range(60)) + b"\r\n\r\n", {400}),
        "TLS greeting": (lambda: bytes.fromhex("16030100050100000100") + b"\r\n\r\n", {400}),
        "two lengths": (lambda: head("POST /v1/score", "Content-Length: 1", "Content-Length: 2") + b"{}", {400}),
        "length and chunks": (lambda: head("POST /v1/score", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n", {400}),
        "negative length": (lambda: head("POST /v1/score", "Content-Length: -1"), {400}),
    }
    asked = {kind: (lambda make=make: service.answer(make()), right) for kind, (make, right) in kinds.items()}
    if service.certificate:
        asked |= hostile_to_tls(service, chance)
    counts = {kind: {} for kind in asked}
    running = load(service, "json", options.items, options.connections, "%d:10" % options.rate)
    for _ in range(options.rounds):
        for kind, (ask, _) in asked.items():
            found = ask()
            counts[kind][found] = counts[kind].get(found, 0) + 1
    running.wait()
    for kind, (_, right) in asked.items():
        wrong = "" if set(counts[kind]) <= right else "   WRONG, expected %s" % sorted(map(str, right))
        print("  %-18s %s%s" % (kind, counts[kind], wrong))


def hostile_to_tls(service, chance):
    """What breaks off or breaks the rules below HTTP; the service must end each connection by itself."""
    hello = service.certificate.hello()
    noise = lambda most: bytes(chance.randrange(256) for _ in range(chance.randint(1, most)))

    def ended(client):
        """How the service ended a connection."""
        try:
            first = client.recv(65536)
            while client.recv(65536):
                pass
            return "alert" if first[:1] == b"\x15" else "closed"
        except (ConnectionError, BrokenPipeError):
            return "reset"
        except TimeoutError:
            return "open"

    def said(text, half_closed=True):
        with service.plain() as client:
            try:
                client.sendall(text)
                if half_closed:
                    client.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # Ended before everything was sent.
            return ended(client)

    def shaken(text, half_closed=True):
        """Says something below TLS after a handshake."""
        client = service.connect()
        with socket.socket(fileno=client.detach()) as below:
            below.settimeout(30)
            try:
                below.sendall(text)
                if half_closed:
                    below.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            return ended(below)

    def gone(connect, text):
        client = connect()
        client.sendall(text)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        return "gone"

    warnings.filterwarnings("ignore", category=DeprecationWarning)  # Old versions of TLS are tried on purpose.

    def refused(**limits):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for name, value in limits.items():
            getattr(context, name)(value) if callable(getattr(context, name)) else setattr(context, name, value)
        with service.plain() as client:
            try:
                context.wrap_socket(client, server_hostname="localhost").close()
                return "accepted"
            except OSError:
                return "refused"

    def mutated():
        changed = bytearray(hello)
        for _ in range(chance.randint(1, 8)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        return bytes(changed)

    end = {"alert", "closed", "reset"}
    return {
        "plain HTTP": (lambda: said(head("GET /health"), False), end),
        "noise": (lambda: said(b"\x16" * chance.randrange(2) + noise(3000)), end),
        "long records": (lambda: said(bytes.fromhex("160301ffff") + os.urandom(65535), False), end),
        "empty records": (lambda: said(bytes.fromhex("1603030000") * 1000), end),
        "alerts first": (lambda: said(bytes.fromhex("15030300020228"), False), end),
        "data first": (lambda: said(bytes.fromhex("1703030010") + os.urandom(16), False), end),
        "half a greeting": (lambda: said(hello[:chance.randrange(1, len(hello))]), end),
        "mutated greeting": (lambda: said(mutated()), end),
        "many greetings": (lambda: said(hello * 50), end),
        "gone in handshake": (lambda: gone(service.plain, hello), {"gone"}),
        "gone in request": (lambda: gone(service.connect, post("/v1/score", GOOD)[:chance.randrange(1, 200)]), {"gone"}),
        "gone before answer": (lambda: gone(service.connect, post("/v1/score", GOOD)), {"gone"}),
        "noise after": (lambda: shaken(bytes.fromhex("1703030100") + os.urandom(256), False), end),
        "no TLS after": (lambda: shaken(post("/v1/score", GOOD)), end),
        "half a record": (lambda: shaken(bytes.fromhex("1703030100") + os.urandom(99)), end),
        "end without notice": (lambda: shaken(b""), end),
        "TLS 1.1": (lambda: refused(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1,
                                    set_ciphers="ALL:@SECLEVEL=0"), {"refused"}),
        "weak cipher": (lambda: refused(maximum_version=ssl.TLSVersion.TLSv1_2, set_ciphers="AES128-SHA:@SECLEVEL=0"), {"refused"}),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("snapshot")
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="part", help=", ".join(PARTS))
    parser.add_argument("--rate", type=int, default=200, help="requests/s of moderate load")
    parser.add_argument("--seconds", type=int, default=30, help="how long the steady load lasts")
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--forms", default="json,binary")
    parser.add_argument("--rounds", type=int, default=200, help="of hostile requests")
    parser.add_argument("--idle", type=int, default=10_000, help="connections that send nothing")
    parser.add_argument("--tls", choices=["ec", "rsa"], help="over TLS, with a key of this kind")
    options = parser.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit[1], 65536), limit[1]))
    with tempfile.TemporaryDirectory() as folder:
        service = Service(options.snapshot, folder, options.tls)
        try:
            loaded(service, "json", options.items, options.connections, "%d:10" % options.rate)
            print("warm: " + service.usage(), flush=True)
            for part in options.parts:
                print("\n== " + part, flush=True)
                globals()[part](service, options)
                time.sleep(CLIENT_SECONDS + 2)
                print("after: works %s, %s" % (service.works(), service.usage()), flush=True)
        finally:
            print("stopped: exit code %d, %s" % service.stop())


if __name__ == "__main__":
    main()
