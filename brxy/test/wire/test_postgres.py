"""
Tests of L{brxy.wire.postgres}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import binary
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadStart
from brxy.wire.postgres import (
    ANSWERS,
    CANCEL_REQUEST,
    GSS_REQUEST,
    SSL_REQUEST,
    Start,
    StartReader,
)

_BODY = b"\0\3\0\0user\0me\0\0"
PLAIN = (4 + len(_BODY)).to_bytes(4) + _BODY
CANCEL = b"\0\0\0\x10" + CANCEL_REQUEST + b"12345678"
#: That of protocol 3.2, with a longer secret.
LONG_CANCEL = b"\0\0\0\x2c" + CANCEL_REQUEST + bytes(36)


class StartReaderTests(SynchronousTestCase):
    """
    Tests of L{StartReader}.
    """

    def test_split(self) -> None:
        """
        Each message is known at its last byte, however it is split.
        """
        for message, start in (
            (SSL_REQUEST, Start.SSL_REQUEST),
            (GSS_REQUEST, Start.GSS_REQUEST),
            (CANCEL, Start.CANCEL),
            (LONG_CANCEL, Start.CANCEL),
            (PLAIN, Start.PLAIN),
        ):
            for place in range(len(message)):
                reader = StartReader()
                self.assertIsNone(reader.feed(message[:place]), message)
                self.assertEqual(reader.feed(message[place:]), start, message)

    def test_handshake(self) -> None:
        """
        TLS is known at its first byte, also after a request for Kerberos.
        """
        reader = StartReader()
        self.assertEqual(reader.feed(b"\x16\x03\x01"), Start.TLS)
        self.assertEqual(reader.data, b"\x16\x03\x01")
        reader = StartReader()
        self.assertEqual(reader.feed(GSS_REQUEST), Start.GSS_REQUEST)
        self.assertEqual(reader.feed(b"\x16"), Start.TLS)
        self.assertEqual(reader.data, b"\x16")

    def test_bad(self) -> None:
        """
        Anything else is refused, as soon as that is certain.
        """
        for data in (
            b"G",
            b"\0G",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\0\0\0\x09" + SSL_REQUEST[4:],
            b"\0\0\0\x08\x04\xd2\x16\x31",
            b"\0\0\0\x0f" + CANCEL_REQUEST,
            b"\0\0\1\x0d" + CANCEL_REQUEST,
            b"\0\0\0\x08\0\3\0\0",
            b"\0\0\x27\x11\0\3\0\0",
            b"\0\0\0\x20\0\2\0\0",
        ):
            with self.assertRaises(BadStart, msg=data):
                StartReader().feed(data)

    def test_behind(self) -> None:
        """
        Bytes behind a message, which a client sends only after its answer, are refused, and
        so is a second request for Kerberos.
        """
        for message in (SSL_REQUEST, GSS_REQUEST, CANCEL, PLAIN):
            with self.assertRaises(BadStart, msg=message):
                StartReader().feed(message + b"\x16")
        reader = StartReader()
        reader.feed(GSS_REQUEST)
        self.assertRaises(BadStart, reader.feed, GSS_REQUEST)

    @given(binary(max_size=64))
    def test_anything(self, data: bytes) -> None:
        """
        Nothing but L{BadStart} is raised, and the reader keeps no more than a message.
        """
        reader = StartReader()
        try:
            start = reader.feed(data)
        except BadStart:
            return
        self.assertTrue(start is not None or len(reader.data) < 10_000)

    def test_answers(self) -> None:
        """
        A client without TLS gets a message that a PostgreSQL client shows.
        """
        answer = ANSWERS[Start.PLAIN]
        self.assertEqual(answer[:1], b"E")
        self.assertEqual(int.from_bytes(answer[1:5]), len(answer) - 1)
        self.assertEqual(answer[-2:], b"\0\0")
