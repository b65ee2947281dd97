"""
Known algorithms that find a limit of concurrency, for comparison.

Each is made from its published description, with its usual constants, but with a lowest limit
of 1, because an app can have one thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from attrs import define, field

from brxy.uptake.slowdown import Slowdown

__all__ = ["Fixed", "Gradient", "Learner", "Quantile", "Vegas", "LEARNERS"]


class Learner(Protocol):
    """
    What finds the limit of one instance, which is the number of exchanges it gets at once.
    """

    @property
    def limit(self) -> int: ...

    def began(self, concurrency: int) -> int:
        """
        An exchange began.

        @return: for L{answered}; 0 if that need not be called.
        """

    def answered(self, sample: int, seconds: float, now: float) -> None:
        """
        The first byte of an answer came.
        """


@define
class Fixed:
    """
    A limit that is known.
    """

    limit: int

    def began(self, concurrency: int) -> int:
        return 0

    def answered(self, sample: int, seconds: float, now: float) -> None:
        pass


@define
class _Windowed:
    """
    One sample a second: the mean, or the minimum, of at least ten answers.
    """

    most: int
    level: float = 0.0
    _until: float = 0.0
    _seconds: list[float] = field(factory=list)
    _highest: int = 0

    def __attrs_post_init__(self) -> None:
        self.level = float(self.most)

    @property
    def limit(self) -> int:
        return max(1, int(self.level))

    def began(self, concurrency: int) -> int:
        return concurrency

    def answered(self, sample: int, seconds: float, now: float) -> None:
        self._seconds.append(seconds)
        self._highest = max(self._highest, sample)
        if now > self._until:
            if len(self._seconds) >= 10:
                self.sampled(self._seconds, self._highest)
            self._seconds, self._highest = [], 0
            self._until = now + 1.0

    def sampled(self, seconds: list[float], concurrency: int) -> None:
        raise NotImplementedError

    def move(self, level: float) -> None:
        self.level = max(1.0, min(float(self.most), level))


@define
class Gradient(_Windowed):
    """
    "Gradient2" of Netflix' concurrency-limits: the mean of a window against a long-term mean.
    """

    _long: float = 0.0
    _count: int = 0

    def sampled(self, seconds: list[float], concurrency: int) -> None:
        short = sum(seconds) / len(seconds)
        self._count += 1
        if self._count <= 10:
            self._long += (short - self._long) / self._count
        else:
            self._long += (short - self._long) * 2 / 601
        if self._long / short > 2:
            self._long *= 0.9
        if concurrency < self.level / 2:
            return
        gradient = max(0.5, min(1.0, self._long / short))
        self.move(self.level * 0.8 + (self.level * gradient + 4) * 0.2)


@define
class Vegas(_Windowed):
    """
    TCP Vegas, as in Netflix' concurrency-limits: an estimate of what waits, from the shortest
    time ever, which is forgotten now and then.
    """

    _shortest: float = 0.0
    _count: int = 0

    def sampled(self, seconds: list[float], concurrency: int) -> None:
        mean = sum(seconds) / len(seconds)
        self._count += 1
        if self._count >= 30 * self.level * 0.75:
            self._count, self._shortest = 0, mean
            return
        if not self._shortest or mean < self._shortest:
            self._shortest = mean
            return
        if concurrency * 2 < self.level:
            return
        queue = math.ceil(self.level * (1 - self._shortest / mean))
        step = max(1, int(math.log10(self.level)))
        if queue <= step:
            self.move(self.level + 6 * step)
        elif queue < 3 * step:
            self.move(self.level + step)
        elif queue > 6 * step:
            self.move(self.level - step)


@define
class Quantile(_Windowed):
    """
    AIMD: a tenth less when the nine tenth quantile is more than twice the lowest seen within a
    minute, else one more.
    """

    _lowest: list[float] = field(factory=list)

    def sampled(self, seconds: list[float], concurrency: int) -> None:
        quantile = sorted(seconds)[int(len(seconds) * 0.9)]
        self._lowest = [*self._lowest[-59:], quantile]
        if quantile > 2 * min(self._lowest):
            self.move(self.level * 0.9)
        elif concurrency * 2 >= self.level:
            self.move(self.level + 1)


#: By name.
LEARNERS: dict[str, Callable[[int], Learner]] = {
    "gradient2": Gradient,
    "vegas": Vegas,
    "aimd": Quantile,
    "brxy": Slowdown,
}
