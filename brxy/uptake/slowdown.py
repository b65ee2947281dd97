"""
Finds out how many exchanges an app works on at once if it takes up more than that and lets them
wait inside.
"""

from __future__ import annotations

import math

from attrs import define

from brxy.uptake.sample import Sample
from brxy.uptake.trial import EXACT, SOON, VAGUE, Outcome, Trial

__all__ = ["LASTING", "PAGE", "Slowdown"]

#: The connections that a browser opens to load one page, with some to spare, and the seconds
#: after which it is no longer one page that is loaded.
PAGE, LASTING = 8, 5.0

# An observed sample has at least the first number of exchanges, as many as the second if they
# come fast, and more, up to the third, until its error is small.
_FEW, _ENOUGH, _MOST = 16, 32, 512

# The seconds of such a sample, those of one while exchanges take as long as they should, and
# those after which an unfinished one is stale.
_PERIOD, _CALM, _STALE = 1.0, 4.0, 300.0

# Levels are apart if one is this multiple of the other.  A lower limit is tried if the present
# level is the second multiple of it.
_APART, _STEP = 4 / 3, 1.2

# A lower limit is at least the level divided by this, and the level divided by one of the others
# if nothing is known: the second for high levels.
_STEEP, _HIGH, _LOW, _MIDDLE = 4, 3, 2, 12

# Seconds until a trial that failed is repeated: doubled each time, up to the second for a lower
# limit and the third for a higher one.
_PAUSE, _LONGEST, _LONGER = 2.0, 300.0, 60.0

# At least one exchange of this many is measured.
_RAREST = 64

# One exchange of this many is measured where there is only one and its time is known.
_ALONE = 16


@define
class _Base:
    """
    The time to the first byte at a level at which little queues.

    @ivar until: until when a trial counts that has shown that nothing queues at higher levels if
        their times are the same.
    """

    level: float
    mean: float
    until: float = 0.0

    def tells(self, level: float, now: float) -> bool:
        """
        @return: whether times at this level can be compared with these.
        """
        return now < self.until or self.level * _APART <= level

    def note(self, sample: Sample) -> None:
        """
        Follow a sample in which nothing queued.
        """
        noise = 1 + 2 * sample.error
        if sample.level * _APART < self.level:
            self.level, self.mean, self.until = sample.level, sample.mean, 0.0
        elif sample.mean * noise < self.mean:
            self.mean = (self.mean + sample.mean) / 2
        elif sample.mean < self.mean or sample.level <= self.level * 1.1:
            self.mean += (min(sample.mean, self.mean * noise) - self.mean) / 8
        self.level = min(self.level, sample.level)


class Slowdown:
    """
    The concurrency beyond which exchanges only wait inside an app.

    Watching is not enough.  If n exchanges are at work and r are answered in a second, each takes
    n / r seconds, whether the app lets them wait or its database has become slow.  So a limit
    comes from a trial.  When first bytes take longer than they did at a lower concurrency, or that
    is not known, a lower limit is set for a moment.  If the times fall in proportion, the app
    answers as many exchanges per second as before: the others only waited, and the limit stays.
    Otherwise the limit returns to what it was, and the times are taken as normal.  Likewise a
    higher limit is tried now and then, while the present one is reached.

    The caller lets at most C{limit} exchanges begin, and looks at it after each L{answered} and
    L{expired}.

    @ivar limit: how many exchanges the app should have at once now.
    @ivar settled: the same without the trial that is going on.
    @ivar until: when L{expired} must be called, even if nothing is answered until then; infinite
        without a trial.
    """

    def __init__(self, most: int, now: float = 0.0) -> None:
        """
        @param most: the limit while nothing speaks against it.
        @param now: by any clock in seconds, as for all methods.
        """
        self.limit = self.settled = self._most = most
        self.until = math.inf
        self._every = self._skip = self._alone = 1
        self._sample = Sample(1, now, _FEW)
        self._isClosed = False
        self._least = 1
        self._base: _Base | None = None
        self._trial: Trial | None = None
        self._slow_since: float | None = None
        self._lower_at = self._raise_at = 0.0
        self._lower_pause = self._raise_pause = _PAUSE

    def began(self, concurrency: int) -> int:
        """
        An exchange begins.

        @param concurrency: how many the app has, with this one.
        @return: what L{answered} is called with when its first byte comes; if it is 0, no call is
            needed.
        """
        self._skip -= 1
        if self._skip > 0:
            return 0
        self._skip = self._every if concurrency > 1 else self._every * self._alone
        sample = self._sample
        if sample.begun >= sample.size or concurrency < self._least:
            return -1
        sample.begun += 1
        sample.concurrency += concurrency
        return sample.number

    def skipped(self) -> int:
        """
        @return: the number of exchanges of which L{began} need not be called before the next
            one, since they are not measured.
        """
        skip, self._skip = self._skip - 1, 1
        return max(0, skip)

    def answered(self, sample: int, seconds: float, now: float) -> None:
        """
        The first byte of an answer came.

        @param sample: what L{began} returned.
        @param seconds: the time since then.
        """
        present = self._sample
        if sample == present.number:
            present.seconds.append(seconds)
            present.latest = now
        if self._trial is not None:
            self._try(self._trial, present, now)
        elif self._isWhole(present, now):
            self._conclude(present, now)

    def expired(self, now: float) -> None:
        """
        It is C{until}: give a trial up that has shown nothing.
        """
        if self._trial is not None and now >= self.until:
            self._try(self._trial, self._sample, now)

    def _isWhole(self, sample: Sample, now: float) -> bool:
        """
        @return: whether an observed sample has what it needs.
        """
        if not self._isClosed:
            if now > sample.since + _STALE:
                self._restart(now)
                return False
            if sample.begun < sample.size or len(sample.seconds) < sample.size * 3 // 4:
                return False
            sample.measure(False)
            isShort = sample.size < _ENOUGH and now < sample.since + _PERIOD
            if isShort or (sample.size < _MOST and sample.error > EXACT):
                sample.extend()
                if now < sample.since + _PERIOD / 4:
                    # They come fast: spread the sample over more of them.
                    self._every = min(_RAREST, self._every * 2)
                return False
            self._isClosed = True
        return sample.isComplete(now)

    def _conclude(self, sample: Sample, now: float) -> None:
        """
        Decide what an observed sample means.
        """
        self._thin(now - sample.since)
        sample.measure(True)
        if sample.error > VAGUE:
            self._restart(now)
            return
        target = self._target(sample, now)
        if target * _STEP <= sample.level:
            if self._slow_since is None:
                self._slow_since = sample.since
            if now < self._slow_since + LASTING:
                target = max(target, PAGE)
            ready = max(self._lower_at, self._slow_since + 2 * _PERIOD)
            if now >= ready and target * _STEP <= sample.level:
                self._start(sample, target, now)
                return
        else:
            self._slow_since = None
            self._note(sample)
        mayRaise = now >= self._raise_at and (self._slow_since is None or now < self._lower_at)
        if mayRaise and sample.level > 0.9 * self.limit < self._most:
            self._start(sample, self._higher(), now)
        else:
            self._restart(now)

    def _thin(self, seconds: float) -> None:
        """
        Measure fewer or more of the exchanges, so that a sample takes about as long as it should.
        """
        period = _CALM if self._slow_since is None else _PERIOD
        if seconds < period / 2:
            self._every = min(_RAREST, self._every * 2)
        elif seconds > 2 * period and self._every > 1:
            self._every //= 2

    def _target(self, sample: Sample, now: float) -> int:
        """
        @return: the concurrency that would be enough, as far as is known.
        """
        level, base = sample.level, self._base
        if base is not None and base.tells(level, now):
            knee = level * base.mean * (1 + sample.error) / sample.mean
        else:
            knee = level / (_HIGH if level > _MIDDLE else _LOW)
        return max(1, round(knee), int(level / _STEEP), int(level * SOON / sample.mean))

    def _note(self, sample: Sample) -> None:
        if self._base is None:
            self._base = _Base(sample.level, sample.mean)
        else:
            self._base.note(sample)
        self._alone = _ALONE if self._base.level < 1.5 else 1

    def _higher(self) -> int:
        """
        @return: the next higher limit.
        """
        return min(self._most, self.settled + max(1, self.settled // 2))

    def _start(self, before: Sample, limit: int, now: float, undo: int = 0) -> None:
        """
        Try another limit.
        """
        trial = self._trial = Trial(before, self.settled, limit, undo)
        self.limit = limit
        self._least = trial.least()
        self._every = self._skip = 1
        self._restart(now, trial.size(), trial.horizon())
        self.until = trial.end(self._sample)

    def _try(self, trial: Trial, sample: Sample, now: float) -> None:
        """
        End a trial if it has shown something.
        """
        outcome = trial.outcome(sample, now)
        if outcome is Outcome.OPEN:
            self.until = trial.end(sample)
            return
        if outcome is Outcome.FOUND:
            self._found(trial, sample, now)
        elif trial.isLower():
            self._failedLower(sample, outcome, now)
        else:
            self._raise_at = now + self._raise_pause
            self._raise_pause = min(_LONGER, self._raise_pause * 2)
            self._end(self.settled, now)

    def _found(self, trial: Trial, sample: Sample, now: float) -> None:
        """
        Take a better limit, and try at once whether that was a mistake or even more is better.
        """
        self._raise_pause = _PAUSE
        self._raise_at = now + _PAUSE
        self._end(trial.found, now)
        if self.settled == self._most:
            return
        if not trial.isLower():
            if self.settled == trial.limit:
                self._start(sample, self._higher(), now)
            return
        self._lower_pause = _PAUSE
        if 0.8 < self.settled / sample.level < 1.2:
            self._start(sample, min(self._most, 2 * self.settled), now, trial.present)

    def _failedLower(self, sample: Sample, outcome: Outcome, now: float) -> None:
        """
        Take the times of a lower limit as normal: for a longer time each time this is shown.
        """
        pause = self._lower_pause
        self._slow_since = None
        self._lower_at = now + pause
        self._lower_pause = min(_LONGEST, pause * 2)
        if outcome is not Outcome.FAILED:
            trust = 2 * pause**3 if outcome is Outcome.FLAT else 4 * pause
            self._base = _Base(sample.level, sample.mean, now + trust)
        self._end(self.settled, now)

    def _end(self, limit: int, now: float) -> None:
        """
        Have no trial.
        """
        self.limit = self.settled = limit
        self.until = math.inf
        self._trial = None
        self._least = 1
        self._restart(now)

    def _restart(self, now: float, size: int = _FEW, horizon: float = math.inf) -> None:
        """
        Begin another sample.
        """
        self._sample = Sample(self._sample.number + 1, now, size, horizon)
        self._isClosed = False
