"""
How many exchanges an app takes at once, estimated from what it has taken up.

Pure: it gets observations and the time, and decides what goes to the app whole, what goes as
a probe, and how many exchanges to pull.
"""

from __future__ import annotations

__all__ = ["PAUSE_LEAST", "PAUSE_MOST", "WINDOW", "Estimate"]

# A proof counts for at least this long, and for less than twice as long (seconds).
WINDOW = 60.0

# After a probe that was not taken up, the next one waits: the pause grows from the first to the
# second (seconds) by the third each time.
PAUSE_LEAST = 0.002
PAUSE_MOST = 0.25
GROWTH = 1.3


class Estimate:
    """
    The capacity of one app, as it is known now.

    An exchange within the capacity goes to the app at once, whole.  One beyond it is a probe.
    There is at most one: the app has only the first byte of it until the app has taken it up,
    which proves a higher capacity.

    A proof expires if that many exchanges have not run at once for a while.  A limit, which
    comes from elsewhere, caps what is proven.

    @ivar capacity: how many exchanges the app is sure to take at once.
    @ivar working: how many exchanges the app has whole.
    @ivar begun: how many exchanges went to the app whole so far.
    @ivar quick: an exchange may begin without L{begin} if the app has fewer than this, and
        C{skip} is not 0: add it to C{working} then, and take one from C{skip}.
    @ivar skip: the number of exchanges that may begin so.
    @ivar kept: a connection to the app was kept lately.
    @ivar probing: one more is a probe.
    @ivar shown: the app has taken an exchange up.
    @ivar waits: the probe was still in the app's accept queue at the last look.
    @ivar turned_away: how many exchanges beyond its capacity the app has in a row not taken up
        while it had as many as that: an app that lets exchanges wait inside takes them all up.
    @ivar pause: how long the next probe must wait after one that was not taken up (seconds).
    @ivar paused: that pause is not over.
    """

    __slots__ = (
        "_high",
        "_limit",
        "_most",
        "_proven",
        "_read",
        "_window_began",
        "begun",
        "capacity",
        "kept",
        "pause",
        "paused",
        "probing",
        "quick",
        "shown",
        "skip",
        "turned_away",
        "waits",
        "working",
    )

    def __init__(self, most: int, now: float) -> None:
        """
        @param most: the capacity never exceeds this.
        @param now: by any clock in seconds, as for all methods.
        """
        self._most = self._limit = most
        self._proven = self._high = 1
        self._window_began = now
        # What had begun when the app was last seen to have begun to read all of it.
        self._read = (0, 0)
        self.capacity = 1
        self.working = self.begun = self.skip = self.turned_away = 0
        self.quick = 1
        self.kept = False
        self.probing = self.waits = self.paused = self.shown = False
        self.pause = PAUSE_LEAST

    @property
    def pulls(self) -> int:
        """
        How many exchanges to pull at once: one more than the capacity, to learn whether the
        app takes that, too.  An app that has not taken up the first one may not be able to
        yet: a probe would say nothing.
        """
        if self.paused or not self.shown:
            return self.capacity
        return min(self._limit, self.capacity + 1)

    # Exchanges

    def begin(self) -> bool:
        """
        An exchange begins.

        @return: whether it is within the capacity: then it goes to the app whole.
        """
        working = self.working + 1
        if working > self.capacity:
            return False
        self.working = working
        self.begun += 1
        self._note(working)
        return True

    def over(self) -> bool:
        """
        An exchange is over that the app had whole.

        @return: whether its place goes to the probe, which has waited for it in the app's
            accept queue.
        """
        self.working -= 1
        if self.waits and self.working < self.capacity:
            self.turned_away += 1
            self.promote()
            self.paused = True
            return True
        return False

    # The probe

    def probe(self) -> bool:
        """
        The exchange that does not fit into the capacity begins.

        @return: whether it may be a probe.
        """
        if self.probing or self.paused or self.pulls <= self.working:
            return False
        self.probing = True
        return True

    def promote(self) -> None:
        """
        The probe has a place: it goes to the app whole.
        """
        self.probing = self.waits = False
        self.working += 1
        self.begun += 1

    def takenUp(self) -> None:
        """
        The app has taken the probe up: there is none until that proves something, or for a while.
        """
        self.promote()
        self.turned_away = 0
        self.paused = True

    def show(self) -> None:
        """
        The app has taken its first exchange up.
        """
        self.shown = True

    def prove(self, at_work: int) -> bool:
        """
        The app is at work on a number of exchanges.  It may have more: some may wait within
        its queue.

        @return: whether the capacity is higher than before.
        """
        self._note(at_work)
        if at_work <= self._proven:
            return False
        self._proven = at_work
        self.paused = False
        self.pause = PAUSE_LEAST
        return self._settle()

    def refused(self) -> None:
        """
        The app did not take the probe up in time: there is none for a while.
        """
        self.probing = self.waits = False
        self.paused = True

    def pauseOver(self, queued: bool) -> bool:
        """
        The pause is over.

        @param queued: a connection waits in the accept queue of each of the app's listeners.
            Then the app takes no other up, and a probe would only make a queue longer.
        @return: whether there may be a probe now; else there is another pause.
        """
        self.paused = queued
        self.pause = min(PAUSE_MOST, GROWTH * self.pause)
        return not self.paused

    # What else is observed

    def readAll(self) -> None:
        """
        The app has begun to read all that it has whole.
        """
        self._read = (self.begun, self.skip)

    def hasReadAll(self) -> bool:
        """
        @return: whether no exchange went to the app whole since then.
        """
        return self._read == (self.begun, self.skip)

    def unread(self, at_work: int) -> bool:
        """
        The app has exchanges that it did not take up, although they went to it whole.

        @param at_work: how many it has taken up.
        @return: whether the capacity is lower than before.
        """
        self._proven = self._high = max(1, at_work)
        return self._settle()

    def limit(self, limit: int) -> bool:
        """
        More exchanges than this do the app no good.

        @return: whether that is news.
        """
        before, self._limit = self._limit, max(1, min(self._most, limit))
        self._settle()
        return self._limit != before

    def fix(self) -> bool:
        """
        The capacity can't be learned: it is 1 from now on.

        @return: whether that is news.
        """
        before, self._most = self._most, 1
        self.limit(1)
        return before > 1

    def expire(self, now: float) -> bool:
        """
        Forget what was proven too long ago.

        @return: whether the capacity is lower than before.
        """
        windows = int((now - self._window_began) / WINDOW)
        if not windows:
            return False
        self._window_began = now
        # More may run, as the app takes probes up that it then lets wait.
        running = max(1, min(self._proven, self.working))
        self._proven = max(running, self._high) if windows == 1 else running
        self._high = running
        return self._settle()

    def _settle(self) -> bool:
        before = self.capacity
        self.capacity = min(self._proven, self._limit)
        self._note(self._high)
        return self.capacity != before

    def _note(self, working: int) -> None:
        """
        The app has this many exchanges at once.
        """
        if working > self._high:
            self._high = working
        # The last place needs no count once it is known that it was reached lately.
        self.quick = self.capacity if self._high >= self.capacity else self.capacity - 1
