"""
Tests that what may stand before an exchange goes together: TLS, PROXY headers, trusted
proxies, the redirect to https and Strict-Transport-Security, any two of them.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.ssl import ClientContextFactory

from brxy.interfaces import Address
from brxy.test.support.loopback.edges import LOOPBACK, EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import Message, Peer, answer, connect, webApp
from brxy.values.networks import Networks
from brxy.wire.proxyheader import Endpoints, proxyHeader

HERE = Networks(["127.0.0.0/8"])

#: The header of a client behind a proxy of the PROXY protocol.
HEADER = proxyHeader("v1", Endpoints(Address("192.0.2.7", 40312), Address("198.51.100.1", 443)))

#: What the client of a trusted proxy is, and how it came to the proxy.
BY_HTTP = b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\n"
BY_HTTPS = b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n"

HSTS = b"strict-transport-security"


class _AnyCertificate(ClientContextFactory):
    """
    For a client that accepts any certificate.
    """

    method = SSL.TLS_METHOD


@onBothTransports
class CombinationTests(EdgeTests):
    """
    Tests of an edge with a port for http and one for https.
    """

    def serve(self, **settings: Any) -> None:
        """
        Start an edge before an app.
        """
        self.app = webApp(answer())
        self.launch(self.app, tls_certs=self.certificates(), tls_ports=[LOOPBACK], **settings)

    async def reach(self, secured: bool = False, header: bytes = b"") -> Peer:
        """
        Connect to one of the ports.

        @param header: what is sent before everything else.
        """
        peer = await connect(self.reactor, self.edge.addresses[int(secured)])
        self.cutLater(peer)
        if header:
            peer.write(header)
        if secured:
            peer.transport.startTLS(_AnyCertificate())  # type: ignore[union-attr]
        return peer

    async def get(
        self, fields: bytes = b"", secured: bool = False, header: bytes = b"", host: bytes = b"a"
    ) -> Message:
        """
        Send a request on a connection of its own.
        """
        peer = await self.reach(secured, header)
        peer.write(b"GET /x HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (host, fields))
        return await peer.answer()

    def assertRedirected(self, reply: Message) -> None:
        """
        The answer sends its client to https.
        """
        self.assertEqual((reply.status, reply[b"location"]), (308, b"https://a/x"))

    def assertTold(self, reply: Message, client: bytes, scheme: bytes) -> None:
        """
        The app has answered, and received this description of the client.
        """
        self.assertEqual((reply.status, reply.body), (200, b"ok"))
        request = self.app.requests[-1]
        self.assertEqual(request[b"x-forwarded-for"], client)
        self.assertEqual(request[b"x-forwarded-proto"], scheme)

    async def test_redirectAndHSTS(self) -> None:
        """
        A client of http is redirected, and only over https has the answer
        Strict-Transport-Security (RFC 6797 §7.2).
        """
        self.serve(https_redirect=443, hsts=600)
        reply = await self.get()
        self.assertRedirected(reply)
        self.assertEqual(reply.values(HSTS), [])
        reply = await self.get(secured=True)
        self.assertTold(reply, b"127.0.0.1", b"https")
        self.assertEqual(reply.values(HSTS), [b"max-age=600"])

    async def test_redirectAndTrustedProxy(self) -> None:
        """
        The scheme that a trusted proxy names counts; if it names none, that of its own
        connection does.
        """
        self.serve(https_redirect=443, forwarded_trust=HERE)
        self.assertRedirected(await self.get(BY_HTTP))
        self.assertRedirected(await self.get())
        self.assertTold(await self.get(BY_HTTPS), b"203.0.113.9, 127.0.0.1", b"https")

    async def test_eachRequest(self) -> None:
        """
        The scheme applies to its own request only.
        """
        self.serve(https_redirect=443, forwarded_trust=HERE)
        peer = await self.reach()
        for fields, status in (
            (BY_HTTPS, 200),
            (BY_HTTP, 308),
            (BY_HTTP, 308),
            (b"", 308),
            (BY_HTTPS, 200),
        ):
            peer.write(b"GET /x HTTP/1.1\r\nHost: a\r\n%b\r\n" % fields)
            self.assertEqual((await peer.answer()).status, status)

    async def test_redirectAndStranger(self) -> None:
        """
        The scheme that any other peer names does not count.
        """
        self.serve(https_redirect=443, forwarded_trust=Networks(["10.0.0.0/8"]))
        self.assertRedirected(await self.get(BY_HTTPS))
        reply = await self.get(BY_HTTP, secured=True)
        self.assertTold(reply, b"127.0.0.1", b"https")

    async def test_redirectAndPROXY(self) -> None:
        """
        A client that a PROXY header names is redirected like any other.
        """
        self.serve(https_redirect=443, proxy_trust=HERE)
        self.assertRedirected(await self.get(header=HEADER))

    async def test_redirectAndTLS(self) -> None:
        """
        Over TLS, only those clients are redirected that have come to a trusted proxy over
        http.
        """
        self.serve(https_redirect=443, forwarded_trust=HERE)
        self.assertTold(await self.get(secured=True), b"127.0.0.1", b"https")
        self.assertRedirected(await self.get(BY_HTTP, secured=True))

    async def test_HSTSAndTrustedProxy(self) -> None:
        """
        A trusted proxy that connects over TLS gets the field for its clients.
        """
        self.serve(hsts=600, forwarded_trust=HERE)
        reply = await self.get(BY_HTTPS, secured=True)
        self.assertTold(reply, b"203.0.113.9, 127.0.0.1", b"https")
        self.assertEqual(reply.values(HSTS), [b"max-age=600"])

    async def test_HSTSAndPROXY(self) -> None:
        """
        So does a client that a PROXY header names.
        """
        self.serve(hsts=600, proxy_trust=HERE)
        reply = await self.get(secured=True, header=HEADER)
        self.assertTold(reply, b"192.0.2.7", b"https")
        self.assertEqual(reply.values(HSTS), [b"max-age=600"])

    async def test_HSTSAndTLS(self) -> None:
        """
        Over TLS every answer has the field, those of the edge's own too; over http none has.
        """
        self.serve(hsts=600, routes=["a"])
        for secured, values in ((True, [b"max-age=600"]), (False, [])):
            for host, status in ((b"a", 200), (b"b", 404), (b"..", 400)):
                reply = await self.get(secured=secured, host=host)
                self.assertEqual((reply.status, reply.values(HSTS)), (status, values))

    async def test_trustedProxyAndPROXY(self) -> None:
        """
        Behind a PROXY header, the client that the header names is trusted or is not.
        """
        self.serve(proxy_trust=HERE, forwarded_trust=Networks(["192.0.2.7"]))
        reply = await self.get(BY_HTTPS, header=HEADER)
        self.assertTold(reply, b"203.0.113.9, 192.0.2.7", b"https")
        reply = await self.get(BY_HTTPS, header=proxyHeader("v2", None))
        self.assertTold(reply, b"127.0.0.1", b"http")

    async def test_trustedProxyAndTLS(self) -> None:
        """
        What a trusted proxy says over TLS counts, and TLS itself does if it says nothing.
        """
        self.serve(forwarded_trust=HERE)
        reply = await self.get(BY_HTTP, secured=True)
        self.assertTold(reply, b"203.0.113.9, 127.0.0.1", b"http")
        self.assertTold(await self.get(secured=True), b"127.0.0.1", b"https")

    async def test_PROXYAndTLS(self) -> None:
        """
        The app receives the client of the PROXY header, and the scheme of TLS.
        """
        self.serve(proxy_trust=HERE)
        reply = await self.get(secured=True, header=HEADER)
        self.assertTold(reply, b"192.0.2.7", b"https")

    async def test_all(self) -> None:
        """
        All of them work together.
        """
        self.serve(
            https_redirect=443,
            hsts=600,
            proxy_trust=HERE,
            forwarded_trust=Networks(["192.0.2.7"]),
        )
        for secured, values in ((True, [b"max-age=600"]), (False, [])):
            reply = await self.get(BY_HTTPS, secured, HEADER)
            self.assertTold(reply, b"203.0.113.9, 192.0.2.7", b"https")
            self.assertEqual(reply.values(HSTS), values)
            self.assertRedirected(await self.get(BY_HTTP, secured, HEADER))
