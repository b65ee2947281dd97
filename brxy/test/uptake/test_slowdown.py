"""
Tests of limits for apps that queue inside.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush

from twisted.trial.unittest import SynchronousTestCase

from brxy.uptake.slowdown import PAGE, Slowdown

# The limit of an app that takes everything.
_MOST = 100

# Seconds of a request, at a time.
Work = Callable[[random.Random, float], float]


class App:
    """
    A simulated app with some threads, and clients that send their next request at once.

    @ivar threads: how many requests it works on at once.
    @ivar now: the time.
    @ivar limits: pairs of a time and the limit from then on.
    @ivar answered: how many requests it has answered.
    """

    def __init__(self, threads: int, work: Work, slowdown: Slowdown) -> None:
        self.limits = [(0.0, slowdown.limit)]
        self.answered = 0
        self.threads = threads
        self._work = work
        self._slowdown = slowdown
        self._random = random.Random(1)
        self._queue: deque[tuple[float, int]] = deque()
        self._running: list[tuple[float, float, int]] = []
        self.now = 0.0

    def run(self, clients: int, until: float) -> None:
        """
        Serve this number of clients up to a time.
        """
        self._fill(clients)
        while self._running and self._running[0][0] <= until:
            self._expire(self._running[0][0])
            self._fill(clients)
            self.now, began, sample = heappop(self._running)
            self.answered += 1
            if sample:
                self._slowdown.answered(sample, self.now - began, self.now)
            self._note()
            self._fill(clients)
        self.now = until

    def _expire(self, until: float) -> None:
        if self._slowdown.until < until:
            self.now = max(self.now, self._slowdown.until)
            self._slowdown.expired(self.now)
            self._note()

    def _note(self) -> None:
        if self._slowdown.limit != self.limits[-1][1]:
            self.limits.append((self.now, self._slowdown.limit))

    def _fill(self, clients: int) -> None:
        while self._busy() < min(clients, self._slowdown.limit):
            self._queue.append((self.now, self._slowdown.began(self._busy() + 1)))
        while self._queue and len(self._running) < self.threads:
            began, sample = self._queue.popleft()
            end = self.now + self._work(self._random, self.now)
            heappush(self._running, (end, began, sample))

    def _busy(self) -> int:
        return len(self._queue) + len(self._running)

    def since(self, time: float) -> set[int]:
        """
        @return: the limits from a time on.
        """
        before = [limit for when, limit in self.limits if when <= time]
        return {before[-1], *(limit for when, limit in self.limits if when > time)}


def about(seconds: float, spread: float = 0.3) -> Work:
    return lambda source, now: seconds * source.uniform(1 - spread, 1 + spread)


def serve(threads: int, work: Work, clients: int, until: float) -> App:
    app = App(threads, work, Slowdown(_MOST))
    app.run(clients, until)
    return app


class QueueTests(SynchronousTestCase):
    """
    Tests of L{Slowdown} with apps that queue.
    """

    def test_found(self) -> None:
        """
        The limit of an app with four threads is four within some hundred answers, and only trials
        change it then.
        """
        app = serve(4, about(0.1), 60, 300)
        self.assertIn(app.since(20), [{4, 5, 6}, {4, 6}, {4, 5, 6, 7}])

    def test_lost(self) -> None:
        """
        The app answers as many requests as if it had all of them.
        """
        all_at_once = App(4, about(0.1), Slowdown(4))
        all_at_once.run(4, 300)
        app = serve(4, about(0.1), 60, 300)
        self.assertGreater(app.answered, 0.99 * all_at_once.answered)

    def test_one(self) -> None:
        """
        An app that works on one at a time gets one.
        """
        self.assertLessEqual(serve(1, about(0.1), 30, 100).since(60), {1, 2})

    def test_many(self) -> None:
        """
        So is the limit of one with 40 threads found.
        """
        found = serve(40, about(0.1), 150, 100).since(30)
        self.assertLessEqual(max(found), 80)
        self.assertGreaterEqual(min(found), 30)

    def test_mixed(self) -> None:
        """
        It is found where requests take a millisecond or a second.
        """
        app = serve(4, lambda source, now: source.choice([0.001, 1.0]), 50, 600)
        self.assertLessEqual(max(app.since(120)), 16)
        self.assertGreater(app.answered, 0.93 * 600 * 4 / 0.5005)

    def test_soon(self) -> None:
        """
        Where first bytes come soon, however many wait, there is no limit.
        """
        self.assertEqual(serve(4, about(0.001), 80, 30).since(0), {_MOST})

    def test_page(self) -> None:
        """
        One page that is loaded by a browser is not held up.
        """
        app = serve(1, about(0.1), 7, 5)
        self.assertGreaterEqual(min(app.since(0)), PAGE)

    def test_moreThreads(self) -> None:
        """
        A limit that has become too low rises while it is reached.
        """
        app = App(4, about(0.1), Slowdown(_MOST))
        app.run(60, 30)
        app.threads = 16
        app.run(60, 120)
        self.assertGreaterEqual(min(app.since(115)), 14)


class EndlessTests(SynchronousTestCase):
    """
    Tests of L{Slowdown} with apps that queue nothing.
    """

    def assertUnlimited(self, app: App, since: float, part: float = 0.97) -> None:
        """
        The limit is the highest one, except for trials.
        """
        later = [*app.limits[1:], (app.now, 0)]
        whole = sum(
            max(0.0, end - max(since, when))
            for (when, limit), (end, _) in zip(app.limits, later, strict=True)
            if limit == _MOST
        )
        self.assertGreater(whole, part * (app.now - since))

    def test_same(self) -> None:
        """
        An app that takes the same time for everything has no limit, after two trials at most.
        """
        app = serve(1000, about(0.2), 100, 120)
        self.assertUnlimited(app, 0)
        self.assertLessEqual(len(app.limits), 5)

    def test_mixed(self) -> None:
        """
        Nor one whose requests take a millisecond or a second.
        """
        self.assertUnlimited(serve(1000, lambda s, now: s.choice([0.001, 1.0]), 90, 120), 0, 0.9)

    def test_slowForAll(self) -> None:
        """
        Nor one that becomes slow, at any concurrency.
        """
        app = App(
            1000, lambda s, now: s.uniform(0.07, 0.13) * (4 if now > 30 else 1), Slowdown(_MOST)
        )
        app.run(20, 30)
        app.run(80, 90)
        self.assertUnlimited(app, 0)

    def test_longPolls(self) -> None:
        """
        Nor one of whose answers some come late or never.
        """
        app = serve(1000, lambda s, now: 30.0 if s.random() < 0.1 else 0.05, 60, 300)
        self.assertUnlimited(app, 0, 0.9)

    def test_pauses(self) -> None:
        """
        Nor one that stands still now and then.
        """
        app = serve(1000, lambda s, now: s.uniform(0.07, 0.13) + 0.5 * (now % 7 < 0.1), 60, 120)
        self.assertUnlimited(app, 0)


class CostTests(SynchronousTestCase):
    """
    Tests of which exchanges L{Slowdown} needs.
    """

    def test_thin(self) -> None:
        """
        Of many exchanges few are measured.
        """
        slowdown = Slowdown(_MOST)
        measured = sum(self.exchange(slowdown, 2, i / 5000) for i in range(50_000))
        self.assertLess(measured, 5_000)

    def test_alone(self) -> None:
        """
        Where each exchange is alone, one of sixteen is measured once the time is known.
        """
        slowdown = Slowdown(_MOST)
        measured = sum(self.exchange(slowdown, 1, i / 10) for i in range(2_000))
        self.assertLess(measured, 200)

    def test_first(self) -> None:
        """
        The first sample begins when the app does, so that its first answers count.
        """
        slowdown = Slowdown(_MOST, 5000.0)
        first, second = (slowdown.began(each) for each in (1, 2))
        for now in (5000.1, 5000.2):
            slowdown.answered(first, 0.1, now)
        self.assertEqual(slowdown.began(1), second)

    def exchange(self, slowdown: Slowdown, concurrency: int, now: float) -> bool:
        """
        @return: whether it was measured.
        """
        sample = slowdown.began(concurrency)
        if sample:
            slowdown.answered(sample, 0.01, now)
        return sample != 0
