"""
Times to the first byte of exchanges that began one after the other.
"""

from __future__ import annotations

import math

from attrs import define, field

__all__ = ["Sample"]

# What has no answer after this multiple of the mean time, or this many seconds, is late enough to
# be counted with the time that it has waited.
_LATE, _LATEST = 8, 60.0


@define
class Sample:
    """
    Exchanges that began one after the other, and how long their first bytes took.

    Which exchanges belong to it is decided when they begin.  If it were those that were answered
    within some time, the quick ones would come first and the mean would be too low.

    @ivar number: tells it from other samples.
    @ivar since: when it was begun.
    @ivar size: how many exchanges it will have.
    @ivar horizon: longer times count as this.
    @ivar begun: how many exchanges have begun.
    @ivar concurrency: the sum of the concurrency at which they began.
    @ivar seconds: the times of those that have been answered.
    @ivar latest: when the last of them was answered.
    @ivar level: the mean concurrency.
    @ivar mean: the mean time.
    @ivar error: the relative standard error of that.
    """

    number: int
    since: float
    size: int
    horizon: float = math.inf
    begun: int = 0
    concurrency: int = 0
    seconds: list[float] = field(factory=list)
    latest: float = 0.0
    level: float = 0.0
    mean: float = 0.0
    error: float = 0.0
    _full: float = math.inf

    def extend(self) -> None:
        """
        Double the size.
        """
        self.size *= 2
        self._full = math.inf

    def isComplete(self, now: float) -> bool:
        """
        @return: whether all have been answered, or those that have not are late enough.
        """
        missing = self.begun - len(self.seconds)
        if self.begun < self.size:
            return False
        if not missing:
            return True
        if self._full == math.inf:
            self._full = now
        waited = now - self._full
        if self.horizon < math.inf:
            return waited >= self.horizon
        mean = (sum(self.seconds) + waited * missing) / self.begun
        if waited < min(_LATEST, _LATE * mean):
            return False
        self.horizon = max(waited, *self.seconds, 0.0)
        return True

    def close(self, now: float) -> bool:
        """
        Wait no longer: what has not been answered counts with the time until now.

        @return: whether most have been answered.
        """
        missing = self.begun - len(self.seconds)
        if self.begun < self.size or missing * 4 > self.begun:
            return False
        if missing:
            self.horizon = min(self.horizon, max(now - self._full, *self.seconds))
        return True

    def measure(self, missing: bool) -> None:
        """
        Set C{level}, C{mean} and C{error}.

        @param missing: count those that have not been answered, too.
        """
        most = self.horizon
        times = [each if each < most else most for each in self.seconds]
        if missing and most < math.inf:
            times += [most] * (self.begun - len(times))
        count = len(times)
        self.level = self.concurrency / self.begun
        self.mean = max(sum(times) / count, 1e-9)
        spread = sum((each - self.mean) ** 2 for each in times)
        self.error = math.sqrt(spread / (count * (count - 1))) / self.mean if count > 1 else 1.0
