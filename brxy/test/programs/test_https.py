"""
Tests of TLS at a real edge, with real clients: OpenSSL's, curl, Python's,
sslyze.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import ssl
import subprocess
from http.client import HTTPSConnection
from pathlib import Path
from threading import Event

from twisted.internet.threads import deferToThread

from brxy.pki import Authority
from brxy.test.support.processes.programs import ANYWHERE, PYTHON, Answer, Program, ProgramTests

__all__ = ["SNITests", "SSLyzeTests", "TLSPortTests"]

#: An app that answers with the path and the scheme that the edge reported to it.
_APP = """\
import os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{self.path} over {self.headers['X-Forwarded-Proto']}".encode()
        self.send_response(200)
        if self.path == "/own":
            self.send_header("Strict-Transport-Security", "max-age=7")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        # A connection that the app has not taken up in time is reset.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

Server(("127.0.0.1", int(os.environ["PORT"])), Request).serve_forever()
"""

#: A client that reports when its request is sent: curl does so before it sends it.
_CLIENT = """\
import socket, ssl, sys

context = ssl.create_default_context(cafile="ca.pem")
plain = socket.create_connection(("localhost", int(sys.argv[1])))
client = context.wrap_socket(plain, server_hostname="localhost")
client.sendall(b"GET /second HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
print("sent", flush=True)
client.recv(1)
"""


class _CertifiedTests(ProgramTests):
    """
    Base of tests with certificates.
    """

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority.make()
        (self.folder / "ca.pem").write_bytes(self.authority.issued.certificate)
        self.certs = self.folder / "certs"
        self.certs.mkdir()
        self.issue("default", "localhost", "127.0.0.1")

    def issue(self, name: str, *names: str, days: int = 100) -> str:
        """
        Put a certificate into the folder.

        @return: its serial number.
        """
        issued = self.authority.issue(*names, days=days)
        new = self.certs / f"{name}.new"
        new.write_bytes(issued.certificate + issued.key)
        new.rename(self.certs / f"{name}.pem")
        return f"{ssl_serial(issued.certificate)}"

    def trusting(self) -> ssl.SSLContext:
        """
        @return: a TLS context that trusts the test's CA.
        """
        return ssl.create_default_context(cafile=str(self.folder / "ca.pem"))

    async def serve(self, *options: str) -> tuple[Program, int]:
        """
        Start an edge with an app.

        @return: the edge, and its port for https.
        """
        (self.folder / "app.py").write_text(_APP)
        tls = ("--tls-port", ANYWHERE, "--tls-certs", str(self.certs))
        edge = self.edge(*tls, *options, "--spawn", f"app: -- {PYTHON} app.py")
        return edge, await self.portOf(edge, r"HTTPFactory \(TLS\)")

    async def portOf(self, edge: Program, factory: str) -> int:
        """
        @return: the port for one kind of client.
        """
        return int((await self.address(edge, factory)).rpartition(":")[2])

    async def call(self, *argv: str, give: bytes = b"") -> str:
        """
        @return: the output of a command, which must succeed.
        """
        done = await deferToThread(
            subprocess.run,
            argv,
            input=give,
            capture_output=True,
            timeout=60,
            cwd=self.folder,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return (done.stdout + done.stderr).decode()

    async def subject(self, port: int, name: str) -> str:
        """
        @return: the subject of the certificate that OpenSSL's client gets for
            a name.
        """
        asked = ("-servername", name) if name else ("-noservername",)
        at = f"127.0.0.1:{port}"
        said = await self.call("openssl", "s_client", "-connect", at, *asked, "-CAfile", "ca.pem")
        self.assertIn("Verify return code: 0 (ok)", said)
        return said.partition("subject=")[2].partition("\n")[0].replace(" ", "")


def ssl_serial(pem: bytes) -> int:
    """
    @return: the serial number of a certificate.
    """
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(pem).serial_number


class TLSPortTests(_CertifiedTests):
    """
    Tests of C{--tls-port} and the options that belong to it.
    """

    async def curl(self, port: int, path: str, *options: str) -> tuple[str, str]:
        """
        @return: head and body of the response that curl receives.
        """
        url = f"https://localhost:{port}{path}"
        said = await self.call("curl", "-sSi", "--cacert", "ca.pem", *options, url)
        head, _, body = said.partition("\r\n\r\n")
        return head, body

    async def test_curl(self) -> None:
        """
        A client that offers HTTP/2 is served over HTTP/1.1, and the app learns
        that the scheme is https.
        """
        edge, port = await self.serve("--hsts", "600")
        for options in ((), ("--http2",), ("--no-alpn",), ("--tlsv1.2", "--tls-max", "1.2")):
            head, body = await self.curl(port, "/x", *options)
            self.assertTrue(head.startswith("HTTP/1.1 200 OK"), head)
            self.assertEqual(body, "/x over https")
            self.assertEqual(head.count("Strict-Transport-Security: max-age=600"), 1)
        head, _ = await self.curl(port, "/own")
        self.assertEqual(head.count("Strict-Transport-Security"), 1)
        head, _ = await self.curl(port, "/", "-H", "Host: a..b")
        self.assertIn("Strict-Transport-Security: max-age=600", head)
        done = await deferToThread(
            subprocess.run,
            ["curl", "-k", "--tls-max", "1.1", f"https://127.0.0.1:{port}"],
            check=False,
            capture_output=True,
        )
        self.assertEqual(done.returncode, 35)
        await self.stopped(edge)

    async def test_names(self) -> None:
        """
        The edge presents the certificate for the requested name, exact or
        wildcard, in any of the file layouts, or else the default one.
        """
        self.issue("a", "a.example", "*.w.example")
        issued = self.authority.issue("certbot.example")
        (self.certs / "certbot.example").mkdir()
        (self.certs / "certbot.example" / "fullchain.pem").write_bytes(issued.certificate)
        (self.certs / "certbot.example" / "privkey.pem").write_bytes(issued.key)
        issued = self.authority.issue("lego.example")
        (self.certs / "lego.example.crt").write_bytes(issued.certificate)
        (self.certs / "lego.example.key").write_bytes(issued.key)
        (self.certs / "README").write_text("nothing")
        edge, port = await self.serve()
        for name, subject in (
            ("a.example", "a.example"),
            ("A.Example", "a.example"),
            ("x.w.example", "a.example"),
            ("y.x.w.example", "localhost"),
            ("certbot.example", "certbot.example"),
            ("lego.example", "lego.example"),
            ("other.example", "localhost"),
            ("", "localhost"),
        ):
            self.assertEqual(await self.subject(port, name), f"CN={subject}", name)
        await self.stopped(edge)

    async def test_swap(self) -> None:
        """
        At SIGHUP the edge reads its certificates again, and no request fails
        meanwhile. A certificate that can't be used is reported in the log, and
        the previous one stays in use.
        """
        edge, port = await self.serve()
        over = Event()
        asked = [0, 0, 0, 0]
        load = [deferToThread(self._ask, port, over, asked, n) for n in range(4)]
        serials = {await self.serial(port)}
        for number in range(1, 6):
            serials.add(self.issue("default", "localhost", "127.0.0.1"))
            edge.signal(signal.SIGHUP)
            await self.said(edge, rf"(?s)(?:reading certificates.*){{{number}}}")
            serials.add(await self.serial(port))
            before = list(asked)
            for place, count in enumerate(before):
                await self.until(
                    lambda p=place, c=count: asked[p] > c or load[p].called  # type: ignore[misc]
                )
        self.assertEqual(len(serials), 6)
        (self.certs / "default.pem").write_text("no certificate")
        edge.signal(signal.SIGHUP)
        await self.said(
            edge, r"keeping what was read before: \S+default.pem: there is no certificate"
        )
        self.assertIn(await self.serial(port), serials)
        over.set()
        for each in load:
            await each
        await self.stopped(edge)

    async def serial(self, port: int) -> str:
        """
        @return: the serial number of the certificate that the edge presents.
        """
        pem = await deferToThread(
            lambda: ssl.get_server_certificate(
                ("127.0.0.1", port), ca_certs=str(self.folder / "ca.pem")
            )
        )
        return str(ssl_serial(pem.encode()))

    def _ask(self, port: int, over: Event, asked: list[int], place: int) -> None:
        client = HTTPSConnection("localhost", port, context=self.trusting(), timeout=30)
        while not over.is_set():
            client.request("GET", f"/{place}")
            with client.getresponse() as answer:
                assert (answer.status, answer.read()) == (200, f"/{place} over https".encode())
            asked[place] += 1
            # Half of them make a new handshake for each request.
            if place % 2:
                client.close()
        client.close()

    async def test_killed(self) -> None:
        """
        When a client is killed while it is held, the edge drops its request.
        """
        tls = ("--tls-port", ANYWHERE, "--tls-certs", str(self.certs))
        spawn = f"app: max=1 capacity=1 -- {self.gate()}"
        edge = self.edge(*tls, "--max-held", "1", "--spawn", spawn)
        port = await self.portOf(edge, r"HTTPFactory \(TLS\)")
        url = f"https://localhost:{port}"
        curl = ("curl", "-sSv", "--cacert", "ca.pem", "-w", "%{http_code}")
        first = self.start(*curl, f"{url}/first")
        await self.said(edge, "asked /first")
        second = self.start(PYTHON, "-c", _CLIENT, str(port))
        await self.said(second, "sent")
        await self.until(lambda: self._isFull(port))
        second.signal(signal.SIGKILL)
        await self.until(lambda: not self._isFull(port))
        self.openGate()
        await self.ended(first)
        self.assertTrue(first.out.endswith("200"), first.out)
        self.assertNotIn("/second", edge.out)
        await self.stopped(edge)

    def _isFull(self, port: int) -> bool:
        client = HTTPSConnection("localhost", port, context=self.trusting(), timeout=60)
        try:
            client.request("GET", "/probe")
            self._passTurns(port)
            client.sock.setblocking(False)
            return client.sock.recv(1000).startswith(b"HTTP/1.1 503 ")
        except ssl.SSLWantReadError:
            return False
        finally:
            client.close()
            self._passTurns(port)

    def _passTurns(self, port: int) -> None:
        """
        Have a new connection answered: by then the edge has handled what was sent on any
        other before.
        """
        client = HTTPSConnection("localhost", port, context=self.trusting(), timeout=60)
        client.request("GET", "/", headers={"Host": ".."})
        self.assertEqual(client.getresponse().status, 400)
        client.close()

    async def test_redirect(self) -> None:
        """
        A client that connects over http is redirected to https, except for a
        request to an IP address or for an ACME challenge.
        """
        edge, port = await self.serve("--https-redirect", "443")
        address = await self.address(edge, "HTTPFactory")

        def get(host: str, path: str) -> object:
            return self.get(address, path, host)

        answer = await self.get(address, "/a?b=c", "A.example:8080")
        self.assertEqual(answer.status, 308)
        self.assertIn("\r\nLocation: https://a.example/a?b=c\r\n", answer.head)
        for host, path in (
            ("127.0.0.1", "/"),
            ("localhost", "/"),
            ("a.example", "/.well-known/acme-challenge/x"),
        ):
            answer = await self.get(address, path, host)
            self.assertEqual((answer.status, answer.body), (200, f"{path} over http"))
        post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000)
        self.assertEqual((await self.talk(address, post)).status, 308)
        await self.stopped(edge)

    async def test_expiring(self) -> None:
        """
        A certificate that should have been renewed is reported in the log.
        """
        self.issue("old", "old.example", days=-1)
        edge, _ = await self.serve()
        await self.said(edge, r"old.pem: the certificate expired on \d{4}-\d\d-\d\d: renew it")
        self.assertNotIn("default.pem", edge.out)
        await self.stopped(edge)

    async def test_unusable(self) -> None:
        """
        At the start a certificate that can't be used gives one line and status
        1.
        """
        other = self.authority.issue("x.example")
        own = self.authority.issue("x.example")
        for text, why in (
            (b"nothing", "there is no certificate in it"),
            (own.certificate, "there is no private key in it"),
            (own.certificate + other.key, "key values mismatch"),
        ):
            (self.certs / "x.pem").write_bytes(text)
            edge = self.edge("--tls-port", ANYWHERE, "--tls-certs", str(self.certs))
            self.assertEqual(await self.ended(edge), 1)
            self.assertEqual(edge.err, f"brxy-edge: {self.certs}/x.pem: {why}\n")
        shutil.rmtree(self.certs)
        edge = self.edge("--tls-port", ANYWHERE, "--tls-certs", str(self.certs))
        self.assertEqual(await self.ended(edge), 1)
        self.assertEqual(
            edge.err, f"brxy-edge: --tls-certs {self.certs}: No such file or directory\n"
        )


class SNITests(_CertifiedTests):
    """
    Tests of C{--sni-port}: the app has the private key.
    """

    async def test_passed(self) -> None:
        """
        The app with the requested name makes the handshake. A client that
        requests no name gets the default route's app, and one that requests an
        unknown name gets an alert.
        """
        self.issue("a", "a.example")
        server = ("openssl", "s_server", "-quiet", "-www", "-accept", "127.0.0.1:{port}")
        spawns: list[str] = []
        for route, name in (("a.example", "a"), ("default", "default")):
            command = " ".join((*server, "-cert", str(self.certs / f"{name}.pem")))
            spawns += ("--spawn", f"app: route={route} -- {command}")
        edge = self.edge("--sni-port", ANYWHERE, *spawns)
        port = await self.portOf(edge, "SNIFactory")
        self.assertEqual(await self.subject(port, "a.example"), "CN=a.example")
        self.assertEqual(await self.subject(port, ""), "CN=localhost")
        context = self.trusting()

        def ask(name: str) -> None:
            with socket.create_connection(("127.0.0.1", port), 20) as sock:
                context.wrap_socket(sock, server_hostname=name).close()

        await deferToThread(ask, "a.example")
        with self.assertRaisesRegex(ssl.SSLError, "UNRECOGNIZED_NAME"):
            await deferToThread(ask, "b.example")
        answer: Answer = await self.talk(f"tcp:127.0.0.1:{port}", b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(answer.head, "")
        await self.stopped(edge)


class SSLyzeTests(_CertifiedTests):
    """
    Tests with sslyze.
    """

    if shutil.which("sslyze") is None:
        skip = "needs sslyze"

    async def test_grade(self) -> None:
        """
        sslyze finds TLS 1.2 and 1.3, good ciphers, no compression and no
        renegotiation.
        """
        edge, port = await self.serve()
        result = self.folder / "result.json"
        await deferToThread(
            subprocess.run,
            ["sslyze", f"--json_out={result}", f"localhost:{port}"],
            capture_output=True,
            timeout=90,
            check=False,
        )
        (server,) = json.loads(Path(result).read_text())["server_scan_results"]
        found = {name: each["result"] for name, each in server["scan_result"].items()}
        for version in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
            self.assertEqual(found[f"{version}_cipher_suites"]["accepted_cipher_suites"], [])
        for version in ("tls_1_2", "tls_1_3"):
            accepted = found[f"{version}_cipher_suites"]["accepted_cipher_suites"]
            names = [each["cipher_suite"]["name"] for each in accepted]
            self.assertTrue(names)
            for name in names:
                self.assertRegex(name, "^TLS_(ECDHE_(ECDSA|RSA)_WITH_)?(AES|CHACHA20).*(GCM|POLY)")
        self.assertFalse(found["tls_compression"]["supports_compression"])
        renegotiation = found["session_renegotiation"]
        self.assertFalse(renegotiation["is_vulnerable_to_client_renegotiation_dos"])
        self.assertTrue(renegotiation["supports_secure_renegotiation"])
        self.assertFalse(found["heartbleed"]["is_vulnerable_to_heartbleed"])
        self.assertFalse(found["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"])
        self.assertTrue(found["tls_fallback_scsv"]["supports_fallback_scsv"])
        await self.stopped(edge)

    async def test_mozilla(self) -> None:
        """
        sslyze finds all that Mozilla's configuration "intermediate" requires.
        """
        edge, port = await self.serve()
        checked = await self.call(
            "sslyze",
            "--mozilla_config=intermediate",
            "--certinfo_ca_file=ca.pem",
            f"localhost:{port}",
        )
        self.assertIn(f"localhost:{port}: OK - Compliant.", checked)
        await self.stopped(edge)
