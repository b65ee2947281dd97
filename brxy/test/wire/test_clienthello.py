"""
Tests of L{brxy.wire.clienthello}, with hellos that OpenSSL makes.
"""

from __future__ import annotations

import contextlib
import ssl

from hypothesis import given
from hypothesis.strategies import binary, integers, lists
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadHello
from brxy.wire.clienthello import ClientHelloReader


def hello(name: str | None) -> bytes:
    """
    @return: the first bytes that Python's TLS client sends.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    sent = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return sent.read()
    raise AssertionError("a handshake without a peer")


HELLO = hello("www.example.com")


def record(data: bytes) -> bytes:
    """
    @return: a TLS record with a part of a handshake.
    """
    return b"\x16\x03\x01" + len(data).to_bytes(2) + data


def read(*pieces: bytes) -> str | None:
    """
    @return: the result of the reader after the last byte.
    """
    reader = ClientHelloReader()
    name = None
    for piece in pieces:
        assert name is None, "it was complete before"
        name = reader.feed(piece)
    return name


def message(*extensions: bytes, tail: bytes = b"") -> bytes:
    """
    @return: a ClientHello with these extensions.
    """
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    joined = b"".join(extensions)
    body += len(joined).to_bytes(2) + joined + tail
    return b"\x01" + len(body).to_bytes(3) + body


def serverName(name: bytes, kind: int = 0) -> bytes:
    """
    @return: a server_name extension.
    """
    entry = bytes([kind]) + len(name).to_bytes(2) + name
    listed = len(entry).to_bytes(2) + entry
    return b"\x00\x00" + len(listed).to_bytes(2) + listed


class ClientHelloTests(SynchronousTestCase):
    """
    Tests of L{ClientHelloReader}.
    """

    def test_name(self) -> None:
        """
        The reader finds the name, or finds that there is none.
        """
        self.assertEqual(read(HELLO), "www.example.com")
        self.assertEqual(read(hello(None)), "")
        self.assertEqual(read(record(message())), "")
        self.assertEqual(read(record(message(serverName(b"a.b")))), "a.b")

    def test_noExtensions(self) -> None:
        """
        A client of TLS 1.2 may send no extensions at all.
        """
        body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
        self.assertEqual(read(record(b"\x01" + len(body).to_bytes(3) + body)), "")

    @given(lists(integers(1, len(HELLO) - 1), unique=True, max_size=20).map(sorted))
    def test_pieces(self, cuts: list[int]) -> None:
        """
        The hello may arrive in pieces and in records of any size.
        """
        ends = [*cuts, len(HELLO)]
        pieces = [HELLO[a:b] for a, b in zip([0, *cuts], ends, strict=True)]
        self.assertEqual(read(*pieces), "www.example.com")
        body = HELLO[5:]
        inner = [cut for cut in cuts if cut < len(body)]
        parts = zip([0, *inner], [*inner, len(body)], strict=True)
        self.assertEqual(read(b"".join(record(body[a:b]) for a, b in parts)), "www.example.com")

    def test_bytewise(self) -> None:
        """
        The hello may arrive byte by byte, with each byte in a record of its
        own.
        """
        records = b"".join(record(bytes([byte])) for byte in HELLO[5:])
        self.assertEqual(read(*(bytes([byte]) for byte in records)), "www.example.com")

    def test_bad(self) -> None:
        """
        Bytes that are no ClientHello are refused at once.
        """
        name = serverName(b"a")
        for data in (
            b"GET / HTTP/1.1\r\n",
            b"\x80\x2e\x01\x03\x01",
            b"\x17\x03\x03\x00\x05",
            b"\x16\x02\x00\x00\x05",
            b"\x16\x03\x01\x00\x00",
            b"\x16\x03\x01\x40\x01",
            record(b"\x02\x00\x00\x05"),
            record(b"\x01\x00\x40\x01"),
            record(message() + b"x"),
            record(message(tail=b"x")),
            record(message(name, name)),
            record(message(serverName(b""))),
            record(message(serverName(b"\xff"))),
            record(message(serverName(b"a", 1))),
            record(message(name[:-1])),
            record(message(b"\x00\x00\x00\x00")),
            record(b"\x01\x00\x00\x00"),
        ):
            self.assertRaises(BadHello, read, data)

    def test_endless(self) -> None:
        """
        The size of a hello is limited, even if it arrives in the smallest of
        records.
        """
        head = b"\x01\x00\x40\x00"
        pieces = [record(bytes([byte])) for byte in head + bytes(16384)]
        self.assertRaises(BadHello, read, *pieces)

    @given(binary(max_size=300), integers(0, len(HELLO)))
    def test_anything(self, data: bytes, start: int) -> None:
        """
        Arbitrary bytes raise no other exception than that.
        """
        for each in (data, record(data) if data else data, HELLO[:start] + data):
            reader = ClientHelloReader()
            with contextlib.suppress(BadHello):
                reader.feed(each)
