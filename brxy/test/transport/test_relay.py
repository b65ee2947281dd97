"""
Tests of L{brxy.transport.relay}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.test.support.memory.fakes import FakeEnd
from brxy.transport.relay import Relay


class _Relay(Relay):
    """
    A relay that counts its ends.
    """

    ends = 0

    def finished(self) -> None:
        self.ends += 1


class RelayTests(SynchronousTestCase):
    """
    Tests of L{Relay}.
    """

    def setUp(self) -> None:
        self.near = FakeEnd()
        self.far = FakeEnd()
        self.relay = _Relay(self.near, self.far)

    def test_data(self) -> None:
        """
        Bytes that one end receives are written to the other at once.
        """
        self.relay.data(self.near, b"ping")
        self.assertEqual((self.near.written, self.far.written), (b"", b"ping"))
        self.relay.data(self.far, b"pong")
        self.assertEqual((self.near.written, self.far.written), (b"pong", b"ping"))

    def test_halfCloses(self) -> None:
        """
        A half-close is passed on and leaves the other direction open. Both
        together end the relay, whichever came first.
        """
        for first, second in [(self.near, self.far), (self.far, self.near)]:
            relay = _Relay(self.near, self.far)
            self.near.ended = self.far.ended = False
            relay.ended(first)
            self.assertEqual((first.ended, second.ended, relay.ends), (False, True, 0))
            relay.data(second, b"x")
            relay.ended(second)
            self.assertEqual((first.ended, relay.ends), (True, 1))

    def test_endedTwice(self) -> None:
        """
        An end that is reported twice does not count as the end of both.
        """
        self.relay.ended(self.near)
        self.relay.ended(self.near)
        self.assertEqual(self.relay.ends, 0)

    def test_aborted(self) -> None:
        """
        A connection that breaks on one side is reset on the other.
        """
        self.relay.aborted(self.far, "why")
        self.assertEqual((self.near.was_reset, self.far.was_reset), (True, False))
        self.relay.aborted(self.near, "why")
        self.assertTrue(self.far.was_reset)

    def test_backpressure(self) -> None:
        """
        While one end is full the other does not read.
        """
        self.relay.full(self.near)
        self.assertEqual((self.near.paused, self.far.paused), (False, True))
        self.relay.full(self.far)
        self.assertEqual((self.near.paused, self.far.paused), (True, True))
        self.relay.drained(self.near)
        self.assertEqual((self.near.paused, self.far.paused), (True, False))

    def test_noFarEnd(self) -> None:
        """
        While there is no far end, the events of the near end have no effect.
        """
        relay = _Relay(self.near, None)
        relay.data(self.near, b"x")
        relay.ended(self.near)
        relay.aborted(self.near, "why")
        relay.full(self.near)
        relay.drained(self.near)
        self.assertEqual((relay.ends, self.near.written), (0, b""))
        self.assertFalse(self.near.ended or self.near.paused or self.near.was_reset)
