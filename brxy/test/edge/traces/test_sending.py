"""
Tests of L{brxy.edge.traces.sending}, with a collector over HTTP and over TLS.
"""

from __future__ import annotations

import tempfile
from email.utils import formatdate
from pathlib import Path
from typing import Any

from twisted.internet.ssl import PrivateCertificate
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from brxy.edge.traces.environment import TraceSettings
from brxy.edge.traces.exporter import Answer
from brxy.edge.traces.sending import HTTPSender
from brxy.errors import UsageError
from brxy.test.support.loopback.leftovers import RealTests
from brxy.test.support.loopback.transports import certificate

NOW = 1_796_073_458.0


class _Answering(Resource):
    """
    Answers as the test wants.
    """

    isLeaf = True
    status, body, retry_after, is_silent = 200, b"{}", "", False

    def render_POST(self, request: Request) -> bytes | int:
        if self.is_silent:
            return NOT_DONE_YET
        request.setResponseCode(self.status)
        if self.retry_after:
            request.setHeader("Retry-After", self.retry_after)
        return self.body


class SendingTests(RealTests):
    """
    Tests of L{HTTPSender}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.collector = _Answering()
        self.site = Site(self.collector)
        self.site.noisy = False

    def listen(self, over_tls: bool = False) -> str:
        """
        @return: the URL of the collector.
        """
        if over_tls:
            options = PrivateCertificate.loadPEM(certificate()).options()
            port = self.reactor.listenSSL(0, self.site, options, interface="127.0.0.1")
        else:
            port = self.reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        scheme = "https" if over_tls else "http"
        return f"{scheme}://localhost:{port.getHost().port}/v1/traces"

    def sender(self, url: str, **settings: Any) -> HTTPSender:
        sender = HTTPSender(self.reactor, TraceSettings(url, **settings), lambda: NOW)
        self.addCleanup(self.close, sender)
        return sender

    async def close(self, sender: HTTPSender) -> None:
        await sender.close()

    def file(self, content: bytes) -> str:
        path = Path(tempfile.mkdtemp(), "ca.pem")
        self.addCleanup(path.parent.rmdir)
        self.addCleanup(path.unlink)
        path.write_bytes(content)
        return str(path)

    async def test_answers(self) -> None:
        """
        Each answer is understood, on one connection.
        """
        sender = self.sender(self.listen())
        date = formatdate(NOW + 7, usegmt=True)
        for status, retry_after, body, expected in (
            (200, "", b"{}", Answer()),
            (200, "", b"", Answer()),
            (200, "", b"no JSON", Answer()),
            (200, "", b'{"partialSuccess": {"rejectedSpans": "3"}}', Answer(rejected=3)),
            (200, "", b'{"partialSuccess": {}}', Answer()),
            (400, "", b"", Answer("the collector answered 400")),
            (429, "", b"", Answer("the collector answered 429", True)),
            (503, "3", b"", Answer("the collector answered 503", True, 3.0)),
            (503, date, b"", Answer("the collector answered 503", True, 7.0)),
            (502, "soon", b"", Answer("the collector answered 502", True)),
            (301, "", b"", Answer("the collector answered 301")),
        ):
            self.collector.status, self.collector.body = status, body
            self.collector.retry_after = retry_after
            self.assertEqual(await sender.send(b"{}"), expected)

    async def test_long(self) -> None:
        """
        Of an endless answer only a part is read.
        """
        self.collector.body = b"x" * 1_000_000
        self.assertEqual(await self.sender(self.listen()).send(b"{}"), Answer())

    async def test_silent(self) -> None:
        """
        The answer must come in time.
        """
        self.collector.is_silent = True
        answer = await self.sender(self.listen(), timeout=0.1).send(b"{}")
        self.assertEqual(answer, Answer("no answer within 0.1 s", True))

    async def test_unreachable(self) -> None:
        """
        A collector that does not listen may do so later.
        """
        answer = await self.sender("http://127.0.0.1:1/").send(b"{}")
        self.assertEqual(answer, Answer("the collector: Connection refused", True))

    async def test_tls(self) -> None:
        """
        An endpoint of https is checked against the file with authorities.
        """
        url = self.listen(over_tls=True)
        known = self.sender(url, certificate=self.file(certificate()))
        self.assertEqual(await known.send(b"{}"), Answer())
        answer = await self.sender(url).send(b"{}")
        self.assertTrue(answer.again)
        self.assertIn("certificate verify failed", answer.error)

    def test_badFile(self) -> None:
        """
        A file that has no authorities is an error.
        """
        for path in ("/nowhere/ca.pem", self.file(b"nothing")):
            error = self.assertRaises(UsageError, self.sender, "https://a/", certificate=path)
            self.assertIn(f"OTEL_EXPORTER_OTLP_CERTIFICATE={path}: ", str(error))
