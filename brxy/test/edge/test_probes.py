"""
A model of exchanges that are probed: the dispatch and its carriers, with slots to addresses,
which answer at once, and with slots of nodes, which answer later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase

from brxy.broker.broker import Broker
from brxy.broker.offer import Offer
from brxy.edge.dispatch import Dispatch
from brxy.edge.events import Event, Events
from brxy.edge.exchanges.http import HTTPCarrier
from brxy.edge.exchanges.refusals import APP_NOT_STARTED, Refusal
from brxy.edge.exchanges.requestbuffer import RequestBuffer
from brxy.edge.exchanges.table import Exchange, Progress
from brxy.edge.matching import PATIENCE
from brxy.edge.records.records import Records
from brxy.edge.slots.node import NodeSlot, SlotFactory
from brxy.http.messages import ResponseHead, requestHead
from brxy.scaler.instance import Instance, State
from brxy.test.support.memory.examples import bounded
from brxy.test.support.memory.fakes import FakeEnd
from brxy.test.support.memory.network import FakeReactor, connect
from brxy.test.support.memory.slotframes import HELLO_FRAME
from brxy.uptake.pull import pull
from brxy.wire.frames import (
    ACCEPT,
    DATA,
    DONE,
    NOT_TAKEN_UP,
    OPEN,
    RECALL,
    REFUSE,
    RESET,
    UNREADY,
    VERSION,
    Decoder,
    dataFrames,
    frame,
    readyFrame,
)
from brxy.wire.greeting import Hello, Welcome

RETRIES = 2
HOLD_TIMEOUT = 10.0
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class _Client(FakeEnd):
    """
    A client with one request.

    @ivar ends: how its exchange ended, once.
    """

    client = "192.0.2.1"
    endpoints = "192.0.2.1:5 192.0.2.2:80"
    encrypted = is_trusted = False
    scheme = b"http"
    forwarded = b""
    chunked = True
    serves_half_closed = False

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[str] = []

    def hasLeft(self) -> bool:
        return False

    def interim(self, head: ResponseHead) -> None:
        raise NotImplementedError

    def answer(self, head: ResponseHead, first: bytes, added: bytes = b"") -> None:
        self.write(first)

    def fail(self, refusal: Refusal, added: bytes = b"") -> None:
        self.ends.append(f"fail {refusal.status}")

    def accepted(self) -> None:
        pass

    def reset(self) -> None:
        self.ends.append("reset")

    def next(self) -> None:
        self.ends.append("next")

    def linger(self) -> None:
        self.ends.append("linger")

    def close(self) -> None:
        self.ends.append("close")


class _App:
    """
    The app of one instance.

    @ivar takes: how many exchanges it works on at once.
    @ivar running: the slots of those that it works on.
    @ivar capacity: how many exchanges it is known to take at once.
    @ivar slots: all of its slots.
    """

    def __init__(self, world: _World, number: int) -> None:
        self.world = world
        self.instance = Instance(
            f"t{number}", "r", 1 + number % 2, number, state=State.READY, learns=True
        )
        self.takes = 1
        self.running: set[object] = set()
        self.capacity = self.instance.capacity
        self.slots: list[Any] = []

    def resize(self, capacity: int) -> None:
        """
        Its capacity is found to be another.
        """
        self.capacity = capacity
        self.slots[0].resized()
        pull(self.slots, capacity + 1)

    def readyAgain(self) -> None:
        """
        It may be probed again.
        """
        pull(self.slots, self.capacity + 1)

    def takeUp(self, slot: object, request: bytes) -> bool:
        """
        Take an exchange up, if there is room.
        """
        if len(self.running) >= self.takes:
            return False
        self.running.add(slot)
        self.world.ran[request] += 1
        return True


class _DirectSlot(FakeEnd):
    """
    A slot to an address: what it reports it reports at once.

    @ivar state: C{idle}, C{offered} or C{running}.
    """

    wants_client = False

    def __init__(self, world: _World, app: _App) -> None:
        super().__init__()
        self._world = world
        self._app = app
        self._relay: Any = None
        self._request = b""
        self.instance = app.instance
        self.offer = app.instance.offer
        self.state = "idle"
        self.pulling = False

    def isBetweenExchanges(self) -> bool:
        return self.state == "idle"

    def open(self, relay: Any, kind: int, once: bool, client: str, first: bytes) -> None:
        self._world.opened(self, first)
        self._relay, self._request, self.state = relay, first, "offered"
        if self._world.prompt:
            self.takeUp()

    def roundTrip(self) -> float:
        return 0.0

    def recall(self) -> None:
        if self.state == "offered":
            self.refuse()

    def done(self, keep: bool) -> None:
        assert self.state == "running"
        self._over()

    def reset(self) -> None:
        assert self.state != "idle"
        self._over()

    def _over(self) -> Any:
        relay, self._relay = self._relay, None
        self.state = "idle"
        self._app.running.discard(self)
        self._world.dispatch.exchangeOver(self)
        return relay

    # What the app does

    def takeUp(self) -> None:
        if self.state == "offered" and self._app.takeUp(self, self._request):
            self.state = "running"
            self._relay.accepted()

    def refuse(self) -> None:
        if self.state == "offered":
            relay = self._over()
            self.pulling = False
            self._world.dispatch.unready(self, NOT_TAKEN_UP)
            relay.refused(NOT_TAKEN_UP)

    def answer(self) -> None:
        if self.state == "running":
            self._relay.data(self, _ANSWER)

    def breakOff(self) -> None:
        if self.state != "idle":
            relay = self._over()
            relay.aborted(self, "gone")
            self._world.dispatch.drain()

    def resized(self) -> None:
        self._world.dispatch.resized(self, self._app.capacity)

    def ready(self) -> None:
        self.pulling = True
        if self.state == "idle":
            self._world.dispatch.free(self)

    def unready(self) -> None:
        self.pulling = False
        self._world.dispatch.unready(self)

    def deliver(self, first: bool) -> bool:
        return False


class _Node(Protocol):
    """
    The node's side of a slot.  What both sides send is on its way until it is delivered.

    @ivar slot: the edge's side.
    """

    def __init__(self, world: _World, app: _App) -> None:
        self._world = world
        self._app = app
        self._decoder = Decoder()
        self._number = 0
        self._state = "idle"
        self._request = b""
        self.pulling = False
        world.greeted = app.instance
        self.slot: NodeSlot = world.factory.buildProtocol(None)
        self._end, self._own_end = connect(world.reactor, self.slot, self)
        self._own_end.write(HELLO_FRAME)
        while self.deliver(True) or self.deliver(False):
            pass

    instance = property(lambda self: self._app.instance)

    def isBetweenExchanges(self) -> bool:
        return self._state == "idle"

    def deliver(self, first: bool) -> bool:
        """
        Deliver what is on its way to one side.
        """
        return (self._end if first else self._own_end).deliver()

    def dataReceived(self, data: bytes) -> None:
        for kind, number, payload in self._decoder.feed(data):
            if kind == OPEN:
                assert self._state == "idle"
                self._number, self._request = number, b""
                self._state = "offered"
            elif kind == DATA and self._state == "offered":
                self._world.opened(self, payload)
                self._request = payload
                if self._world.prompt:
                    self.takeUp()
            elif kind == DONE and payload == RECALL:
                assert number == self._number
                self.refuse()
            elif kind == DONE:
                assert self._state in ("running", "answered", "resetting")
                self._over()
            elif kind == RESET:
                if self._state != "resetting":
                    self._own_end.write(frame(RESET, number))
                self._over()

    def connectionLost(self, reason: object = None) -> None:
        self._over()
        self._state = "closed"

    def _over(self) -> None:
        self._state = "idle"
        self._app.running.discard(self)

    # What the app does

    def takeUp(self) -> None:
        if self._state != "offered" or not self._request:
            return
        if self._app.takeUp(self, self._request):
            self._state = "running"
            self._own_end.write(frame(ACCEPT, self._number))

    def refuse(self) -> None:
        if self._state == "offered":
            self._over()
            self.pulling = False
            self._own_end.write(frame(REFUSE, self._number, NOT_TAKEN_UP.encode()))

    def answer(self) -> None:
        if self._state == "running":
            self._own_end.write(dataFrames(self._number, _ANSWER))
            self._state = "answered"

    def breakOff(self) -> None:
        if self._state in ("offered", "running", "answered"):
            self._over()
            self._state = "resetting"
            self._own_end.write(frame(RESET, self._number))

    def resized(self) -> None:
        pass

    def ready(self) -> None:
        self.pulling = True
        self._own_end.write(readyFrame(self._app.capacity))

    def unready(self) -> None:
        self.pulling = False
        self._own_end.write(frame(UNREADY))


class _World:
    """
    One route, with instances that learn, and all that can happen to them.  It is the supply,
    too.

    @ivar prompt: an app takes an exchange up at once, if it has room.
    @ivar ran: how many times each request was taken up.
    @ivar fails: at the next report the route's exchanges are answered.
    """

    short = False

    def __init__(self, kinds: str) -> None:
        self.reactor = FakeReactor()
        self.events: list[Event] = []
        self.dispatch = Dispatch(
            self.reactor.shared,
            Broker[Exchange, Any](6, HOLD_TIMEOUT),
            retries=RETRIES,
            response_timeout=None,
            events=Events([self.events.append]),
            buffer=RequestBuffer(0, 0),
            records=Records(self.reactor, lambda route: False),
        )
        self.dispatch.supply = self
        self.factory = SlotFactory(self.reactor.shared, self.dispatch, Events())
        self.greeted: Instance | None = None
        self.prompt = self.fails = False
        self.only_direct = "n" not in kinds
        self.ran: Counter[bytes] = Counter()
        self.full_ones: list[Instance] = []
        self.opened_at: dict[int, float] = {}
        self.clients: list[_Client] = []
        self.exchanges: list[Exchange] = []
        self.apps = [_App(self, number) for number in range(1, len(kinds) + 1)]
        makes: dict[str, Callable[..., Any]] = {"d": _DirectSlot, "n": _Node}
        for kind, app in zip(kinds, self.apps, strict=True):
            app.slots = [makes[kind](self, app) for _ in range(4)]
            app.readyAgain()
        self.slots = [slot for app in self.apps for slot in app.slots]

    # As the supply

    def needed(self, route: str, waker: str | None) -> Refusal | None:
        self._fail()
        return None

    def _fail(self) -> None:
        if self.fails:
            self.fails = False
            self.dispatch.reject("r", APP_NOT_STARTED)

    def waiterLeft(self, route: str) -> None:
        pass

    def pulls(self, instance: Instance) -> bool:
        return True

    def idled(self, instance: Instance) -> None:
        pass

    def answered(self, instance: Instance) -> None:
        pass

    def resized(self, instance: Instance, capacity: int) -> None:
        instance.resize(capacity)
        self._fail()

    def full(self, instance: Instance, refused: bool = False) -> None:
        self.full_ones.append(instance)
        self._fail()

    def hello(self, slot: Any, hello: Hello) -> Welcome:
        slot.instance = self.greeted
        slot.offer = slot.instance.offer
        return Welcome(VERSION, "edge", 7, True)

    def unready(self, instance: Instance, refusal: str = "") -> None:
        assert refusal in ("", NOT_TAKEN_UP)
        self._fail()

    def closed(self, slot: Any) -> None:
        pass

    def silent(self, instance: Instance) -> None:
        pass

    def answers(self, instance: Instance) -> None:
        pass

    def roll(self, route: str) -> None:
        pass

    # Steps

    def arrive(self, method: str) -> None:
        """
        A request comes.
        """
        number = len(self.exchanges)
        head = requestHead(f"{method} /{number} HTTP/1.1\r\nHost: r\r\n\r\n".encode())
        assert head is not None
        client = _Client()
        carrier = HTTPCarrier(client, self.dispatch, "r", head[0], b"id")
        carrier.exchange.complete = True
        self.clients.append(client)
        self.exchanges.append(carrier.exchange)
        self.dispatch.wait(carrier.exchange)

    def opened(self, slot: Any, first: bytes) -> None:
        """
        A request arrives at a slot.
        """
        if first.startswith(b"POST"):
            assert not self.ran[first], "sent again, though an app has taken it up"
        assert self.ran[first] <= RETRIES
        offer = slot.instance.offer
        number = int(first.split()[1][1:])
        self.opened_at[number] = self.reactor.seconds()
        if self.only_direct and offer.in_flight <= offer.capacity:
            for older in self.exchanges[:number]:
                if older.held:
                    assert older.progress is Progress.PROBING
                    there = older.carrier.far.offer
                    assert there is offer or self.mayStay(older, there)

    def mayStay(self, probed: Exchange, there: Offer) -> bool:
        """
        @return: whether an instance has room meanwhile for the one that it is probed with,
            but for the younger ones; or it is not known yet that it is full.
        """
        if self.reactor.seconds() < self.opened_at[probed.number - 1] + 1.25 * PATIENCE:
            return True
        younger = [
            each
            for each in self.exchanges
            if each.progress is Progress.PROBING and each.number > probed.number
        ]
        beyond = [each for each in younger if each.carrier.far.offer is there]
        return there.in_flight - len(beyond) <= there.capacity

    def hangUp(self, choice: int) -> None:
        """
        A client leaves.
        """
        carriers = [each.carrier for each in self.exchanges if each.carrier is not None]
        if carriers:
            carriers[choice % len(carriers)].hangup()

    def step(self, choice: int) -> None:
        """
        Something happens.
        """
        kind, choice = choice % 24, choice // 24
        slot = self.slots[choice % len(self.slots)]
        app = self.apps[choice % len(self.apps)]
        self.prompt = choice % 2 == 0
        if kind < 5:
            self.arrive("POST" if choice % 3 else "GET")
        elif kind < 10:
            slot.deliver(choice % 5 < 3)
        elif kind < 13:
            slot.takeUp()
        elif kind < 16:
            slot.answer()
        elif kind < 18:
            app.readyAgain()
        else:
            rare: list[Callable[[], object]] = [
                slot.refuse,
                lambda: app.resize(choice // 5 % 3 + 1),
                lambda: self.hangUp(choice),
                lambda: self.reactor.advance((0.002, 0.03, 0.3)[choice % 3]),
                lambda: setattr(app, "takes", choice % 4),
                (slot.breakOff, lambda: setattr(self, "fails", True))[choice % 5 == 0],
            ]
            rare[kind - 18]()
        self.reactor.advance(0)

    def settle(self) -> None:
        """
        Let all that has come be served.
        """
        self.prompt, self.fails = True, False
        for app in self.apps:
            app.takes = 100
        for _ in range(400):
            busy = any(app.running for app in self.apps)
            for app in self.apps:
                app.readyAgain()
            for slot in self.slots:
                while slot.deliver(True) or slot.deliver(False):
                    busy = True
                slot.takeUp()
                slot.answer()
            if not busy and all(each.progress is Progress.OVER for each in self.exchanges):
                break
            # What is owed is sent.
            self.reactor.advance(0.02)


def edgeSide(slot: Any) -> Any:
    """
    @return: what the edge has of a slot.
    """
    return slot.slot if isinstance(slot, _Node) else slot


class ProbesTests(SynchronousTestCase):
    """
    Exchanges that are probed, with random histories.
    """

    @bounded(300)
    @given(
        st.sampled_from(["dd", "nn", "dn", "ddd", "nnd"]),
        st.lists(st.integers(0, 24 * 840), min_size=40, max_size=120),
    )
    def test_model(self, kinds: str, choices: list[int]) -> None:
        """
        Each request is answered, once.  A POST runs at most once.  No request without a slot
        waits while a slot is free.  On slots to addresses, what an instance is sure to take is
        the oldest request, but for those of which it is not known yet whether they are taken
        up elsewhere.
        """
        world = _World(kinds)
        for choice in choices:
            world.step(choice)
            self.check(world)
        world.settle()
        self.check(world)
        for client, exchange in zip(world.clients, world.exchanges, strict=True):
            self.assertEqual((len(client.ends), exchange.progress), (1, Progress.OVER))
        self.assertEqual(world.dispatch.snapshot().held, {})
        for app in world.apps:
            self.assertEqual((app.instance.offer.in_flight, app.running), (0, set()))

    def check(self, world: _World) -> None:
        """
        Check what holds at any time.
        """
        for client, exchange in zip(world.clients, world.exchanges, strict=True):
            self.assertEqual(len(client.ends), int(exchange.progress is Progress.OVER))
            if exchange.progress is Progress.HELD:
                self.assertTrue(exchange.held)
            elif exchange.progress is not Progress.PROBING:
                self.assertFalse(exchange.held)
        for request, times in world.ran.items():
            self.assertLessEqual(times, 1 if request.startswith(b"POST") else RETRIES + 1)
        held = sum(each.held for each in world.exchanges)
        self.assertEqual(sum(world.dispatch.snapshot().held.values()), held)
        waiting = [each for each in world.exchanges if each.progress is Progress.HELD]
        for app in world.apps:
            # Without an answer to its RESET for long, the edge closes a slot.
            slots = [each for each in map(edgeSide, app.slots) if getattr(each, "alive", True)]
            idle = [each for each in slots if each.isBetweenExchanges()]
            self.assertEqual(app.instance.offer.in_flight, len(slots) - len(idle))
            self.assertFalse(waiting and [each for each in idle if each.pulling])
