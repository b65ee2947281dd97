"""
Tests of both ends of a slot joined: L{brxy.edge.slots.node} and L{brxy.node.slot}.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.eventlog import LogListener
from brxy.edge.events import Events
from brxy.edge.slots.node import NodeSlot, SlotFactory
from brxy.interfaces import Address
from brxy.node.slot import EdgeSlot, EdgeSlotFactory
from brxy.test.support.memory.examples import bounded
from brxy.test.support.memory.fakes import FakeHost, FakeOwner, FakeRelay
from brxy.test.support.memory.network import FakeApp, FakeReactor, PipeEnd, connect, settle
from brxy.test.support.memory.slotframes import warnings
from brxy.wire.frames import KIND_TCP


class _World:
    """
    Both sides of one slot, an app, and clients, moved step by step.

    The bytes of exchange C{n} are all C{n}.  The app answers requests only, and ends
    each answer with a full stop.
    """

    STOP = b"\0"

    def __init__(self) -> None:
        self.reactor = FakeReactor()
        self.host = FakeHost()
        self.owner = FakeOwner()
        owner = self.owner
        self.edge = SlotFactory(self.reactor.shared, self.host, Events((LogListener(),)))
        self.node = EdgeSlotFactory(self.reactor.shared, owner, owner, Address("127.0.0.1", 20000))
        self.edge_slot: NodeSlot = self.edge.buildProtocol(None)
        self.node_slot: EdgeSlot = self.node.buildProtocol(None)
        self.edge_end, self.node_end = connect(
            self.reactor, self.edge_slot, self.node_slot, limit=40
        )
        self.relays: list[FakeRelay] = []
        self.sent: list[int] = []
        self.outcomes: list[str] = []
        self.client_ended = False
        self._through: set[tuple[FakeApp, int]] = set()
        self.settle()

    @property
    def running(self) -> FakeRelay | None:
        """
        The exchange that its client has not seen the end of.
        """
        if self.outcomes and self.outcomes[-1] == "" and not self.relays[-1].over:
            return self.relays[-1]
        return None

    def _ends(self) -> list[PipeEnd]:
        return [self.edge_end, self.node_end, *self.reactor.ends]

    def settle(self) -> None:
        """
        Deliver everything, and let a sweep pass.
        """
        for _ in range(8):
            settle(self.reactor, self._ends)
            self.reactor.advance(0.02)

    # Steps

    def possible(self) -> list[Callable[[int], object]]:
        """
        What can happen next; what is there twice happens more often.
        """
        steps: list[Callable[[int], object]] = [self.sweep]
        for end in self._ends()[:2] + self._ends()[2:][-4:]:
            if end.reading and not end.lost and (end.pending() or end.other.ending):
                steps += [end.deliver] * 3
        if self.host.free_slots:
            steps += [self.open] * 4
        if self.running is not None:
            steps += [self.send, self.send, self.endSending, self.clientAborts, self.clientFull]
        if self.reactor.dialling():
            steps += [self.accept] * 4 + [self.refuse]
        app = self.app()
        if app is not None:
            steps += [self.appEnds, self.appAborts]
            if self._asked(app):
                steps += [self.answer, self.answerWhole, self.answerWhole]
        steps += [self.unready] if self.node_slot.pulling else [self.ready] * 3
        return steps

    def sweep(self, size: int) -> None:
        self.reactor.advance(0.02 if size % 2 else 0)

    def open(self, size: int) -> None:
        self.host.take(self.edge_slot)
        number = len(self.relays) + 1
        relay = FakeRelay(self.edge_slot)
        keep, once = bool(size & 1), bool(size & 2)
        relay.onData = lambda: self._received(number, relay, keep)
        self.relays.append(relay)
        self.sent.append(size)
        self.outcomes.append("")
        self.client_ended = False
        self.edge_slot.open(relay, KIND_TCP, once, "", bytes([number]) * size)

    def _received(self, number: int, relay: FakeRelay, keep: bool) -> None:
        if relay.near.written.endswith(self.STOP):
            assert not self.outcomes[number - 1], "whole after its end"
            self.outcomes[number - 1] = "whole"
            self.edge_slot.done(keep)

    def send(self, size: int) -> None:
        relay = self.relays[-1]
        if not relay.near.paused and not self.client_ended:
            self.sent[-1] += size
            relay.data(relay.near, bytes([len(self.relays)]) * size)

    def endSending(self, size: int) -> None:
        if not self.client_ended:
            self.client_ended = True
            relay = self.relays[-1]
            relay.ended(relay.near)

    def clientAborts(self, size: int) -> None:
        # Else hardly an exchange would live to see its answer.
        if size % 4 == 0:
            self.outcomes[-1] = "given up"
            self.edge_slot.reset()

    def clientFull(self, size: int) -> None:
        relay = self.relays[-1]
        (relay.full if size % 2 else relay.drained)(relay.near)

    def accept(self, size: int) -> None:
        self.reactor.accept(limit=40)

    def refuse(self, size: int) -> None:
        self.reactor.refuse()

    def app(self) -> FakeApp | None:
        """
        The app's connection, if the app has not ended or lost it.
        """
        for app in self.reactor.apps[-1:]:
            if not (app.reason or app.end.ending or app.end.aborted):
                return app
        return None

    def _asked(self, app: FakeApp) -> bool:
        return bool(app.received) and (app, app.received[-1]) not in self._through

    def answer(self, size: int) -> None:
        app = self.reactor.apps[-1]
        app.end.write(bytes([app.received[-1]]) * size)

    def answerWhole(self, size: int) -> None:
        self.answer(size)
        app = self.reactor.apps[-1]
        app.end.write(self.STOP)
        self._through.add((app, app.received[-1]))

    def appEnds(self, size: int) -> None:
        self.reactor.apps[-1].end.loseWriteConnection()

    def appAborts(self, size: int) -> None:
        self.reactor.apps[-1].end.abortConnection()

    def unready(self, size: int) -> None:
        self.node_slot.unready()

    def ready(self, size: int) -> None:
        self.node_slot.ready()


class JoinedTests(SynchronousTestCase):
    """
    Both sides of a slot, with every byte between them delivered when and in
    what pieces chance wants it.
    """

    @bounded(150)
    @given(
        st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 60)), min_size=100, max_size=120)
    )
    def test_model(self, steps: list[tuple[int, int]]) -> None:
        """
        Whatever happens in whatever order: no byte of one exchange gets into
        another, each exchange ends exactly once, neither side ever thinks that
        the other broke the protocol, and in the end both agree that the slot
        is idle.
        """
        world = _World()
        with capturedLogs() as events:
            for choice, size in steps:
                possible = world.possible()
                possible[choice % len(possible)](size)
                self.check(world)
            self.finish(world)
        self.assertEqual(warnings(events), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def check(self, world: _World) -> None:
        """
        What is so at any time.
        """
        self.assertFalse(world.edge_end.aborted or world.edge_end.lost)
        self.assertFalse(world.node_end.aborted or world.node_end.lost)
        for number, relay in enumerate(world.relays, 1):
            self.assertEqual(set(relay.near.written) - {number, 0}, set())
            if world.outcomes[number - 1]:
                self.assertFalse(relay.over, relay.told)
        seen: dict[int, int] = {}
        for app in world.reactor.apps:
            received = list(app.received)
            self.assertEqual(received, sorted(received))
            for number in set(received):
                self.assertNotIn(number, seen, "one exchange on two connections")
                seen[number] = received.count(number)
        for number, count in seen.items():
            self.assertLessEqual(count, world.sent[number - 1])

    def finish(self, world: _World) -> None:
        """
        Give up what runs, and see that the slot carries one exchange more.
        """
        world.settle()
        if world.running is not None:
            world.clientFull(0)
            world.settle()
        if world.running is not None:
            world.clientAborts(0)
            world.settle()
        self.check(world)
        for relay, outcome in zip(world.relays, world.outcomes, strict=True):
            self.assertNotEqual(bool(outcome), relay.over, (outcome, relay.told))
        self.assertEqual(world.host.busy, [])
        self.assertEqual(world.owner.running, 0)
        world.ready(0)
        world.settle()
        self.assertEqual(world.host.free_slots, [world.edge_slot])
        world.open(5)
        world.settle()
        if world.reactor.dialling():
            world.accept(0)
            world.settle()
        world.answerWhole(3)
        world.settle()
        self.assertEqual(world.outcomes[-1], "whole")
        self.check(world)
