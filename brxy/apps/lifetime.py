"""
When an instance stays, drains or exits.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen


@frozen
class Stay:
    """
    Stay.

    @ivar until: when to decide again, by the clock that C{now} comes from; L{None}
        while exchanges run, since only their end can change the decision.
    """

    until: float | None


@frozen
class Drain:
    """
    Take no more exchanges, finish those that run, then decide again.
    """


@frozen
class Exit:
    """
    Take no more exchanges, and end: none runs.
    """


Step: TypeAlias = Stay | Drain | Exit


class Lifetime:
    """
    How long one instance lives: the newest of its route stays for a long time without
    an exchange, an older one for a short time, and a retired one until its exchanges
    are over.

    Both times count from the later of two moments: when the instance became idle,
    and when it became newest or older.  So an instance that has long been idle does not
    end at the very moment when a newer one appears, which may not be ready yet: it stays
    for C{old_idle_timeout} more.

    Draining is final: once L{next} returned L{Drain} or L{Exit}, it never returns
    L{Stay} again.

    @ivar busy: how many exchanges run.
    @ivar newest: it is the newest instance of its route.
    """

    __slots__ = ("_draining", "_idle_timeout", "_old_idle_timeout", "_since", "busy", "newest")

    def __init__(self, idle_timeout: float, old_idle_timeout: float, now: float) -> None:
        """
        @param idle_timeout: how long the newest instance may be idle, in seconds.
        @param old_idle_timeout: the same for an older one.
        @param now: when the instance became ready, by any clock in seconds.
        """
        self.busy = 0
        self.newest = True
        self._idle_timeout = idle_timeout
        self._old_idle_timeout = old_idle_timeout
        self._since = now
        self._draining = False

    def exchangeBegan(self) -> None:
        """
        An exchange began.
        """
        self.busy += 1

    def exchangeOver(self, now: float) -> None:
        """
        An exchange is over, however it ended.

        @raise RuntimeError: none was running.
        """
        if not self.busy:
            raise RuntimeError("an exchange finished that never began")
        self.busy -= 1
        self._since = now

    def setNewest(self, newest: bool, now: float) -> None:
        """
        Whether it is the newest instance of its route.  The same value again changes
        nothing.
        """
        if newest is not self.newest:
            self.newest = newest
            self._since = now

    def setTimeouts(self, idle_timeout: float, old_idle_timeout: float) -> None:
        """
        Other times hold from now on.
        """
        self._idle_timeout = idle_timeout
        self._old_idle_timeout = old_idle_timeout

    def retire(self) -> None:
        """
        It shall end as soon as no exchange runs.
        """
        self._draining = True

    def next(self, now: float) -> Step:
        """
        @return: what to do now.
        """
        if not self._draining:
            if self.busy:
                return Stay(None)
            timeout = self._idle_timeout if self.newest else self._old_idle_timeout
            until = self._since + timeout
            if now < until:
                return Stay(until)
            self._draining = True
        return Drain() if self.busy else Exit()
