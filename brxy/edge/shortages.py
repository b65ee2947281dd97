"""
Events about instances that refuse exchanges for a while.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from attrs import frozen

from brxy.edge.events import Events, InstanceEvent
from brxy.scaler.instance import Instance

__all__ = ["QUIET", "Refuses", "Refusing"]

#: An instance that refuses exchanges tries again several times a second.  That is reported
#: again after it has refused none for this long (seconds).
QUIET = 60.0


@frozen
class Refuses(InstanceEvent):
    """
    An instance refuses exchanges, for example because no connection to its app can be made.
    """

    reason: str


class Refusing:
    """
    Reports instances that refuse exchanges, once until they have stopped doing so.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._last: WeakKeyDictionary[Instance, float] = WeakKeyDictionary()

    def note(self, instance: Instance, reason: str, now: float) -> None:
        """
        An instance has refused an exchange.
        """
        last = self._last.get(instance)
        self._last[instance] = now
        if last is None or now > last + QUIET:
            self._events.emit(Refuses(instance.route, instance.ticket, reason))
