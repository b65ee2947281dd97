"""
Apps and loads for which a capacity is learned.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial

from attrs import frozen

from benchmarks.slowdown.servers import App, Loop, Pauses, Shared, Simulation, Threads

__all__ = ["MOST", "SCENARIOS", "Scenario"]

#: The limit of an app that takes what it gets.
MOST = 100

Work = Callable[[random.Random, float], float]


def lognormal(mean: float, variation: float) -> Work:
    """
    @return: times with this mean; their standard deviation is C{variation} times their mean.
    """
    sigma = math.sqrt(math.log(1 + variation**2))
    mu = math.log(mean) - sigma**2 / 2
    return lambda source, now: source.lognormvariate(mu, sigma)


def mixed(*parts: tuple[float, float]) -> Work:
    """
    @param parts: pairs of a share and a time.
    """

    def work(source: random.Random, now: float) -> float:
        shares = [share for share, _ in parts]
        (found,) = source.choices([seconds for _, seconds in parts], shares)
        return found * source.lognormvariate(0, 0.1)

    return work


def scaled(work: Work, factor: Callable[[float], float]) -> Work:
    """
    @return: the same times, multiplied by what the time of the day makes of them.
    """
    return lambda source, now: work(source, now) * factor(now)


@frozen
class Scenario:
    """
    An app under a load.

    @ivar app: makes the app.
    @ivar work: how many seconds a request takes.
    @ivar right: its true capacity; L{MOST} for an app without one.
    @ivar clients: the number of clients that each send their next request at once; or
    @ivar rate: requests per second, at random times.
    @ivar burst: with C{rate}: this many come together.
    @ivar instances: how many instances share the load.
    """

    name: str
    app: Callable[[Simulation], App]
    work: Work
    right: int
    clients: int = 0
    rate: float = 0.0
    burst: int = 1
    instances: int = 1
    seconds: float = 120.0


def _threads(number: int, fair: bool = True, every: float = 0.0) -> Callable[[Simulation], App]:
    pauses = Pauses(every, 0.5 if every else 0)
    return lambda simulation: Threads(simulation, number, pauses=pauses, fair=fair)


def _shared(simulation: Simulation) -> App:
    return Shared(simulation, 2)


def _busy(simulation: Simulation) -> App:
    return Loop(simulation, 1.0)


def _endless(simulation: Simulation) -> App:
    return Loop(simulation, 0.0)


def _pausing(simulation: Simulation) -> App:
    return Loop(simulation, 0.01, pauses=Pauses(5, 0.5))


def _step(at: float, factor: float) -> Callable[[float], float]:
    return lambda now: factor if now > at else 1.0


def _waves(now: float) -> float:
    """
    Ten seconds in thirty are three times as slow.
    """
    return 3.0 if now % 30 > 20 else 1.0


_TENTH = lognormal(0.1, 0.3)
_VARIED = lognormal(0.1, 2.0)
_MIXED = mixed((0.5, 0.001), (0.5, 1.0))
_RARE = mixed((0.97, 0.02), (0.03, 2.0))
_POLLS = mixed((0.9, 0.01), (0.1, 30.0))
_LATER = scaled(_TENTH, _step(60, 2))
_MUCH = scaled(_TENTH, _step(60, 4))
_NOW_AND_THEN = scaled(_TENTH, _waves)
_WARM = scaled(lognormal(0.4, 0.3), _step(20, 0.25))

_four = partial(Scenario, app=_threads(4), right=4)
_loop = partial(Scenario, app=_endless, right=MOST)

#: All scenarios.
SCENARIOS = [
    _four("4 threads, 100 ms", work=_TENTH, clients=100),
    _four("the same, rising load", work=_TENTH, rate=44),
    _four("the same, 3 instances, 80 %", work=_TENTH, rate=96, instances=3),
    _four("the same, bursts of 30", work=_TENTH, rate=84, burst=30, instances=3),
    _four("the same, slower from 60 s", work=_LATER, clients=60),
    _four("4 threads, varied times", work=_VARIED, clients=100),
    _four("the same, 3 instances, 80 %", work=_VARIED, rate=96, instances=3),
    _four("4 threads, 1 ms and 1 s", work=_MIXED, clients=50, seconds=300),
    _four("4 threads, pauses", app=_threads(4, every=7), work=_TENTH, clients=60),
    _four("40 threads, 100 ms", app=_threads(40), work=_TENTH, right=40, clients=150),
    _four(
        "the same, 2 instances, 80 %",
        app=_threads(40),
        work=_TENTH,
        right=40,
        rate=640,
        instances=2,
    ),
    Scenario("a lock, 50 ms", _threads(1, fair=False), lognormal(0.05, 0.3), 1, clients=40),
    Scenario("2 processors, 100 ms", _shared, _TENTH, 2, clients=50),
    Scenario("loop, 5 ms of processor", _busy, lognormal(0.005, 0.3), 6, clients=100),
    _loop("loop, waits 200 ms", work=lognormal(0.2, 0.3), clients=100),
    _loop("loop, varied times", work=_VARIED, clients=100),
    _loop("loop, 1 ms and 1 s", work=_MIXED, clients=60),
    _loop("loop, long polls of 30 s", work=_POLLS, rate=20, seconds=300),
    _loop("loop, 3 % take 2 s", work=_RARE, rate=300),
    _loop("loop, slow for all from 60 s", work=_MUCH, rate=200),
    _loop("loop, slow now and then", work=_NOW_AND_THEN, rate=200, seconds=300),
    _loop("loop, slow at first", work=_WARM, clients=80),
    _loop("loop, pauses", app=_pausing, work=_TENTH, rate=200),
]
