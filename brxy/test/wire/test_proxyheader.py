"""
Tests for L{brxy.wire.proxyheader}.
"""

from __future__ import annotations

from ipaddress import ip_address
from struct import pack
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.protocols.haproxy._exceptions import InvalidProxyHeader
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadProxyHeader
from brxy.interfaces import Address
from brxy.test.support.memory.examples import bounded
from brxy.wire.proxyheader import (
    MAX_V1,
    MAX_V2,
    VERSIONS,
    Endpoints,
    endpointsFromText,
    proxyHeader,
    readProxyHeader,
)

_bounded = bounded(200)

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

V4 = Endpoints(Address("192.0.2.7", 40312), Address("198.51.100.1", 443))
V6 = Endpoints(Address("2001:db8::7", 40312), Address("2001:db8::1", 443))

_PORTS = st.integers(0, 65535)


def plain(host: Any) -> str:
    """
    @return: an address in its shortest form: an IPv4 address that was mapped
        to IPv6 becomes IPv4 again.
    """
    ip = ip_address(host)
    return str(getattr(ip, "ipv4_mapped", None) or ip)


_ADDRESSES = st.builds(Address, st.ip_addresses().map(plain), _PORTS)
_ENDPOINTS = st.builds(Endpoints, _ADDRESSES, _ADDRESSES)

#: Valid headers, and what they become with some wrong bytes.
_HEADERS = st.builds(proxyHeader, st.sampled_from(VERSIONS), st.none() | _ENDPOINTS)


@st.composite
def _spoilt(draw: st.DrawFn) -> bytes:
    data = draw(_HEADERS)
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(st.binary(max_size=2)) + data[place + 1 :]
    return data


def binary(command: int, family: int, body: bytes) -> bytes:
    """
    @return: a header of version 2.
    """
    return SIGNATURE + pack("!BBH", command, family, len(body)) + body


V4_BODY = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + pack("!HH", 40312, 443)
V6_BODY = ip_address("2001:db8::7").packed + ip_address("2001:db8::1").packed + V4_BODY[8:]


def outcome(data: bytes) -> tuple[Endpoints | None, int] | None | str:
    """
    @return: the endpoints that were read, or the reason why none were.
    """
    try:
        return readProxyHeader(data)
    except BadProxyHeader as error:
        return str(error)


class EndpointsTests(SynchronousTestCase):
    """
    Tests for L{Endpoints} as text.
    """

    def test_text(self) -> None:
        """
        Each end is written as in a URL.
        """
        self.assertEqual(str(V4), "192.0.2.7:40312 198.51.100.1:443")
        self.assertEqual(str(V6), "[2001:db8::7]:40312 [2001:db8::1]:443")

    @_bounded
    @given(_ENDPOINTS)
    def test_roundTrip(self, endpoints: Endpoints) -> None:
        """
        The text can be parsed again.
        """
        self.assertEqual(endpointsFromText(str(endpoints)), endpoints)

    def test_others(self) -> None:
        """
        Any other text is refused.
        """
        for text in (
            "",
            "192.0.2.7",
            "192.0.2.7:1",
            "192.0.2.7:1 ",
            "192.0.2.7:1 192.0.2.8:65536",
            "192.0.2.7:1 192.0.2.8:",
            "192.0.2.7:1 192.0.2:2",
            "2001:db8::7:1 [::1]:2",
            "[::1%eth0]:1 [::1]:2",
            "a:1 b:2",
        ):
            self.assertIsNone(endpointsFromText(text), text)


class LineTests(SynchronousTestCase):
    """
    Tests of headers of version 1.
    """

    def test_read(self) -> None:
        """
        A line contains both ends. The bytes after it don't belong to the
        header.
        """
        for line, endpoints in (
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 40312 443\r\n", V4),
            (b"PROXY TCP6 2001:db8::7 2001:DB8:0::1 40312 443\r\n", V6),
        ):
            self.assertEqual(readProxyHeader(line + b"GET"), (endpoints, len(line)))

    def test_unknown(self) -> None:
        """
        A proxy may send UNKNOWN, followed by any text.
        """
        longest = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535".ljust(105, b"x")
        for line in (b"PROXY UNKNOWN", b"PROXY UNKNOWN \xff\0 ", longest):
            self.assertEqual(readProxyHeader(line + b"\r\n"), (None, len(line) + 2))

    def test_mapped(self) -> None:
        """
        An IPv4 client of a port for both families is read as IPv4.
        """
        line = b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 40312 443\r\n"
        self.assertEqual(readProxyHeader(line), (V4, len(line)))

    def test_refused(self) -> None:
        """
        An invalid line is refused as soon as it can't become valid.
        """
        for line in (
            b"TCP4 192.0.2.7 198.51.100.1 1 2",
            b"PROXY TCP5 192.0.2.7 198.51.100.1 1 2",
            b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2",
            b"PROXY UNKNOWNX",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 1",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3",
            b"PROXY TCP4  192.0.2.7 198.51.100.1 1 2",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 ",
            b"PROXY TCP4 192.0.2.7\t198.51.100.1 1 2",
            b"PROXY TCP4 192.0.2.256 198.51.100.1 1 2",
            b"PROXY TCP4 192.0.2.07 198.51.100.1 1 2",
            b"PROXY TCP4 192.0.2 198.51.100.1 1 2",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 2",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 01 2",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 2",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 \xb2 2",
            b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2",
            b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2",
            b"PROXY TCP6 2001:db8::7 198.51.100.1 1 2",
            b"PROXY TCP6 fe80::1%eth0 fe80::2 1 2",
            b"PROXY TCP6 [::1] ::1 1 2",
            b"PROXY TCP6 ::: ::1 1 2",
            b"PROXY ",
            b"PROXY",
        ):
            self.assertRaises(BadProxyHeader, readProxyHeader, line + b"\r\n")
        for begun in (b"p", b"PROXY\t", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01"):
            self.assertEqual(outcome(begun), "no PROXY header", begun)

    def test_bounded(self) -> None:
        """
        A line has at most 107 bytes, its end included.
        """
        begun = b"PROXY UNKNOWN ".ljust(MAX_V1 - 1, b"x")
        self.assertIsNone(readProxyHeader(begun))
        self.assertEqual(outcome(begun + b"x"), "a PROXY line that is too long")
        self.assertEqual(outcome(begun + b"\r\n"), "a PROXY line that is too long")


class BinaryTests(SynchronousTestCase):
    """
    Tests of headers of version 2.
    """

    def test_read(self) -> None:
        """
        A header contains both ends. The bytes after it don't belong to it.
        """
        for family, body, endpoints in ((0x11, V4_BODY, V4), (0x21, V6_BODY, V6)):
            header = binary(0x21, family, body)
            self.assertEqual(readProxyHeader(header + b"GET"), (endpoints, len(header)))

    def test_more(self) -> None:
        """
        Everything that a proxy sends besides the addresses is ignored.
        """
        for tlvs in (b"\x04\0\0", b"\x02\0\x03a.b" + b"\x20\0\x05\x01\0\0\0\0", b"\xff"):
            header = binary(0x21, 0x11, V4_BODY + tlvs)
            self.assertEqual(readProxyHeader(header + b"GET"), (V4, len(header)))

    def test_local(self) -> None:
        """
        A proxy may connect on its own behalf (LOCAL), whatever the rest of its
        header contains.
        """
        for family, body in ((0, b""), (0x11, V4_BODY), (0xFF, b"xyz"), (0x11, b"short")):
            header = binary(0x20, family, body)
            self.assertEqual(readProxyHeader(header), (None, len(header)))

    def test_noAddress(self) -> None:
        """
        A header is also accepted, without endpoints, if its client has no IP
        address or a transport that can't be behind a connection.
        """
        for family, body in (
            (0x00, b""),
            (0x00, b"anything"),
            (0x31, b"/client".ljust(108, b"\0") + b"/server".ljust(108, b"\0")),
            (0x32, bytes(216)),
            (0x12, V4_BODY),
            (0x22, V6_BODY),
            (0x10, V4_BODY),
        ):
            header = binary(0x21, family, body)
            self.assertEqual(readProxyHeader(header), (None, len(header)), hex(family))

    def test_refused(self) -> None:
        """
        An invalid header is refused before the rest of it has arrived.
        """
        for header in (
            binary(0x22, 0x11, V4_BODY),
            binary(0x11, 0x11, V4_BODY),
            binary(0x31, 0x11, V4_BODY),
            binary(0x01, 0x11, V4_BODY),
            binary(0x21, 0x13, V4_BODY),
            binary(0x21, 0x41, V6_BODY),
            binary(0x21, 0x11, V4_BODY[:-1]),
            binary(0x21, 0x21, V6_BODY[:-1]),
            binary(0x21, 0x31, bytes(215)),
        ):
            self.assertRaises(BadProxyHeader, readProxyHeader, header[:16])
        for place in range(12):
            wrong = SIGNATURE[:place] + b"x"
            self.assertEqual(outcome(wrong), "no PROXY header", wrong)

    def test_bounded(self) -> None:
        """
        A header has at most 4 KiB.
        """
        header = binary(0x21, 0x11, V4_BODY + bytes(MAX_V2 - 28))
        self.assertEqual(readProxyHeader(header), (V4, MAX_V2))
        for command in (0x20, 0x21):
            longer = binary(command, 0x11, V4_BODY + bytes(MAX_V2 - 27))
            self.assertEqual(outcome(longer[:16]), "a PROXY header of 4097 bytes, at most 4096")


class EitherTests(SynchronousTestCase):
    """
    Tests of headers of both versions.
    """

    @_bounded
    @given(st.sampled_from(VERSIONS), st.none() | _ENDPOINTS, st.binary(max_size=5))
    def test_roundTrip(self, version: str, endpoints: Endpoints | None, rest: bytes) -> None:
        """
        A header that is written can be read again in any pieces, even if its
        ends are of two address families.
        """
        header = proxyHeader(version, endpoints)
        self.assertEqual(readProxyHeader(header + rest), (endpoints, len(header)))
        for end in range(len(header)):
            self.assertIsNone(readProxyHeader(header[:end]))

    def test_written(self) -> None:
        """
        Headers of both versions are written exactly like these examples.
        """
        for version, endpoints, header in (
            ("v1", V4, b"PROXY TCP4 192.0.2.7 198.51.100.1 40312 443\r\n"),
            ("v1", V6, b"PROXY TCP6 2001:db8::7 2001:db8::1 40312 443\r\n"),
            ("v1", None, b"PROXY UNKNOWN\r\n"),
            ("v2", V4, binary(0x21, 0x11, V4_BODY)),
            ("v2", V6, binary(0x21, 0x21, V6_BODY)),
            ("v2", None, binary(0x20, 0, b"")),
        ):
            self.assertEqual(proxyHeader(version, endpoints), header)

    @_bounded
    @given(_spoilt(), st.binary(max_size=3))
    def test_splits(self, data: bytes, rest: bytes) -> None:
        """
        The same header is read however the bytes are split. One that is
        refused is not read later, when more bytes arrive, and one that was
        read is not refused later.
        """
        data += rest
        whole = outcome(data)
        seen = next((o for i in range(len(data) + 1) if (o := outcome(data[:i]))), None)
        if isinstance(seen, str):
            self.assertIsInstance(whole, str)
        else:
            self.assertEqual(seen, whole)

    @_bounded
    @given(_spoilt())
    def test_twisted(self, data: bytes) -> None:
        """
        An accepted header means the same to Twisted's parsers.
        """
        found = outcome(data)
        if not isinstance(found, tuple):
            return
        endpoints, taken = found
        try:
            if data.startswith(b"PROXY"):
                info: Any = V1Parser.parse(data[: taken - 2])
            else:
                info = V2Parser.parse(data[:taken])
        except InvalidProxyHeader:
            # Twisted reads UNKNOWN, and transports other than TCP, in a different way.
            self.assertIsNone(endpoints, data)
            return
        if endpoints is not None:
            for ours, theirs in (
                (endpoints.source, info.source),
                (endpoints.destination, info.destination),
            ):
                host = theirs.host.decode() if isinstance(theirs.host, bytes) else theirs.host
                self.assertEqual(ours.host, plain(host))
                self.assertEqual(ours.port, theirs.port)
