"""
Tests of L{brxy.edge.upgrade.channel}.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.upgrade.channel import Channel, Closed, Message


class _Reactor(Clock):
    """
    A clock that remembers the readers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)


class ChannelTests(SynchronousTestCase):
    """
    Tests of L{Channel}.
    """

    def setUp(self) -> None:
        self.reactor = _Reactor()
        pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.first, self.second = [Channel(self.reactor, each) for each in pair]
        self.addCleanup(self.first.close)
        self.addCleanup(self.second.close)

    def test_message(self) -> None:
        """
        A message arrives with its values, its descriptors, and a body of any size.
        """
        reading, writing = os.pipe()
        self.first.send("state", [writing], b"x" * 2_000_000, folder=None, names=["a"])
        os.close(writing)
        message = self.second.receive(1.0)
        self.assertEqual(
            (message.kind, message.fields), ("state", {"folder": None, "names": ["a"]})
        )
        self.assertEqual(message.body, b"x" * 2_000_000)
        [file] = message.files
        os.write(file, b"hello")
        os.close(file)
        self.assertEqual(os.read(reading, 10), b"hello")
        os.close(reading)

    def test_silence(self) -> None:
        """
        Nothing comes, or the other end is gone.
        """
        self.assertRaises(Closed, self.second.receive, 0.0)
        self.first.close()
        self.assertRaises(Closed, self.second.receive, 1.0)

    def test_full(self) -> None:
        """
        What the kernel has no room for is sent later, in order.
        """
        for number in range(2000):
            self.first.send("client", number=number)
        self.assertFalse(self.first.idle)
        numbers: list[int] = []
        while len(numbers) < 2000:
            numbers.append(self.second.receive(1.0).fields["number"])
            self.reactor.advance(0.01)
        self.assertEqual(numbers, list(range(2000)))
        self.assertTrue(self.first.idle)

    def test_started(self) -> None:
        """
        Once it was started, messages are reported until the end, and not while it is paused.
        """
        heard: list[Message | None] = []
        self.second.start(heard.append, lambda: heard.append(None))
        self.first.send("one")
        # There may be an event of another descriptor.
        for _ in range(2):
            self.second.doRead()
        self.assertEqual([each and each.kind for each in heard], ["one"])
        self.second.pause()
        self.assertEqual(self.reactor.readers, set())
        self.second.start(heard.append, lambda: heard.append(None))
        self.first.close()
        self.second.doRead()
        self.assertEqual([each and each.kind for each in heard], ["one", None])
        self.assertEqual(self.reactor.readers, set())
