"""
Stand-ins for tests, for the objects that slots and exchanges call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brxy.errors import NodeRefused
from brxy.scaler.instance import Instance
from brxy.transport.relay import Relay
from brxy.wire.frames import VERSION
from brxy.wire.greeting import Hello, Welcome

__all__ = ["FakeEnd", "FakeHost", "FakeOwner", "FakeRelay"]


class FakeEnd:
    """
    An end of an exchange that records its calls.
    """

    def __init__(self) -> None:
        self.congested = False
        self.stream = None
        self.written = bytearray()
        self.ended = False
        self.was_reset = False
        self.paused = False

    def write(self, data: bytes) -> None:
        assert not self.ended and not self.was_reset, "written to after its end"
        self.written += data

    def end(self) -> None:
        assert not self.ended, "ended twice"
        self.ended = True

    def reset(self) -> None:
        self.was_reset = True

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


class FakeRelay(Relay):
    """
    A relay that records its calls.

    @ivar told: C{accepted}, and then how it ended: C{refused}, C{aborted} or
        C{finished}.
    @ivar reason: why, if it was refused or aborted.
    @ivar onData: is also called with bytes from the far end.
    """

    near: FakeEnd
    far: Any

    def __init__(self, far: Any = None) -> None:
        super().__init__(FakeEnd(), far)
        self.told: list[str] = []
        self.reason = ""
        self.onData: Callable[[], object] = lambda: None
        self.onAccepted: Callable[[], object] = lambda: None

    @property
    def over(self) -> bool:
        """
        Whether the relay has ended.
        """
        return any(each != "accepted" for each in self.told)

    def _tell(self, what: str, reason: str = "") -> None:
        assert not self.over, f"{what} after {self.told}"
        self.told.append(what)
        self.reason = reason

    def accepted(self) -> None:
        assert not self.told, f"accepted after {self.told}"
        self.told.append("accepted")
        self.onAccepted()

    def refused(self, reason: str) -> None:
        assert not self.told, f"refused after {self.told}"
        self._tell("refused", reason)

    def data(self, source: object, data: bytes) -> None:
        assert not self.over, f"data after {self.told}"
        super().data(source, data)
        if source is self.far:
            self.onData()

    def aborted(self, source: object, reason: str) -> None:
        self._tell("aborted", reason)

    def finished(self) -> None:
        self._tell("finished")
        if self.far is not None:
            # The edge's own relays do this.
            self.far.done(False)


class FakeHost:
    """
    The edge, as its slots see it: one instance, and no waiters.

    @ivar events: the events of the instance, in order.
    @ivar free_slots: the slots that can take an exchange now.
    @ivar busy: the slots with an exchange.
    """

    def __init__(self, capacity: int = 1) -> None:
        self.instance = Instance("t1", "r", capacity, 7)
        self.events: list[str] = []
        self.free_slots: list[Any] = []
        self.busy: list[Any] = []
        self.hellos: list[Hello] = []

    def take(self, slot: Any) -> None:
        """
        Match an exchange with a slot.
        """
        self.free_slots.remove(slot)
        self.busy.append(slot)

    def hello(self, slot: Any, hello: Hello) -> Welcome:
        if hello.token == "wrong":
            raise NodeRefused("its token is not the edge's")
        self.hellos.append(hello)
        slot.instance = self.instance
        slot.offer = self.instance.offer
        return Welcome(VERSION, "edge", 7, True)

    def free(self, slot: Any) -> None:
        assert slot.pulling, "free, but READY is not in force"
        assert slot not in self.free_slots, "free twice"
        assert slot not in self.busy, "free with an exchange on it"
        self.free_slots.append(slot)

    def resized(self, slot: Any, capacity: int) -> None:
        self.events.append(f"resized {capacity}")

    def drain(self) -> None:
        pass

    def unready(self, slot: Any, refusal: str = "") -> None:
        self.leaves(slot)
        self.events.append("unready")

    def exchangeOver(self, slot: Any) -> None:
        self.busy.remove(slot)
        if slot.pulling:
            self.free_slots.append(slot)

    def leaves(self, slot: Any) -> None:
        if slot in self.free_slots:
            self.free_slots.remove(slot)

    def closed(self, slot: Any) -> None:
        assert slot not in self.free_slots, "free twice"
        assert slot not in self.busy, "closed, but its exchange is not over"
        self.leaves(slot)
        self.events.append("closed")

    def silent(self, instance: Instance) -> None:
        instance.offer.suspended = True
        self.events.append("silent")

    def answers(self, instance: Instance) -> None:
        instance.offer.suspended = False
        self.events.append("answers")

    def roll(self, route: str) -> None:
        self.events.append(f"roll {route}")


class FakeOwner:
    """
    The node as its slots see it: their owner, and the capacity of the app.

    @ivar running: how many exchanges run.
    @ivar full: no capacity is left.
    @ivar resting: slots whose app refused a connection.
    """

    def __init__(self, token: str = "") -> None:
        self.token = token
        self.running = 0
        self.newest: list[bool] = []
        self.resting: list[Any] = []
        self.retired = 0
        self.eager = True
        self.full = False

    def hello(self) -> Hello:
        return Hello(VERSION, self.token, "node", "r", 1)

    def capacity(self) -> int | None:
        return None

    def welcomed(self, slot: Any, welcome: Welcome) -> None:
        self.newest.append(welcome.newest)
        if self.eager:
            slot.ready()

    def claim(self) -> bool:
        if self.full:
            return False
        self.running += 1
        return True

    def exchangeOver(self) -> None:
        assert self.running, "finished an exchange that never began"
        self.running -= 1

    def rest(self, slot: Any) -> None:
        self.resting.append(slot)

    def refused(self, slot: Any) -> None:
        self.resting.append(slot)

    def setNewest(self, newest: bool) -> None:
        self.newest.append(newest)

    def retire(self) -> None:
        self.retired += 1
