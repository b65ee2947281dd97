"""
Tests of L{brxy.edge.fleet.scaling}, with a real scaler.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from brxy.broker.offer import Offer
from brxy.edge import events
from brxy.edge.config.limits import Limits
from brxy.edge.config.settings import Spawning
from brxy.edge.events import Event, Events
from brxy.edge.exchanges.refusals import APP_NOT_STARTED, TOO_MANY_ROUTES, TOO_MANY_WOKEN, Refusal
from brxy.edge.fleet.scaling import Scaling
from brxy.edge.learning import CapacityLearned
from brxy.edge.shortages import Refuses
from brxy.edge.slots.access import Access
from brxy.errors import NodeRefused, SpawnFailed
from brxy.interfaces import Address, Gone, IInstance, ISpawner, SpawnOrder
from brxy.scaler.instance import Instance, State
from brxy.scaler.learned import STEADY
from brxy.scaler.rules import Rule, Rulebook
from brxy.scaler.scaler import Scaler
from brxy.test.support.memory.network import FakeReactor
from brxy.values.capacity import AUTO
from brxy.wire.frames import NEWEST, NOT_TAKEN_UP, RETIRE, VERSION
from brxy.wire.greeting import Hello

RULE = Rule(None, 2, 1, "spawn")


class _Demand:
    """
    Writes down what happens to exchanges that wait, of which there are none.
    """

    def __init__(self) -> None:
        self.supply: Any = None
        self.rejected: list[tuple[str, Refusal]] = []

    def reject(self, route: str, refusal: Refusal) -> None:
        self.rejected.append((route, refusal))

    def withdrawAll(self, instance: Instance) -> None:
        instance.offer.ready.clear()

    def free(self, slot: Any) -> None:
        raise NotImplementedError

    def unready(self, slot: Any, refusal: str = "") -> None:
        raise NotImplementedError

    def exchangeOver(self, slot: Any) -> None:
        raise NotImplementedError

    def resized(self, slot: Any, capacity: int) -> None:
        raise NotImplementedError


@implementer(IInstance)
class _Handle:
    """
    An instance that a test ends.
    """

    def __init__(self) -> None:
        self.ready: Deferred[Address] = Deferred()
        self.gone: Deferred[Gone] = Deferred()
        self.stops = 0

    def stop(self) -> None:
        self.stops += 1


@implementer(ISpawner)
class _Spawner:
    """
    Starts nothing.
    """

    dials_back = True

    def __init__(self) -> None:
        self.orders: list[SpawnOrder] = []
        self.handles: list[_Handle] = []
        self.error: Exception | None = None

    def spawn(self, order: SpawnOrder) -> IInstance:
        if self.error is not None:
            raise self.error
        self.orders.append(order)
        handle: Any = _Handle()
        self.handles.append(handle)
        return handle  # type: ignore[no-any-return]

    def stop(self) -> Deferred[None]:
        return Deferred()


class _Slot:
    """
    A node's slot that writes down what is sent on it.
    """

    instance: Instance
    offer: Offer

    def __init__(self) -> None:
        self.pulling = False
        self.sent: list[int] = []
        self.let_go = False

    def named(self) -> Callable[[str], bool] | None:
        return None

    def sendFrame(self, kind: int, payload: bytes = b"") -> None:
        self.sent.append(kind)

    def letGo(self) -> None:
        self.let_go = True


class ScalingTests(SynchronousTestCase):
    """
    Tests of L{Scaling}.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.waiting: Counter[str] = Counter()
        self.events: list[Event] = []
        self.changes = 0
        self.spawner = _Spawner()
        self.demand = _Demand()
        self.access = Access(b"key")
        self.make()

    def make(self, rule: Rule = RULE, **limits: int) -> None:
        """
        Make a new one.
        """
        tickets = count(1)
        scaler = Scaler(
            Rulebook([rule], max_total=100),
            epoch=1e6,
            new_ticket=lambda: f"t{next(tickets)}",
            waiting=lambda route: self.waiting[route],
        )
        spawner: Any = self.spawner
        self.scaling = Scaling(
            self.reactor.shared,
            scaler,
            self.demand,
            edge_id="edge",
            access=self.access,
            limits=Limits(**limits),
            spawnings={"spawn": Spawning(spawner, 300.0, 10.0)},
            endpoint=lambda spawner: "tcp:127.0.0.1:9080",
            changed=self.change,
            events=Events([self.events.append]),
        )

    def change(self) -> None:
        self.changes += 1

    def hold(self, route: str = "r", waker: str | None = "") -> Refusal | None:
        """
        Have an exchange wait.
        """
        self.waiting[route] += 1
        return self.scaling.needed(route, waker)

    def hello(self, ticket: str = "t1", route: str = "r", learns: bool = False) -> _Slot:
        """
        Have the node of an order open a slot.
        """
        slot = _Slot()
        token = self.access.tokenFor(route, ticket)
        self.scaling.hello(
            slot, Hello(VERSION, token, "node", route, 1, ticket=ticket, learns=learns)
        )
        return slot

    def test_fakes(self) -> None:
        """
        The fakes here are what they stand for.
        """
        verifyObject(ISpawner, self.spawner)
        verifyObject(IInstance, _Handle())
        self.assertIs(self.demand.supply, self.scaling)

    def test_life(self) -> None:
        """
        An exchange that waits has an instance ordered; each step of its life is an event.
        """
        self.assertIsNone(self.hold())
        self.assertEqual([each.edge for each in self.spawner.orders], ["edge-spawn"])
        slot = self.hello()
        self.reactor.advance(0.25)
        self.assertTrue(self.scaling.pulls(slot.instance))
        self.waiting.clear()
        self.scaling.unready(slot.instance)
        self.spawner.handles[0].gone.callback(Gone("exit status 0"))
        self.assertEqual(
            self.events,
            [
                events.Holding("r"),
                events.Ordered("r", "t1"),
                events.DialledIn("r", "t1", "node"),
                events.Ready("r", "t1", 0.25),
                events.Drains("r", "t1"),
                events.Gone("r", "t1", "exit status 0"),
            ],
        )
        self.assertEqual(slot.instance.state, State.GONE)
        self.assertTrue(slot.let_go)
        self.assertEqual(self.changes, 3)

    def test_learned(self) -> None:
        """
        What a node has learned counts for the orders.  It is an event when its instance is
        full for a while.
        """
        self.make(Rule(None, 10, AUTO, "spawn"))
        for _ in range(7):
            self.hold()
        slot = self.hello(learns=True)
        self.assertTrue(self.scaling.pulls(slot.instance))
        slot.instance.offer.in_flight = 2
        self.waiting["r"] = 5
        self.scaling.resized(slot.instance, 2)
        self.assertEqual(len(self.spawner.orders), 1)
        changes = self.changes
        for _ in range(2):
            self.scaling.full(slot.instance)
        self.reactor.advance(0)
        self.assertEqual(len(self.spawner.orders), 4)
        found = [each for each in self.events if type(each) is CapacityLearned]
        self.assertEqual(found, [])
        # Of three orders, and of what is to be remembered.
        self.assertEqual(self.changes, changes + 4)
        self.reactor.advance(STEADY)
        for _ in range(2):
            self.scaling.full(slot.instance)
        found = [each for each in self.events if type(each) is CapacityLearned]
        self.assertEqual(found, [CapacityLearned("r", "t1", 2)])

    def test_noPlace(self) -> None:
        """
        An instance that has all that it takes and refuses one more does not drain, though it
        pulls none for a moment.
        """
        self.make(Rule(None, 10, AUTO, "spawn"))
        self.hold()
        instance = self.hello(learns=True).instance
        self.assertTrue(self.scaling.pulls(instance))
        instance.offer.in_flight = 1
        self.scaling.unready(instance, NOT_TAKEN_UP)
        self.assertEqual(instance.state, State.READY)
        instance.offer.in_flight = 0
        self.scaling.unready(instance, NOT_TAKEN_UP)
        self.assertEqual(instance.state, State.DRAINING)

    def test_refusing(self) -> None:
        """
        An instance that refuses exchanges, and tries again and again, is one event with the
        reason until it has refused none for a minute.
        """
        self.hold()
        slot = self.hello()
        self.assertTrue(self.scaling.pulls(slot.instance))
        del self.events[:]
        reason = "Too many open files"
        for pause, times in ((0.1, 1), (0.1, 1), (59.0, 1), (1.5, 1), (61.0, 1), (0.1, 2)):
            self.scaling.unready(slot.instance, reason)
            self.assertEqual(
                [each for each in self.events if type(each) is Refuses],
                [Refuses("r", "t1", reason)] * times,
            )
            self.reactor.advance(pause)
            self.scaling.pulls(slot.instance)
        self.assertNotIn(events.Drains, [type(each) for each in self.events])

    def test_retired(self) -> None:
        """
        An instance that is retired gets no more exchanges, and RETIRE on its slots.
        """
        self.hold()
        slot = self.hello()
        slot.instance.offer.ready[slot] = None
        self.scaling.withdrawn(slot.instance)
        self.assertEqual(slot.sent, [RETIRE, NEWEST])
        self.assertEqual(slot.instance.offer.ready, {})
        self.assertIn(events.Retires("r", "t1"), self.events)
        self.assertFalse(self.scaling.pulls(slot.instance))

    def test_doomed(self) -> None:
        """
        When nothing can be started, waiters are answered, and say when to try again.
        """
        self.spawner.error = SpawnFailed("no such file")
        self.hold()
        self.assertIn(events.StartFailed("r", "t1", "no such file"), self.events)
        self.assertEqual(self.demand.rejected, [("r", APP_NOT_STARTED.after(1))])

    def test_limits(self) -> None:
        """
        A client may not have too many apps started for routes that are not named.
        """
        self.make(wake_burst=1, wake_rate=6)
        self.assertIsNone(self.hold("a", "192.0.2.1"))
        self.assertEqual(self.hold("b", "192.0.2.1"), TOO_MANY_WOKEN.after(10))
        self.assertIsNone(self.hold("c", "192.0.2.2"))
        self.make(max_routes=1)
        self.assertIsNone(self.hold("d", "192.0.2.1"))
        self.assertEqual(self.hold("e", "192.0.2.1"), TOO_MANY_ROUTES)

    def test_refused(self) -> None:
        """
        A node is refused that has no right to serve, names no route, or comes when the
        edge is stopping.
        """
        wrong = Hello(VERSION, "wrong", "node", "r", 1)
        self.assertRaises(NodeRefused, self.scaling.hello, _Slot(), wrong)
        self.assertRaises(NodeRefused, self.hello, "t", "no route")
        self.scaling.sayGoodbye()
        self.assertRaises(NodeRefused, self.hello)
        self.assertEqual(self.events, [])

    def test_silent(self) -> None:
        """
        An instance that does not accept exchanges, and one that does again, are events.
        """
        self.hold()
        slot = self.hello()
        self.scaling.silent(slot.instance)
        self.scaling.answers(slot.instance)
        self.assertEqual(
            self.events[-2:], [events.Unresponsive("r", "t1"), events.Responsive("r", "t1")]
        )

    def test_rollAll(self) -> None:
        """
        All routes with instances are rolled.
        """
        self.hold("b")
        self.hold("a")
        self.waiting.clear()
        self.events.clear()
        self.scaling.rollAll()
        rolled = [each for each in self.events if isinstance(each, events.RollStarted)]
        self.assertEqual(rolled, [events.RollStarted("a"), events.RollStarted("b")])
        self.assertEqual(self.scaling.snapshot().rolling, {"a", "b"})

    def test_time(self) -> None:
        """
        Orders that are not ready in time are given up; a stopped one has no timer.
        """
        self.hold()
        self.reactor.advance(51.0)
        [given_up] = [each for each in self.events if isinstance(each, events.GivenUp)]
        self.assertEqual((given_up.route, given_up.ticket), ("r", "t1"))
        self.assertRegex(
            given_up.reason,
            r"^not ready within 50 s: no node has dialled in at \S+; the command must run "
            "'twistd -n brxy-node -- COMMAND' in the end, and reach the edge there$",
        )
        self.assertEqual(self.spawner.handles[0].stops, 1)
        self.scaling.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_lateFronted(self) -> None:
        """
        Of an instance that the edge is to front, its spawner says what is lacking.
        """
        self.patch(type(self.spawner), "dials_back", False)
        self.hold()
        self.reactor.advance(51.0)
        self.assertIn(events.GivenUp("r", "t1", "not ready within 50 s", late=True), self.events)
        self.scaling.stop()

    def test_snapshot(self) -> None:
        """
        What there is can be read.
        """
        self.hold()
        found = self.scaling.snapshot()
        [instance] = found.routes["r"].instances
        self.assertEqual((instance.ticket, instance.spawn), ("t1", "spawn"))
        self.assertEqual(found.routes["r"].waiting, 1)
