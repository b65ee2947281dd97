"""
Tests of L{brxy.edge.exchanges.requestbuffer}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.exchanges.requestbuffer import RequestBuffer
from brxy.edge.exchanges.table import Exchange, Input
from brxy.http.messages import RequestHead, requestHead
from brxy.wire.frames import KIND_HTTP


def head(*lines: str) -> RequestHead:
    """
    @return: the head of a POST.
    """
    text = "\r\n".join(["POST / HTTP/1.1", "Host: a", *lines, "", ""])
    parsed = requestHead(text.encode())
    assert parsed is not None
    return parsed[0]


class RequestBufferTests(SynchronousTestCase):
    """
    Tests of L{RequestBuffer}.
    """

    def exchange(self, size: int = 0) -> Exchange:
        """
        @return: an exchange that has this many bytes of its body.
        """
        made = Exchange("r", KIND_HTTP, False, 0, "", None)
        made.keep(bytes(size))
        return made

    def test_takes(self) -> None:
        """
        Bodies up to a size are collected, and those of unknown length, but not of requests that
        offer an upgrade.
        """
        buffer = RequestBuffer(100, 1000)
        self.assertTrue(buffer.takes(head("Content-Length: 100")))
        self.assertFalse(buffer.takes(head("Content-Length: 101")))
        self.assertTrue(buffer.takes(head("Transfer-Encoding: chunked")))
        upgrade = ("Connection: upgrade", "Upgrade: x", "Content-Length: 1")
        self.assertFalse(buffer.takes(head(*upgrade)))

    def test_off(self) -> None:
        """
        With a size of 0, or without memory for all, none is collected.
        """
        for each, total in ((0, 1000), (100, 0)):
            buffer = RequestBuffer(each, total)
            for line in ("Content-Length: 1", "Transfer-Encoding: chunked"):
                self.assertFalse(buffer.takes(head(line)))

    def test_counted(self) -> None:
        """
        The bytes that have come of each body count, from the beginning until it is discarded.
        """
        buffer = RequestBuffer(100, 1000)
        one, two = self.exchange(10), self.exchange(20)
        buffer.begin(one)
        buffer.begin(two)
        self.assertEqual((buffer.size, buffer.collecting()), (30, [one, two]))
        one.keep(bytes(5))
        self.assertTrue(buffer.keep(one))
        self.assertEqual(buffer.size, 35)
        one.step(Input.COLLECTED)
        self.assertEqual((buffer.size, buffer.collecting()), (35, [two]))
        buffer.discard(two)
        buffer.discard(two)
        buffer.discard(self.exchange(7))
        self.assertEqual((buffer.size, buffer.collecting()), (15, []))
        buffer.discard(one)
        self.assertEqual(buffer.size, 0)

    def test_full(self) -> None:
        """
        No more is kept when one body has reached its size, or all together theirs; then no
        other body is collected.
        """
        buffer = RequestBuffer(100, 150)
        one, two = self.exchange(), self.exchange()
        buffer.begin(one)
        buffer.begin(two)
        one.keep(bytes(99))
        self.assertTrue(buffer.keep(one))
        one.keep(bytes(1))
        self.assertFalse(buffer.keep(one))
        two.keep(bytes(49))
        self.assertTrue(buffer.keep(two))
        two.keep(bytes(1))
        self.assertFalse(buffer.keep(two))
        self.assertFalse(buffer.takes(head("Content-Length: 1")))
        buffer.discard(one)
        self.assertTrue(buffer.takes(head("Content-Length: 1")))
