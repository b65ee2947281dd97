"""
Quantiles of times.

Pure: numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil, exp, log

__all__ = ["Quantiles"]

# Each class is this much longer than the last: a quantile is right to half of it.
_STEP = log(1.1)

# Times that are shorter are taken for this one (seconds).
_LEAST = 1e-5


class Quantiles:
    """
    Counts times in classes, so that any number of them takes little memory.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """
        One more time.
        """
        self._counts[round(log(max(seconds, _LEAST)) / _STEP)] += 1

    def take(self, shares: Sequence[float]) -> list[float]:
        """
        Forget all times.

        @param shares: the quantiles that are wanted, in rising order: C{0.5} is the median.
        @return: their values; none without any times.
        """
        counts, self._counts = self._counts, Counter()
        ranks = [ceil(share * counts.total()) for share in shares]
        found: list[float] = []
        passed = 0
        for place in sorted(counts):
            passed += counts[place]
            while len(found) < len(ranks) and ranks[len(found)] <= passed:
                found.append(exp(place * _STEP))
        return found
