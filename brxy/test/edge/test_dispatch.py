"""
Tests of L{brxy.edge.dispatch}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.broker.broker import Broker
from brxy.broker.gates import PAUSED, STOPPED, Gate
from brxy.broker.offer import Offer
from brxy.edge.dispatch import Dispatch
from brxy.edge.events import Event, Events, ExchangeLost
from brxy.edge.exchanges.refusals import (
    HELD_TOO_LONG,
    LEAVING,
    ROUTE_STOPPED,
    TOO_MANY_HELD,
    TOO_MANY_WOKEN,
    Refusal,
)
from brxy.edge.exchanges.requestbuffer import RequestBuffer
from brxy.edge.exchanges.table import Exchange, Input
from brxy.edge.records.records import Records
from brxy.scaler.instance import Change, Instance, State
from brxy.test.support.memory.network import FakeReactor
from brxy.wire.frames import KIND_HTTP, NOT_TAKEN_UP
from brxy.wire.greeting import Hello, Welcome


class _Supply:
    """
    Writes down what it is asked for.

    @ivar refusal: its answer to exchanges that would wait.
    @ivar pulling: whether its instances may have exchanges.
    @ivar refusals: why slots took no more exchanges.
    """

    def __init__(self) -> None:
        self.short = False
        self.refusal: Refusal | None = None
        self.pulling = True
        self.calls: list[tuple[str, Any]] = []
        self.refusals: list[str] = []

    def needed(self, route: str, waker: str | None) -> Refusal | None:
        self.calls.append(("needed", waker))
        return self.refusal

    def pulls(self, instance: Instance) -> bool:
        self.calls.append(("pulls", instance))
        return self.pulling

    def waiterLeft(self, route: str) -> None:
        self.calls.append(("waiterLeft", route))

    def idled(self, instance: Instance) -> None:
        self.calls.append(("idled", instance))

    def resized(self, instance: Instance, capacity: int) -> None:
        instance.resize(capacity)
        self.calls.append(("resized", capacity))

    def full(self, instance: Instance, refused: bool = False) -> None:
        self.calls.append(("full", instance))

    def answered(self, instance: Instance) -> None:
        self.calls.append(("answered", instance))

    def hello(self, slot: Any, hello: Hello) -> Welcome:
        raise NotImplementedError

    def unready(self, instance: Instance, refusal: str = "") -> None:
        self.calls.append(("unready", instance))
        self.refusals.append(refusal)

    def closed(self, slot: Any) -> None:
        self.calls.append(("closed", slot))

    def silent(self, instance: Instance) -> None:
        self.calls.append(("silent", instance))

    def answers(self, instance: Instance) -> None:
        self.calls.append(("answers", instance))

    def roll(self, route: str) -> None:
        self.calls.append(("roll", route))


class _Carrier:
    """
    Writes down what becomes of its exchange.
    """

    def __init__(self, name: str, log: list[tuple[str, object]]) -> None:
        self._name = name
        self._log = log
        self.exchange = Exchange("r", KIND_HTTP, True, 3, "192.0.2.1", self)
        self.far: object = None

    def matched(self, slot: object, event: Input = Input.MATCHED) -> None:
        self.far = slot
        self._log.append((self._name, slot if event == Input.MATCHED else event))

    def held(self) -> None:
        pass

    def recall(self) -> None:
        self._log.append((self._name, "recalled"))

    def reject(self, refusal: Refusal) -> None:
        self._log.append((self._name, refusal))


class _Slot:
    """
    A slot of an instance.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.offer: Offer = instance.offer
        self.pulling = True

    def roundTrip(self) -> float:
        return 0.0


class _DispatchBase(SynchronousTestCase):
    """
    Has a L{Dispatch}, and an instance with two slots.

    @ivar is_ready: an instance of the route is ready.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.supply = _Supply()
        self.log: list[tuple[str, object]] = []
        self.events: list[Event] = []
        self.is_ready = False
        broker: Broker[Exchange, Any] = Broker(2, 60.0)
        self.dispatch = Dispatch(
            self.reactor.shared,
            broker,
            retries=3,
            response_timeout=None,
            events=Events([self.events.append]),
            buffer=RequestBuffer(1000, 10_000),
            records=Records(self.reactor, lambda route: self.is_ready),
        )
        self.dispatch.supply = self.supply
        self.instance = Instance("t", "r", 2, 1, state=State.READY)
        self.slot, self.other = _Slot(self.instance), _Slot(self.instance)

    def wait(self, name: str) -> Exchange:
        """
        Have an exchange come.
        """
        exchange = _Carrier(name, self.log).exchange
        self.dispatch.wait(exchange)
        return exchange


class DispatchTests(_DispatchBase):
    """
    Tests of L{Dispatch}.
    """

    def test_heldThenMatched(self) -> None:
        """
        Exchanges that wait get free slots in order of their arrival.
        """
        self.wait("a")
        self.wait("b")
        self.assertEqual(self.supply.calls, [("needed", "192.0.2.1")] * 2)
        self.dispatch.free(self.slot)
        self.dispatch.free(self.other)
        self.assertEqual(self.log, [("a", self.slot), ("b", self.other)])
        self.assertEqual(self.instance.offer.in_flight, 2)

    def test_queuedSlotWaits(self) -> None:
        """
        A slot whose exchange is over serves no other before the event is over.
        """
        self.wait("a")
        self.dispatch.exchangeOver(self.slot)
        self.assertEqual(self.log, [])
        self.dispatch.drain()
        self.assertEqual(self.log, [("a", self.slot)])

    def test_requeuedComesFirst(self) -> None:
        """
        An exchange that is offered again gets the slot that it lost before those that
        came later, though that exchange was over before.
        """
        self.dispatch.free(self.slot)
        first = self.wait("a")
        self.wait("b")
        self.log.clear()
        self.dispatch.exchangeOver(self.slot)
        self.dispatch.requeue(first)
        self.assertEqual(self.log, [("a", self.slot)])
        self.assertEqual(self.supply.calls[-1], ("needed", None))

    def test_newcomerFindsQueuedSlot(self) -> None:
        """
        Before an exchange waits, the queue is drained: it is not held, nor rejected,
        while a slot is free, and does not overtake one that waits.
        """
        self.dispatch.exchangeOver(self.slot)
        self.wait("a")
        self.assertEqual(self.log, [("a", self.slot)])
        self.wait("b")
        self.wait("c")
        self.dispatch.exchangeOver(self.other)
        self.wait("d")
        self.assertEqual(self.log, [("a", self.slot), ("b", self.other)])
        self.assertEqual(self.dispatch.snapshot().held, {"r": 2})

    def test_queuedSlotIsTakenBack(self) -> None:
        """
        A slot that takes nothing more when the event is over, or is gone, is not matched.
        """
        for report in (self.dispatch.unready, self.dispatch.closed, self.dispatch.leaves):
            self.dispatch.exchangeOver(self.slot)
            report(self.slot)
        self.wait("a")
        self.assertEqual(self.log, [])

    def test_notReady(self) -> None:
        """
        A slot of an instance that may have no exchanges gets none.
        """
        self.instance.change(Change.UNREADY)
        self.supply.pulling = False
        self.dispatch.free(self.slot)
        self.wait("a")
        self.assertEqual(self.log, [])
        self.supply.pulling = True
        self.dispatch.free(self.slot)
        self.assertEqual(self.log, [("a", self.slot)])

    def test_idle(self) -> None:
        """
        While a route lacks room, the supply hears of slots that find no exchange.
        """
        self.dispatch.free(self.slot)
        self.assertEqual(self.supply.calls, [])
        self.supply.short = True
        self.dispatch.free(self.other)
        self.assertEqual(self.supply.calls, [("idled", self.instance)])

    def test_rejected(self) -> None:
        """
        An exchange that may not wait is answered at once: by the broker's limits, or for
        a reason of the supply.
        """
        self.supply.refusal = TOO_MANY_WOKEN
        self.wait("a")
        self.supply.refusal = None
        for name in "bcd":
            self.wait(name)
        self.assertEqual(self.log, [("a", TOO_MANY_WOKEN), ("d", TOO_MANY_HELD)])

    def test_expired(self) -> None:
        """
        An exchange that waited for too long is answered.
        """
        self.wait("a")
        self.reactor.advance(59.0)
        self.assertEqual(self.log, [])
        self.reactor.advance(2.0)
        self.assertEqual(self.log, [("a", HELD_TOO_LONG)])
        self.assertEqual(self.supply.calls[-1], ("waiterLeft", "r"))

    def test_cancelled(self) -> None:
        """
        The supply hears of an exchange that has left.
        """
        self.dispatch.cancel(self.wait("a"))
        self.assertEqual(self.supply.calls[-1], ("waiterLeft", "r"))
        self.dispatch.free(self.slot)
        self.assertEqual(self.log, [])

    def test_silent(self) -> None:
        """
        An instance that did not accept an exchange gets none until it answers.
        """
        self.dispatch.free(self.slot)
        self.dispatch.silent(self.instance)
        self.wait("a")
        self.assertEqual(self.log, [])
        self.dispatch.answers(self.instance)
        self.assertEqual(self.log, [("a", self.slot)])

    def test_silentSlots(self) -> None:
        """
        An instance that did not accept several exchanges is reported once.
        """
        for _ in range(3):
            self.dispatch.silent(self.instance)
        self.assertEqual(self.supply.calls, [("silent", self.instance)])
        self.dispatch.answers(self.instance)
        self.dispatch.silent(self.instance)
        self.assertEqual([name for name, _ in self.supply.calls], ["silent", "answers", "silent"])

    def test_paused(self) -> None:
        """
        While its route is paused, an instance finishes what it has and gets nothing; what
        waits needs no instances.
        """
        self.dispatch.free(self.slot)
        self.dispatch.free(self.other)
        self.wait("a")
        self.dispatch.close("r", Gate(PAUSED), [self.instance])
        self.wait("b")
        self.dispatch.exchangeOver(self.other)
        self.dispatch.drain()
        self.assertEqual(self.log, [("a", self.other)])
        self.assertEqual((self.dispatch.held("r"), self.dispatch.gates.waiting("r")), (1, 0))
        self.assertTrue(self.dispatch.open("r", [self.instance]))
        self.assertEqual(self.log, [("a", self.other), ("b", self.other)])
        self.assertFalse(self.dispatch.open("r", [self.instance]))

    def test_pausedAnew(self) -> None:
        """
        So does an instance that becomes ready while its route is paused.
        """
        self.instance.change(Change.UNREADY)
        self.dispatch.close("r", Gate(PAUSED), [])
        self.wait("a")
        self.dispatch.free(self.slot)
        self.assertEqual(self.log, [])
        self.assertEqual(self.dispatch.gates.waiting("r"), 0)
        self.dispatch.open("r", [self.instance])
        self.assertEqual(self.log, [("a", self.slot)])

    def test_pausedSilent(self) -> None:
        """
        An instance that answers again gets nothing before its route is resumed, and one of
        a route that is resumed nothing before it answers.
        """
        self.dispatch.free(self.slot)
        self.dispatch.silent(self.instance)
        self.dispatch.close("r", Gate(PAUSED), [self.instance])
        self.wait("a")
        self.dispatch.answers(self.instance)
        self.assertEqual(self.log, [])
        self.dispatch.silent(self.instance)
        self.dispatch.open("r", [self.instance])
        self.assertEqual(self.log, [])
        self.dispatch.answers(self.instance)
        self.assertEqual(self.log, [("a", self.slot)])

    def test_stopped(self) -> None:
        """
        The clients of a route that is stopped are refused, those that wait, that come, and
        whose exchange would be offered again; with a message, if there is one.
        """
        self.dispatch.free(self.slot)
        first = self.wait("a")
        self.wait("b")
        gate = Gate(STOPPED, "back at noon")
        self.dispatch.close("r", gate, [self.instance])
        self.wait("c")
        self.dispatch.exchangeOver(self.slot)
        self.dispatch.requeue(first)
        refusal = Refusal(503, "back at noon")
        expected = [("a", self.slot), *((name, refusal) for name in "bca")]
        self.assertEqual(self.log, expected)
        self.dispatch.close("r", Gate(STOPPED), [self.instance])
        self.wait("d")
        self.assertEqual(self.log[-1], ("d", ROUTE_STOPPED))
        self.dispatch.open("r", [self.instance])
        self.wait("e")
        self.assertEqual(self.log[-1], ("e", self.slot))

    def test_stopping(self) -> None:
        """
        When the edge stops, all that wait are answered, and no timer is left.
        """
        self.wait("a")
        self.dispatch.leave()
        self.assertTrue(self.dispatch.leaving)
        self.dispatch.rejectAll()
        self.assertEqual(self.log, [("a", LEAVING)])
        self.dispatch.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_collecting(self) -> None:
        """
        Exchanges whose bodies are collected are in the snapshot, and are rejected when the edge
        stops, as those that wait.
        """
        exchange = _Carrier("a", self.log).exchange
        exchange.keep(bytes(7))
        self.dispatch.buffer.begin(exchange)
        found = self.dispatch.snapshot()
        self.assertEqual((found.collecting, found.collected, found.held), (1, 7, {}))
        self.wait("b")
        self.dispatch.rejectAll()
        self.assertEqual(self.log, [("a", LEAVING), ("b", LEAVING)])

    def test_snapshot(self) -> None:
        """
        What it does and has done can be read.
        """
        self.dispatch.free(self.slot)
        first = self.wait("a")
        for name in "bcd":
            self.wait(name)
        self.slot.pulling = False
        self.dispatch.exchangeOver(self.slot)
        self.dispatch.requeue(first)
        self.reactor.advance(61.0)
        self.dispatch.lost(self.wait("e"), "gone")
        found = self.dispatch.snapshot()
        self.assertEqual(found.held, {"r": 1})
        self.assertEqual((found.total_matched, found.total_held), (1, 3))
        self.assertEqual((found.total_queued, found.total_cold), (0, 0))
        self.assertEqual((found.total_requeued, found.total_expired), (1, 3))
        self.assertEqual(found.total_lost, 1)
        self.assertEqual(self.events, [ExchangeLost("r", "gone")])
        self.assertEqual(found.total_rejected, {TOO_MANY_HELD.text: 1, HELD_TOO_LONG.text: 3})

    def test_heldUnread(self) -> None:
        """
        As long as nothing reads how many were held of each route, only those that are held now
        are known.
        """
        self.wait("a")
        self.wait("b")
        self.dispatch.free(self.slot)
        self.assertEqual(self.dispatch.holds.takeMost(), (2, {"r": 1}))

    def test_holds(self) -> None:
        """
        Those that are served after a hold are counted, by whether an instance was ready when
        it began; the first of those that wait is the oldest.
        """
        holds: list[float] = []
        self.dispatch.holds.observer = holds.append
        self.assertEqual(self.dispatch.holds.takeMost(), (0, {}))
        for self.is_ready, name in ((False, "a"), (True, "b")):
            self.wait(name)
            self.reactor.advance(1.0)
        self.assertEqual(self.dispatch.snapshot().oldest_hold, 2.0)
        self.dispatch.free(self.slot)
        self.assertEqual(self.dispatch.snapshot().oldest_hold, 1.0)
        self.assertEqual(self.dispatch.holds.takeMost(), (2, {"r": 2}))
        self.assertEqual(self.dispatch.holds.takeMost(), (1, {"r": 1}))
        self.dispatch.free(self.other)
        found = self.dispatch.snapshot()
        self.assertEqual((found.total_matched, found.total_queued, found.total_cold), (2, 1, 1))
        self.assertEqual((holds, found.oldest_hold), ([2.0, 1.0], 0.0))
        self.wait("c")
        self.dispatch.rejectAll()
        self.assertEqual(self.dispatch.snapshot().oldest_hold, 0.0)


class ProbingTests(_DispatchBase):
    """
    Tests of L{Dispatch} with exchanges that an instance may not take.
    """

    def setUp(self) -> None:
        super().setUp()
        self.instance = self.learning("t")
        self.slot, self.other = _Slot(self.instance), _Slot(self.instance)
        self.dispatch.free(self.other)
        self.dispatch.free(self.slot)

    def learning(self, ticket: str) -> Instance:
        """
        Have an instance that is sure to take one exchange.
        """
        return Instance(ticket, "r", 1, 1, state=State.READY, learns=True)

    def probe(self) -> Exchange:
        """
        Have an exchange that is probed, beside one that is not.
        """
        self.wait("a")
        exchange = self.wait("b")
        self.assertEqual(self.log, [("a", self.slot), ("b", Input.PROBED)])
        self.log.clear()
        self.supply.calls.clear()
        return exchange

    def refuse(self, slot: _Slot, reason: str) -> None:
        """
        Have the exchange on a slot refused, which is not offered again yet.
        """
        self.dispatch.exchangeOver(slot)
        slot.pulling = False
        self.dispatch.unready(slot, reason)

    def fullOnes(self) -> list[Instance]:
        """
        @return: the instances that were found full.
        """
        return [instance for name, instance in self.supply.calls if name == "full"]

    def test_taken(self) -> None:
        """
        What is taken up in time says nothing of its instance but that it has taken it.
        """
        self.dispatch.taken(self.probe())
        self.reactor.advance(1.0)
        self.assertEqual(self.supply.calls, [])
        found = self.dispatch.snapshot()
        self.assertEqual((found.held, found.total_matched, found.total_probes), ({}, 2, 1))
        self.assertEqual(self.instance.offer.matched, 2)

    def test_stands(self) -> None:
        """
        The instance of what is not taken up for a moment is full.
        """
        self.probe()
        self.reactor.advance(0.019)
        self.assertEqual(self.fullOnes(), [])
        self.reactor.advance(0.007)
        self.assertEqual(self.fullOnes(), [self.instance])
        self.assertEqual(self.dispatch.snapshot().held, {"r": 1})

    def test_refused(self) -> None:
        """
        An instance that refuses what may be too much is full, whatever it says; that is no
        failure of its app.
        """
        for reason in (NOT_TAKEN_UP, "connection refused", ""):
            self.setUp()
            exchange = self.probe()
            self.refuse(self.other, reason)
            self.assertEqual(self.fullOnes(), [self.instance])
            self.assertEqual(self.supply.refusals, [NOT_TAKEN_UP])
            self.dispatch.requeue(exchange)
            self.reactor.advance(1.0)
            self.assertEqual(len(self.fullOnes()), 1)
            self.assertEqual(self.dispatch.snapshot().held, {"r": 1})

    def test_knewBetter(self) -> None:
        """
        The same holds for what it was taken to be sure of, if the reason says so.
        """
        first = self.wait("a")
        self.refuse(self.slot, NOT_TAKEN_UP)
        self.assertEqual(
            (self.fullOnes(), self.supply.refusals), ([self.instance], [NOT_TAKEN_UP])
        )
        self.dispatch.requeue(first)
        self.refuse(self.other, "connection refused")
        self.assertEqual(len(self.fullOnes()), 1)
        self.assertEqual(self.supply.refusals[1:], ["connection refused"])

    def test_recalled(self) -> None:
        """
        A slot of another instance is for what is probed; what comes back then says nothing of
        the instance that it was at.
        """
        exchange = self.probe()
        slot = _Slot(self.learning("u"))
        self.dispatch.free(slot)
        self.assertEqual(self.log, [("b", "recalled")])
        self.refuse(self.other, "connection refused")
        self.dispatch.requeue(exchange)
        self.assertEqual((self.log[1:], self.supply.refusals), ([("b", slot)], [NOT_TAKEN_UP]))
        self.reactor.advance(1.0)
        self.assertEqual(self.fullOnes(), [])

    def test_recalledLater(self) -> None:
        """
        What has stood for a moment is recalled for a slot that may be too much, too.
        """
        other = self.learning("u")
        slots = _Slot(other), _Slot(other)
        self.probe()
        self.reactor.advance(1.0)
        other.offer.in_flight = 1
        self.dispatch.free(slots[0])
        self.assertEqual(self.log, [("b", "recalled")])

    def test_leaves(self) -> None:
        """
        What is probed can leave, be lost, or have waited for too long.
        """
        exchange = self.probe()
        self.dispatch.cancel(exchange)
        self.assertEqual(self.supply.calls, [("waiterLeft", "r")])
        self.dispatch.exchangeOver(self.other)
        self.dispatch.drain()
        lost = self.wait("c")
        self.dispatch.exchangeOver(self.other)
        self.dispatch.requeue(lost)
        self.assertEqual(self.log, [("c", Input.PROBED), ("c", Input.PROBED)])
        self.supply.calls.clear()
        self.reactor.advance(61.0)
        self.assertEqual(self.log[2:], [("c", HELD_TOO_LONG)])
        self.assertEqual(self.dispatch.snapshot().held, {})

    def test_stopping(self) -> None:
        """
        When the edge stops, what is probed is answered, and no timer is left.
        """
        self.probe()
        self.dispatch.rejectAll()
        self.assertEqual(self.log, [("b", LEAVING)])
        self.dispatch.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_resized(self) -> None:
        """
        With a larger capacity an instance is sure to take more.
        """
        self.dispatch.resized(self.slot, 2)
        self.assertEqual(self.supply.calls, [("resized", 2)])
        self.wait("a")
        self.wait("b")
        self.assertEqual(self.log, [("a", self.slot), ("b", self.other)])
