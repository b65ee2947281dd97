"""
Routes that are closed for a while: paused, or stopped.

Pure: a record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen

__all__ = ["PAUSED", "STOPPED", "Gate", "Gates"]

PAUSED = "paused"
STOPPED = "stopped"


@frozen
class Gate:
    """
    Why a route is closed.

    @ivar kind: L{PAUSED}: exchanges are held; or L{STOPPED}: they are refused.
    @ivar message: for the clients of a route that is stopped.
    """

    kind: str
    message: str = ""


class Gates:
    """
    The routes that are closed.

    @ivar closed: by the name of the route.  Empty nearly always.
    """

    def __init__(self, held: Callable[[str], int]) -> None:
        """
        @param held: how many exchanges wait for a route.
        """
        self.closed: Mapping[str, Gate] = {}
        self._held = held

    def close(self, route: str, gate: Gate) -> None:
        """
        Close a route, for this reason alone if it was closed for another one.
        """
        self.closed = {**self.closed, route: gate}

    def open(self, route: str) -> bool:
        """
        @return: whether the route was closed.
        """
        was_closed = route in self.closed
        self.closed = {name: gate for name, gate in self.closed.items() if name != route}
        return was_closed

    def state(self, route: str) -> str:
        """
        @return: L{PAUSED}, L{STOPPED}, or C{""} for a route that is open.
        """
        gate = self.closed.get(route)
        return "" if gate is None else gate.kind

    def waiting(self, route: str) -> int:
        """
        @return: how many exchanges wait for instances: those of a closed route need none.
        """
        return 0 if route in self.closed else self._held(route)
