"""
Whether an app answers as many exchanges per second at another limit of its concurrency.
"""

from __future__ import annotations

import math
from enum import Enum, auto

from attrs import define, field

from brxy.uptake.sample import Sample

__all__ = ["EARLY", "EXACT", "FIRST", "SOON", "VAGUE", "Outcome", "Trial"]

#: A first byte within this many seconds comes soon enough, whether the app queues or not.
SOON = 0.03

#: A relative error that is small, and one with which nothing is concluded.
EXACT, VAGUE = 0.1, 0.25

#: A trial may fail after the first number of answers, and has at least the second number of
#: exchanges.
EARLY, FIRST = 8, 32

# It has more, up to this number, if those decide nothing.
_LAST = 127

# A trial is given up after this many seconds, this multiple of the time of an exchange, and twice
# the time that its exchanges need at the rate before.
_PATIENCE, _MULTIPLE = 1.0, 4

# It is given up earlier if there is no answer for the time of this many at the rate before.
_STALLED = 16

# A higher limit is worth it if it is this multiple of the present one; the second multiple is for
# a trial that shows whether the limit was lowered by mistake.
_WORTH, _MISTAKEN = 1.15, 1.5


class Outcome(Enum):
    """
    What a trial has shown.
    """

    #: Nothing yet.
    OPEN = auto()
    #: The limit is not better.
    FAILED = auto()
    #: The times are the same at the lower limit: nothing queued at the limit before.
    FLAT = auto()
    #: They are about the same, as far as one can see.
    VAGUE = auto()
    #: Another limit is better.
    FOUND = auto()


@define
class Trial:
    """
    Another limit that is tried for a moment.

    The concurrency divided by the mean time is the number of exchanges per second (Little's law).
    If it is the same at two levels, the exchanges in which they differ only waited.

    @ivar before: the sample at the present limit.
    @ivar present: the present limit.
    @ivar limit: the one that is tried.
    @ivar undo: if this trial shows whether the present limit was lowered by mistake, the limit
        before that; else 0.
    @ivar found: the better limit.
    @ivar error: the relative error of the comparison.
    """

    before: Sample
    present: int
    limit: int
    undo: int = 0
    found: int = 0
    error: float = field(default=1.0, init=False)

    def isLower(self) -> bool:
        """
        @return: whether it is tried if less is enough.
        """
        return self.limit < self.before.level

    def horizon(self) -> float:
        """
        @return: the time beyond which exchanges of both samples count the same.
        """
        if self.before.horizon < math.inf:
            return self.before.horizon
        return 2 * max(self.before.seconds)

    def size(self) -> int:
        """
        @return: how many exchanges it has at first.  What waits in one queue is not independent,
            so that the queue should have been renewed.
        """
        return max(FIRST, self.limit)

    def least(self) -> int:
        """
        @return: the lowest concurrency at which exchanges belong to the trial.
        """
        least = math.ceil(self.limit * 0.75)
        return least if self.isLower() else max(least, self.present + 1)

    def outcome(self, sample: Sample, now: float) -> Outcome:
        """
        Judge from what has been answered until now.  More exchanges are added to C{sample} if it
        takes more.
        """
        count = len(sample.seconds)
        isOver = now >= self.end(sample)
        isComplete = count >= EARLY and (sample.isComplete(now) or (isOver and sample.close(now)))
        if isComplete or (count >= EARLY and count & (count - 1) == 0):
            sample.measure(isComplete)
            # A few exchanges may all be quick where some are slow.
            error = max(sample.error, self.before.error * math.sqrt(self.before.begun / count))
            self.error = math.hypot(error, self.before.error)
            judge = self._lower if self.isLower() else self._higher
            outcome = judge(sample, isComplete)
            if outcome is not Outcome.OPEN:
                return outcome
        return Outcome.FAILED if isOver else Outcome.OPEN

    def end(self, sample: Sample) -> float:
        """
        @return: when the trial is given up.
        """
        mean = self.before.mean
        each = mean / self.before.level
        longest = sample.since + _PATIENCE + _MULTIPLE * mean + 2 * sample.size * each
        stalled = max(sample.since + 2 * mean, sample.latest) + max(_PATIENCE, _STALLED * each)
        return min(longest, stalled)

    def _lower(self, sample: Sample, isComplete: bool) -> Outcome:
        level, error = self.before.level, self.error
        ratio = sample.mean / self.before.mean
        # Answers that come late are missing yet: what is slow already will not become faster.
        if math.log(ratio) - 2 * error > -0.4 * math.log(level / sample.level):
            return Outcome.FLAT
        if not isComplete:
            return Outcome.OPEN
        knee = level * ratio
        if knee * (1 + error) > 1.25 * self.limit and self._needsMore(sample):
            return Outcome.OPEN
        if error > VAGUE or knee * (1 + 2 * error) > 0.95 * level:
            return Outcome.FLAT if knee > 0.85 * level else Outcome.VAGUE
        self.found = min(int(level), max(self.limit, round(knee * (1 + error))))
        return Outcome.FOUND

    def _higher(self, sample: Sample, isComplete: bool) -> Outcome:
        error = self.error
        ratio = sample.mean / self.before.mean
        isFlat = ratio < 1 + error or sample.mean < SOON
        knee = self.limit if isFlat else sample.level / ratio
        multiple = _MISTAKEN if self.undo else _WORTH
        worth = min(
            max(self.present + 0.5, multiple * self.present), math.sqrt(self.present * self.limit)
        )
        if knee * (1 + 2 * error) < worth:
            return Outcome.FAILED
        if not isComplete:
            return Outcome.OPEN
        if knee * (1 + error) < worth:
            return Outcome.FAILED
        if knee * (1 - error) < worth and self._needsMore(sample):
            return Outcome.OPEN
        self.found = self.limit
        if not isFlat:
            self.found = min(self.limit, int(knee * (1 - error / 2) + 0.6))
        if self.undo and knee > 0.8 * self.limit:
            self.found = self.undo
        return Outcome.FOUND if self.found > self.present else Outcome.FAILED

    def _needsMore(self, sample: Sample) -> bool:
        """
        Let the sample have more exchanges, if that makes the comparison more exact.

        @return: whether it gets them.
        """
        if self.error <= max(EXACT, 1.2 * self.before.error) or sample.size * 2 > _LAST:
            return False
        sample.extend()
        return True
