"""
Tests of L{brxy.edge.clients.redirect}, and of an edge before it.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.clients.redirect import Redirect
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import answer, webApp
from brxy.test.support.memory.heads import request


class RedirectTests(SynchronousTestCase):
    """
    Tests of L{Redirect}.
    """

    def where(self, line: bytes, host: bytes, port: int = 443, scheme: bytes = b"http") -> bytes:
        """
        @return: where a request is redirected to; C{b""} if it is not.
        """
        head = request(b"%b HTTP/1.1\r\nHost: %b\r\n\r\n" % (line, host))
        reply = Redirect(port)(head, scheme)
        if reply is None:
            return b""
        self.assertEqual(reply.status, 308)
        name, _, value = reply.fields.partition(b": ")
        self.assertEqual((name, value[-2:]), (b"Location", b"\r\n"))
        return value[:-2]

    def test_redirected(self) -> None:
        """
        A request for a host over http goes to the same target over https.
        """
        for line, host, port, where in (
            (b"GET /a?b=c", b"A.example:8080", 443, b"https://a.example/a?b=c"),
            (b"POST /", b"a.example", 8443, b"https://a.example:8443/"),
            (b"GET http://B.example/x", b"a.example", 443, b"https://b.example/x"),
            (b"OPTIONS *", b"a.example", 443, b"https://a.example/"),
        ):
            self.assertEqual(self.where(line, host, port), where)

    def test_left(self) -> None:
        """
        A request over https is left to its app, and so are one for an address and the
        challenge of a certificate authority.
        """
        self.assertEqual(self.where(b"GET /", b"a.example", scheme=b"https"), b"")
        for host in (b"127.0.0.1", b"[::1]", b"localhost"):
            self.assertEqual(self.where(b"GET /", host), b"")
        self.assertEqual(self.where(b"GET /.well-known/acme-challenge/x", b"a.example"), b"")

    def test_noHost(self) -> None:
        """
        So is a request of HTTP/1.0 that names no host.
        """
        self.assertIsNone(Redirect(443)(request(b"GET / HTTP/1.0\r\n\r\n"), b"http"))


@onBothTransports
class RedirectingTests(EdgeTests):
    """
    Tests of clients that are redirected.
    """

    async def test_keepsConnection(self) -> None:
        """
        The connection of a client that is redirected is kept, unless the request has a
        body or asks for its end.  No app is started, and a host without an app gets 404.
        """
        spawner = self.launch(webApp(answer()), https_redirect=443, routes=["a.example"])
        peer = await self.connect()
        for method in (b"GET", b"HEAD", b"GET"):
            peer.write(b"%b / HTTP/1.1\r\nHost: a.example\r\n\r\n" % method)
            reply = await peer.answer(method)
            self.assertEqual((reply.status, reply[b"connection"]), (308, b"keep-alive"))
            self.assertEqual(reply[b"location"], b"https://a.example/")
        peer.write(b"GET / HTTP/1.1\r\nHost: b.example\r\n\r\n")
        self.assertEqual((await peer.answer()).status, 404)
        for fields in (b"Content-Length: 5\r\n\r\nhello", b"Connection: close\r\n\r\n"):
            peer = await self.connect()
            peer.write(b"POST / HTTP/1.1\r\nHost: a.example\r\n" + fields)
            reply = await peer.answer()
            self.assertEqual((reply.status, reply[b"connection"]), (308, b"close"))
            self.assertEqual(await peer.untilEnd(), b"")
        self.assertEqual(spawner.orders, [])
