"""
Tests of L{brxy.edge.slots.direct}.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.slots.direct import DirectSlot
from brxy.edge.slots.front import LAST_WORDS, REFUSED_PAUSE, Front
from brxy.interfaces import Address
from brxy.test.support.memory.ends import verifyEnd
from brxy.test.support.memory.fakes import FakeHost, FakeRelay
from brxy.test.support.memory.network import FakeDiag, FakeReactor, settle
from brxy.uptake.uptake import Uptake
from brxy.wire.frames import KIND_HTTP, NOT_TAKEN_UP


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


class LearningTests(SynchronousTestCase):
    """
    Tests of a L{Front} that learns the capacity of its app.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.host = FakeHost()
        self.diag = FakeDiag(self.reactor)
        self.front = Front(
            self.reactor.shared,
            self.host,
            self.host.instance,
            Address("127.0.0.1", 20000),
            300.0,
            10.0,
            lambda: None,
            None,
            self.learn,
        )
        self.front.start()

    def learn(self, changed: Callable[[], None]) -> Uptake:
        """
        Make what learns.
        """
        self.changed = changed
        self.uptake = Uptake(
            self.reactor, 4, self.diag, changed=changed, unknown=lambda reason: None
        )
        return self.uptake

    def tearDown(self) -> None:
        self.front.close()
        self.reactor.advance(LAST_WORDS)
        settle(self.reactor, lambda: self.reactor.ends)
        self.assertEqual((self.host.busy, self.host.free_slots), ([], []))
        self.assertTrue(self.diag.closed)
        self.reactor.shared.stop()
        self.assertEqual(self.reactor.timers(), 0)

    def begin(self) -> FakeRelay:
        """
        Begin an exchange on a slot that is free.
        """
        slot = self.host.free_slots[0]
        relay = FakeRelay(slot)
        self.host.take(slot)
        slot.open(relay, KIND_HTTP, False, "", b"request")
        return relay

    def look(self) -> None:
        """
        Let there be a look at the app.
        """
        self.reactor.pump([0.001] * 60)

    def work(self, number: int = 1) -> list[FakeRelay]:
        """
        Have the app at work on this many exchanges more.
        """
        relays = []
        for _ in range(number):
            relays.append(self.begin())
            app = self.reactor.accept()
            self.diag.accepted.add(app)
            app.end.deliver()
            self.reactor.advance(0.001)
            app.end.deliver()
            self.look()
            self.assertEqual((relays[-1].told, app.received), (["accepted"], b"request"))
        return relays

    def test_grows(self) -> None:
        """
        One slot more than the capacity pulls, once the app has taken up something.
        """
        self.assertEqual(len(self.host.free_slots), 1)
        self.work()
        self.assertEqual(len(self.host.free_slots), 1)
        self.work()
        self.assertIn("resized 2", self.host.events)
        self.assertEqual(len(self.host.free_slots), 1)
        self.work(2)
        self.assertEqual((self.uptake.estimate.capacity, self.host.free_slots), (4, []))

    def test_shrinks(self) -> None:
        """
        With a lower capacity fewer slots pull; those that carry exchanges become free when they
        pull again and theirs is over, and not before.
        """
        relays = self.work(4)
        self.uptake.estimate.unread(1)
        self.changed()
        self.assertEqual(sum(relay.far.pulling for relay in relays), 2)
        self.uptake.estimate.prove(4)
        self.changed()
        self.assertEqual(self.host.free_slots, [])
        for number, relay in enumerate(relays, 1):
            relay.far.done(False)
            self.assertEqual(len(self.host.free_slots), number)

    def test_refused(self) -> None:
        """
        A slot whose probe is refused pulls again after a pause.
        """
        self.work()
        relay = self.begin()
        app = self.reactor.accept()
        relay.far.recall()
        self.assertEqual((relay.told, relay.reason), (["refused"], NOT_TAKEN_UP))
        self.assertEqual(self.host.free_slots, [])
        self.diag.accepted.add(app)
        self.look()
        self.assertEqual(len(self.host.free_slots), 1)

    def test_rests(self) -> None:
        """
        After a slot has rested, as many pull as before.
        """
        relays = self.work(2)
        relays.append(self.begin())
        self.reactor.refuse()
        self.reactor.advance(REFUSED_PAUSE)
        self.look()
        self.assertEqual(len(self.host.free_slots), 1)
        self.assertEqual(sum(relay.far.pulling for relay in relays[:2]), 2)

    def test_gone(self) -> None:
        """
        When the app is gone, what it has not taken up goes elsewhere.
        """
        [first] = self.work()
        relay = self.begin()
        self.reactor.accept()
        self.look()
        self.front.close()
        self.reactor.advance(LAST_WORDS)
        self.assertEqual(first.told, ["accepted", "aborted"])
        self.assertEqual((relay.told, relay.reason), (["refused"], NOT_TAKEN_UP))
