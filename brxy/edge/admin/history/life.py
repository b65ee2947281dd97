"""
The life of one instance, as the events of the edge have told it.
"""

from __future__ import annotations

from typing import Any

from attrs import define

from brxy.scaler.instance import Instance, State

__all__ = ["Life"]


@define(eq=False)
class Life:
    """
    An instance from its order to its end.  All times are those of the reactor's clock.

    @ivar instance: the scaler's entry; L{None} once it is gone.
    @ivar epoch: what its times lack to be seconds since 1970.
    @ivar began: when it was ordered, or came.
    @ivar started: this run of the edge ordered it.
    @ivar given: when a spawner got the order.
    @ivar connected: when its node dialled in.
    @ivar ready: when it took exchanges for the first time.
    @ivar draining: when it last began to drain.
    @ivar gone: when nothing of it was left.
    @ivar outcome: of its start: C{starting}, C{ready}, C{failed}, C{exit}, C{timeout} or
        C{given_up}.
    @ivar end: why one that was ready has ended, or will: C{idle}, C{retired}, C{killed} or
        C{exit}; else C{""}.
    @ivar reason: the same, or why its start failed, as text.
    @ivar last_line: the last that it printed before it was gone.
    @ivar revision: rises with each change of any life.
    """

    ticket: str
    route: str
    spawn: str | None
    instance: Instance | None
    epoch: float
    began: float
    started: bool = False
    given: float | None = None
    connected: float | None = None
    ready: float | None = None
    draining: float | None = None
    gone: float | None = None
    outcome: str = "starting"
    end: str = ""
    reason: str = ""
    last_line: str = ""
    revision: int = 0

    @property
    def state(self) -> State:
        """
        How far it has come.
        """
        return State.GONE if self.instance is None else self.instance.state

    def view(self) -> dict[str, Any]:
        """
        The life as the API shows it.
        """
        state = self.state
        # One that drained by itself may have changed its mind.
        draining = None if state is State.READY else self.draining
        return {
            "ticket": self.ticket,
            "route": self.route,
            "spawn": self.spawn,
            "state": state.name.lower(),
            "ordered_at": self._at(self.began),
            "connected_at": self._at(self.connected),
            "ready_at": self._at(self.ready),
            "draining_at": self._at(draining),
            "gone_at": self._at(self.gone),
            "phases": self._phases(),
            "outcome": self.outcome,
            "end": self.end if state is State.GONE else "",
            "reason": self.reason,
            "last_line": self.last_line,
        }

    def _at(self, time: float | None) -> float | None:
        return None if time is None else round(time + self.epoch, 3)

    def _phases(self) -> dict[str, float | None]:
        """
        The seconds of each part of its start, as far as they are known.
        """
        # The edge connects to the app of an instance without a node once that accepts.
        connected = self.ready if self.connected is None else self.connected
        times = {
            "order": (self.began, self.given),
            "boot": (self.given, connected),
            "ready": (connected, self.ready),
        }
        return {name: _between(*both) for name, both in times.items()}


def _between(first: float | None, last: float | None) -> float | None:
    return None if first is None or last is None else round(max(0.0, last - first), 3)
