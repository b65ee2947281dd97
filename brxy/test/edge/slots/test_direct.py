"""
Tests of L{brxy.edge.slots.direct}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.slots.direct import DirectSlot
from brxy.edge.slots.front import LAST_WORDS, REFUSED_PAUSE, Front
from brxy.interfaces import Address
from brxy.test.support.memory.ends import verifyEnd
from brxy.test.support.memory.fakes import FakeHost, FakeRelay
from brxy.test.support.memory.network import FakeReactor, settle
from brxy.wire.frames import KIND_HTTP


class FrontTests(SynchronousTestCase):
    """
    Tests of L{Front} and its L{DirectSlot}s.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.host = FakeHost(capacity=2)
        self.exits = 0
        self.front = Front(
            self.reactor.shared,
            self.host,
            self.host.instance,
            Address("127.0.0.1", 20000),
            300.0,
            10.0,
            self.exit,
        )
        self.front.start()

    def exit(self) -> None:
        """
        The instance shall be stopped.
        """
        self.exits += 1

    def settle(self) -> None:
        """
        Deliver everything.
        """
        settle(self.reactor, lambda: self.reactor.ends)

    def begin(self) -> tuple[DirectSlot, FakeRelay]:
        """
        Begin an exchange on a slot that is free.
        """
        slot = self.host.free_slots[0]
        relay = FakeRelay()
        relay.far = slot
        self.host.take(slot)
        slot.open(relay, KIND_HTTP, False, "", b"request")
        return slot, relay

    def test_slots(self) -> None:
        """
        As many slots are free as the instance has capacity; each is an end of
        exchanges.
        """
        self.assertEqual(len(self.host.free_slots), 2)
        for slot in self.host.free_slots:
            verifyEnd(slot)

    def test_exchange(self) -> None:
        """
        An exchange goes to the app, and its slot is free again after it.
        """
        slot, relay = self.begin()
        app = self.reactor.accept()
        self.settle()
        self.assertEqual(app.received, b"request")
        assert app.transport is not None
        app.transport.write(b"answer")
        self.settle()
        self.assertEqual(relay.near.written, b"answer")
        slot.done(True)
        self.assertEqual(len(self.host.free_slots), 2)

    def test_refused(self) -> None:
        """
        A slot whose app takes no connection rests for a moment.
        """
        _, relay = self.begin()
        self.reactor.refuse()
        self.settle()
        self.assertEqual(relay.told, ["refused"])
        self.assertEqual(len(self.host.free_slots), 1)
        self.reactor.advance(REFUSED_PAUSE)
        self.assertEqual(len(self.host.free_slots), 2)

    def test_idle(self) -> None:
        """
        An instance that is idle for long enough takes nothing more, and is
        stopped.
        """
        self.reactor.advance(300)
        self.assertEqual(self.host.free_slots, [])
        self.assertEqual(self.exits, 1)

    def test_retired(self) -> None:
        """
        One that is retired finishes what runs before it is stopped.
        """
        slot, _ = self.begin()
        self.reactor.accept()
        self.front.retire()
        self.assertEqual((self.host.free_slots, self.exits), ([], 0))
        slot.done(True)
        self.assertEqual((self.host.free_slots, self.exits), ([], 1))

    def test_lastWords(self) -> None:
        """
        When the app's end is seen before what it sent last, that is read still.
        """
        slot, relay = self.begin()
        app = self.reactor.accept()
        self.settle()
        assert app.transport is not None
        app.transport.write(b"whole")
        app.transport.loseConnection()
        self.front.close()
        self.assertEqual(self.host.free_slots, [])
        self.settle()
        self.assertEqual((relay.near.written, relay.near.ended), (b"whole", True))
        slot.done(False)
        self.assertEqual(self.host.busy, [])

    def test_noLastWords(self) -> None:
        """
        A connection that stays open all the same (another process holds it) is cut
        after a moment, which breaks its exchange off.
        """
        _, relay = self.begin()
        self.reactor.accept()
        self.settle()
        self.front.close()
        self.reactor.advance(LAST_WORDS)
        self.settle()
        self.assertEqual(relay.told, ["accepted", "aborted"])
        self.assertEqual(self.host.busy, [])
