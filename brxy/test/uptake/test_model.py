"""
Random histories of the slots of an app whose capacity is learned, and what must hold in all of
them.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from brxy.apps.backend import Backend
from brxy.apps.connection import KeepAliveGuess
from brxy.interfaces import Address
from brxy.test.support.memory.fakes import FakeRelay
from brxy.test.support.memory.network import FakeApp, FakeDiag, FakeReactor
from brxy.uptake.uptake import Uptake

SETTINGS = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

APP = Address("127.0.0.1", 20000)
MOST = 4

choices = st.integers(0, 1000)


class Numbered(FakeRelay):
    """
    An exchange with a number.
    """

    def __init__(self, slot: Backend, number: int) -> None:
        super().__init__(slot)
        self.number = number


class Slot(Backend):
    """
    A slot.

    @ivar check: called before the first byte of a probe is sent.
    """

    check: Callable[[], None]

    def sendByte(self) -> None:
        self.check()
        super().sendByte()


class UptakeMachine(RuleBasedStateMachine):
    """
    Clients, an edge, a kernel and an app that do whatever they may.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reactor = FakeReactor()
        self.diag = FakeDiag(self.reactor)
        self.unknown: list[str] = []
        self.uptake = Uptake(
            self.reactor, MOST, self.diag, changed=lambda: None, unknown=self.unknown.append
        )
        self.keep_alive = KeepAliveGuess()
        self.slots = [self.slot() for _ in range(MOST + 2)]
        self.relays: dict[Backend, Numbered] = {}
        self.number = 0
        self.refused: list[int] = []

    def slot(self) -> Backend:
        slot = Slot(self.reactor.shared, APP, self.keep_alive, self.uptake)
        slot.check = self.hasReadAll
        return slot

    def hasReadAll(self) -> None:
        """
        The app has begun to read all that it has whole, as far as it is to be seen.
        """
        for slot in self.slots:
            if slot.exchange is None or slot.probing:
                continue
            assert slot.ends is not None, "it is about to get something"
            app = self.diag.find(slot.ends[1])
            if not (app.end.lost or self.diag.hidden):
                assert app in self.diag.accepted, "an exchange waits in the queue"
                assert len(app.end.pending()) <= max(0, slot.sent - 2), "it is unread"

    @initialize(number=st.integers(0, MOST), kept=st.booleans())
    def show(self, number: int, kept: bool) -> None:
        """
        Have the app take up a number of exchanges.
        """
        for choice in range(number):
            self.begin(choice, False, False)
            self.takeUp()
        if kept:
            self.done(0, True)

    def pick(self, choice: int, may: Callable[[FakeApp], bool]) -> FakeApp | None:
        """
        One of the connections of the app that can do something, if there is one: that of the
        probe in every second case.
        """
        for slot in self.slots:
            if choice % 2 and slot.probing and slot.ends is not None:
                app = self.diag.find(slot.ends[1])
                return app if may(app) and not app.end.lost else None
        found = [each for each in self.reactor.apps if not each.end.lost and may(each)]
        return found[choice % len(found)] if found else None

    # The edge and its clients

    @rule(choice=choices, silent=st.sampled_from([False, False, True]), once=st.booleans())
    def begin(self, choice: int, silent: bool, once: bool) -> None:
        free = [slot for slot in self.slots if slot not in self.relays]
        if not free:
            return
        slot = free[choice % len(free)]
        self.number += 1
        relay = Numbered(slot, self.number)
        self.relays[slot] = relay
        slot.begin(relay, once, "", b"" if silent else b"<%d>" % self.number)

    @rule(accepted=st.booleans(), seconds=st.sampled_from([0.0, 0.005]))
    def fill(self, accepted: bool, seconds: float) -> None:
        """
        Send the app as much as it may have, of which it reads nothing for now.
        """
        while not self.uptake.estimate.probing and len(self.relays) < len(self.slots):
            before = len(self.relays)
            self.begin(0, False, False)
            self.connect()
            self.forget()
            if len(self.relays) == before:
                break
        if accepted:
            self.diag.accepted.update(self.reactor.apps)
        self.reactor.advance(seconds)

    def running(self, choice: int) -> Backend | None:
        found = list(self.relays)
        return found[choice % len(found)] if found else None

    @rule(choice=choices)
    def write(self, choice: int) -> None:
        slot = self.running(choice)
        if slot is not None:
            slot.write(b"more")

    @rule(choice=choices)
    def recall(self, choice: int) -> None:
        slot = self.running(choice)
        if slot is not None:
            slot.recall()

    @rule(choice=choices)
    def reset(self, choice: int) -> None:
        slot = self.running(choice)
        if slot is not None:
            del self.relays[slot]
            slot.reset()

    @rule(choice=choices, keep=st.booleans())
    def done(self, choice: int, keep: bool) -> None:
        slot = self.running(choice)
        if slot is not None and self.relays[slot].told:
            del self.relays[slot]
            slot.done(keep)

    @rule(choice=st.integers(0, 5 * MOST))
    def redial(self, choice: int) -> None:
        if choice >= len(self.slots):
            return
        slot = self.slots.pop(choice)
        self.relays.pop(slot, None)
        slot.reset()
        slot.discard()
        self.slots.append(self.slot())

    # The kernel and the app

    @rule()
    def connect(self) -> None:
        if self.reactor.dialling():
            self.reactor.accept()

    @rule()
    def refuse(self) -> None:
        if self.reactor.dialling():
            self.reactor.refuse()

    @rule(choice=choices)
    def accept(self, choice: int) -> None:
        app = self.pick(choice, lambda each: each not in self.diag.accepted)
        if app is not None:
            self.diag.accepted.add(app)

    @rule(choice=choices, size=st.sampled_from([1, 1000]))
    def read(self, choice: int, size: int) -> None:
        app = self.pick(choice, lambda each: each in self.diag.accepted)
        if app is not None:
            app.end.deliver(size)

    @rule()
    def takeUp(self) -> None:
        self.connect()
        if self.reactor.apps:
            app = self.reactor.apps[-1]
            self.diag.accepted.add(app)
            app.end.deliver()
            self.reactor.pump([0.01] * 6)

    @rule(choice=choices)
    def answer(self, choice: int) -> None:
        app = self.pick(choice, lambda each: each in self.diag.accepted and not each.end.ending)
        if app is not None:
            app.end.write(b"answer")

    @rule(choice=choices, reset=st.booleans())
    def close(self, choice: int, reset: bool) -> None:
        app = self.pick(choice, lambda each: not each.end.aborted)
        if app is not None:
            if reset:
                app.end.abortConnection()
            else:
                app.end.loseConnection()

    @rule(listeners=st.sampled_from([0, 1, 1, 1, 2]), hidden=st.integers(0, 9))
    def listen(self, listeners: int, hidden: int) -> None:
        self.diag.listeners = listeners
        self.diag.hidden = not hidden

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.01, 0.1, 1.0, 60.0]))
    def pass_(self, seconds: float) -> None:
        self.reactor.advance(seconds)

    @rule()
    def receive(self) -> None:
        for app in self.reactor.apps:
            while app.end.other.deliver():
                pass

    # What must hold

    def forget(self) -> None:
        for slot, relay in list(self.relays.items()):
            if relay.over:
                del self.relays[slot]
                assert slot.exchange is None
                if relay.told == ["refused"]:
                    self.refused.append(relay.number)

    @invariant()
    def holds(self) -> None:
        self.forget()
        estimate = self.uptake.estimate
        probes = [slot for slot in self.slots if slot.probing]
        assert len(probes) == estimate.probing
        whole = [slot for slot in self.relays if not slot.probing]
        assert len(whole) == estimate.working, (len(whole), estimate.working)
        assert estimate.working <= MOST
        assert 1 <= estimate.capacity <= estimate.pulls <= MOST
        for slot in probes:
            assert slot.exchange is self.relays[slot] and not self.relays[slot].told
            connection = slot.ends
            assert connection is None or slot.sent <= 1
        assert len(self.unknown) <= 1

    @invariant()
    def refusedGotNothing(self) -> None:
        got = b" ".join(bytes(app.received) for app in self.reactor.apps)
        for number in self.refused:
            assert b"<%d>" % number not in got

    def teardown(self) -> None:
        for slot in self.slots:
            slot.reset()
            slot.discard()
        self.relays.clear()
        estimate = self.uptake.estimate
        assert (estimate.working, estimate.probing) == (0, False)
        self.uptake.stop()
        self.reactor.advance(10)
        for app in self.reactor.apps:
            while app.end.deliver() or app.end.other.deliver():
                pass
        self.reactor.advance(10)
        self.reactor.shared.stop()
        left = self.reactor.getDelayedCalls()
        assert not left, left


class ModelTests(SynchronousTestCase):
    """
    L{Uptake} and its slots in random histories.
    """

    def test_model(self) -> None:
        """
        Whatever happens in whatever order, what runs and what is probed is counted right, and
        nothing is left.
        """
        run_state_machine_as_test(UptakeMachine, settings=SETTINGS)
