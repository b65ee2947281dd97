"""
Clocks that are moved by hand.
"""

from __future__ import annotations

from twisted.internet.task import Clock

__all__ = ["Turns"]


class Turns(Clock):
    """
    A clock that can make single turns, as a reactor does: calls that are
    scheduled in one turn are made in the next.
    """

    def turn(self) -> None:
        due, self.calls[:] = self.calls[:], []
        for call in due:
            call.called = 1
            call.func(*call.args, **call.kw)
