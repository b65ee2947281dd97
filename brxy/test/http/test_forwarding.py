"""
Tests for L{brxy.http.forwarding}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.http.forwarding import MAX_HOPS, Forwarded, forwarded
from brxy.http.messages import requestHead, withForwardedHost
from brxy.test.support.memory.examples import bounded
from brxy.test.support.memory.heads import forwarded as rendered
from brxy.test.support.memory.heads import get
from brxy.values.networks import Networks

TRUSTED = Networks(["10.0.0.0/8", "unix"])


def read(lines: bytes = b"", peer: str = "10.0.0.1", proto: bytes = b"http") -> Forwarded:
    """
    @return: what is read of a request with these fields.
    """
    return forwarded(get(lines).fields, peer, proto, TRUSTED)


class ForwardedTests(SynchronousTestCase):
    """
    Tests for L{forwarded}.
    """

    def test_chain(self) -> None:
        """
        The peer's address is added to X-Forwarded-For.
        """
        for lines, chain in (
            (b"", b"10.0.0.1"),
            (b"X-Forwarded-For: 192.0.2.7\r\n", b"192.0.2.7, 10.0.0.1"),
            (b"X-Forwarded-For: 192.0.2.7,10.0.0.9\r\n", b"192.0.2.7, 10.0.0.9, 10.0.0.1"),
            (
                b"x-forwarded-for: 2001:DB8::7\r\nX-Forwarded-For:10.0.0.9\r\n",
                b"2001:db8::7, 10.0.0.9, 10.0.0.1",
            ),
        ):
            self.assertEqual(read(lines).chain, chain)

    def test_unixPeer(self) -> None:
        """
        A peer at a Unix socket has no address to add.
        """
        self.assertEqual(read(b"X-Forwarded-For: 192.0.2.7\r\n", peer="").chain, b"192.0.2.7")

    def test_ports(self) -> None:
        """
        Ports, which some proxies add, and brackets are removed.
        """
        for member, host in (
            (b"192.0.2.7:1234", b"192.0.2.7"),
            (b"[2001:db8::7]:1234", b"2001:db8::7"),
            (b"[2001:db8::7]", b"2001:db8::7"),
            (b"::ffff:192.0.2.7", b"192.0.2.7"),
            (b"fe80::1%<b>", b"fe80::1"),
        ):
            told = read(b"X-Forwarded-For: %b\r\n" % member)
            self.assertEqual(told.chain, host + b", 10.0.0.1", member)

    def test_malformed(self) -> None:
        """
        An entry that is not an address is dropped, and so are all entries
        before it.
        """
        for member in (b"unknown", b"_hidden", b"<script>", b"1.2.3", b"", b"a b", b"1.2.3.4:x"):
            told = read(b"X-Forwarded-For: 192.0.2.1, %b, 192.0.2.7\r\n" % member)
            self.assertEqual(told.chain, b"192.0.2.7, 10.0.0.1", member)
            self.assertEqual(told.client, "192.0.2.7")

    def test_long(self) -> None:
        """
        Only the end of a long list is passed on.
        """
        way = b", ".join([b"192.0.2.%d" % i for i in range(200)])
        told = read(b"X-Forwarded-For: %b\r\n" % way).chain.split(b", ")
        self.assertEqual(len(told), MAX_HOPS + 1)
        self.assertEqual(told[-2:], [b"192.0.2.199", b"10.0.0.1"])

    def test_client(self) -> None:
        """
        The client is the last address that is not trusted, because the client
        can have invented everything before it. If all are trusted, it is the
        first.
        """
        for way, client in (
            (b"192.0.2.7", "192.0.2.7"),
            (b"203.0.113.9, 192.0.2.7", "192.0.2.7"),
            (b"192.0.2.7, 10.0.0.3", "192.0.2.7"),
            (b"203.0.113.9, 192.0.2.7, 10.0.0.4, 10.0.0.3", "192.0.2.7"),
            (b"10.0.0.4, 10.0.0.3", "10.0.0.4"),
            (b"", "10.0.0.1"),
        ):
            self.assertEqual(read(b"X-Forwarded-For: %b\r\n" % way).client, client, way)
        self.assertEqual(read(b"", peer="").client, "")

    def test_proto(self) -> None:
        """
        The protocol is that of the first proxy, as a scheme of HTTP, if all that proxies
        have written is valid.
        """
        for lines, proto in (
            (b"", b"http"),
            (b"X-Forwarded-Proto: https\r\n", b"https"),
            (b"X-Forwarded-Proto: HTTPS\r\n", b"https"),
            (b"X-Forwarded-Proto: wss\r\n", b"https"),
            (b"X-Forwarded-Proto: WSS\r\n", b"https"),
            (b"X-Forwarded-Proto: https, http\r\n", b"https"),
            (b"X-Forwarded-Proto: https,http\r\n", b"https"),
            (b"X-Forwarded-Proto: wss,ws\r\n", b"https"),
            (b"X-Forwarded-Proto: http, https\r\n", b"http"),
            (b"X-Forwarded-Proto: https\r\n" * 2, b"https"),
            (b"X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", b"https"),
            (b"X-Forwarded-Proto: javascript\r\n", b"http"),
            (b"X-Forwarded-Proto: https, javascript\r\n", b"http"),
            (b"X-Forwarded-Proto: javascript, https\r\n", b"http"),
            (b"X-Forwarded-Proto: \r\n", b"http"),
        ):
            self.assertEqual(read(lines).proto, proto, lines)
        self.assertEqual(read(proto=b"https").proto, b"https")
        for lines in (b"X-Forwarded-Proto: http\r\n", b"X-Forwarded-Proto: ws\r\n"):
            self.assertEqual(read(lines, proto=b"https").proto, b"http", lines)

    def test_host(self) -> None:
        """
        The host is kept if it is valid and the only one.
        """
        for lines, host in (
            (b"", b""),
            (b"X-Forwarded-Host: Shop.example:8443\r\n", b"Shop.example:8443"),
            (b"X-Forwarded-Host: shop.example:\r\n", b"shop.example"),
            (b"X-Forwarded-Host: a/../b\r\n", b""),
            (b"X-Forwarded-Host: \r\n", b""),
            (b"X-Forwarded-Host: b, c\r\n", b""),
            (b"X-Forwarded-Host: b\r\nX-Forwarded-Host: c\r\n", b""),
        ):
            self.assertEqual(read(lines).host, host, lines)

    @bounded(200)
    @given(st.lists(st.text("0123456789abcdef.:,[]% _-<\xe9"), max_size=3))
    def test_nothingOdd(self, values: list[str]) -> None:
        """
        Whatever a request claims, the result is a list of addresses.
        """
        fields = [(b"x-forwarded-for", b"", value.encode("latin-1")) for value in values]
        told = forwarded(fields, "10.0.0.1", b"http", TRUSTED)
        self.assertRegex(told.chain, rb"\A([0-9a-f.:]+, )*10\.0\.0\.1\Z")
        again = forwarded([(b"x-forwarded-for", b"", told.chain)], "", b"http", TRUSTED)
        self.assertEqual(again.chain, told.chain)


class ForwardedHostTests(SynchronousTestCase):
    """
    Tests for L{withForwardedHost}.
    """

    def test_told(self) -> None:
        """
        The app gets another host, and everything else as before.
        """
        head = get(b"A: 1\r\n")
        other = withForwardedHost(head, b"shop.example")
        self.assertEqual(
            rendered(other),
            rendered(head).replace(
                b"X-Forwarded-Host: a\r\n", b"X-Forwarded-Host: shop.example\r\n"
            ),
        )
        self.assertEqual(other.host, "a")

    def test_remembered(self) -> None:
        """
        The next, similar request does not get the host of this one.
        """
        data = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        withForwardedHost(get(), b"shop.example")
        self.assertNotIn(b"shop", rendered((requestHead(data) or self.fail("not whole"))[0]))
