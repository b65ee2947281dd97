"""
Simulates how the capacity of apps that queue inside is learned: brxy's way and known algorithms.

C{python -m benchmarks.slowdown.simulation}, or C{./dev bench slowdown}.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import Pool
from pathlib import Path

from attrs import define, field, frozen

from benchmarks.report.command import guarded
from benchmarks.report.table import table
from benchmarks.slowdown.rivals import LEARNERS, Fixed, Learner
from benchmarks.slowdown.scenarios import MOST, SCENARIOS, Scenario
from benchmarks.slowdown.servers import App, Simulation

__all__ = ["main"]


@define
class Instance:
    """
    One instance with what learns its limit.
    """

    app: App
    learner: Learner
    busy: int = 0
    answered: int = 0
    changes: list[tuple[float, int, int]] = field(factory=list)


@define
class Edge:
    """
    One queue before some instances: the first instance with a place gets the next request.
    """

    simulation: Simulation
    scenario: Scenario
    instances: list[Instance]
    seed: int
    waiting: deque[tuple[float, float]] = field(factory=deque)
    latencies: list[tuple[float, float]] = field(factory=list)
    _source: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._source = random.Random(self.seed)

    def start(self) -> None:
        for _ in range(self.scenario.clients):
            self._arrive()
        if self.scenario.rate:
            self._open()

    def _open(self) -> None:
        for _ in range(self.scenario.burst):
            self._arrive()
        gap = self._source.expovariate(self.scenario.rate / self.scenario.burst)
        self.simulation.at(self.simulation.now + gap, self._open)

    def _arrive(self) -> None:
        now = self.simulation.now
        self.waiting.append((now, self.scenario.work(self._source, now)))
        self._serve()

    def _serve(self) -> None:
        for instance in self.instances:
            while self.waiting and instance.busy < instance.learner.limit:
                self._begin(instance, *self.waiting.popleft())

    def _begin(self, instance: Instance, arrived: float, work: float) -> None:
        began = self.simulation.now
        instance.busy += 1
        sample = instance.learner.began(instance.busy)

        def done() -> None:
            now = self.simulation.now
            instance.busy -= 1
            instance.answered += 1
            self.latencies.append((now, now - arrived))
            before = instance.learner.limit
            if sample:
                instance.learner.answered(sample, now - began, now)
            if instance.learner.limit != before:
                instance.changes.append((now, instance.answered, instance.learner.limit))
            if self.scenario.clients:
                self._arrive()
            self._serve()

        instance.app.begin(work, done)


@frozen
class Figures:
    """
    The results of some runs of one scenario.

    @ivar median: the median of the limit in the second half.
    @ivar lowest: the lowest limit then.
    @ivar highest: the highest.
    @ivar answers: after how many answers the limit was first near the true one.
    @ivar lost: the part of the requests per second that were lost to a limit that was wrong.
    @ivar p99: the latency that one percent exceeds, as a multiple of that with the true limit.
    """

    median: float
    lowest: int
    highest: int
    answers: float
    lost: float
    p99: float


@frozen
class Run:
    """
    The results of one run, in its second half.
    """

    limits: list[int]
    answers: float
    rate: float
    p99: float


def _run(scenario: Scenario, learner: Callable[[int], Learner], seed: int) -> Run:
    """
    Simulate one scenario.
    """
    simulation = Simulation()
    instances = [
        Instance(scenario.app(simulation), learner(MOST)) for _ in range(scenario.instances)
    ]
    edge = Edge(simulation, scenario, instances, seed)
    edge.start()
    simulation.run(scenario.seconds)
    half = scenario.seconds / 2
    late = sorted(seconds for when, seconds in edge.latencies if when > half)
    return Run(
        _over(instances[0].changes, half, scenario.seconds),
        _answers(instances[0].changes, scenario.right),
        len(late) / half,
        late[int(len(late) * 0.99)],
    )


def _over(changes: Sequence[tuple[float, int, int]], since: float, until: float) -> list[int]:
    """
    @return: the limit at a thousand times.
    """
    found, limit, rest = [], MOST, deque(changes)
    for step in range(1000):
        now = since + (until - since) * step / 1000
        while rest and rest[0][0] <= now:
            limit = rest.popleft()[2]
        found.append(limit)
    return found


def _answers(changes: Sequence[tuple[float, int, int]], right: int) -> float:
    """
    @return: after how many answers the limit was first near the true one; infinite if it never
        was.
    """
    near = max(1.0, right * 0.25)
    if right == MOST:
        return 0
    return next((answers for _, answers, limit in changes if abs(limit - right) <= near), math.inf)


def _figures(index: int, seeds: int) -> dict[str, Figures]:
    """
    Simulate a scenario with each algorithm and several seeds.
    """
    scenario = SCENARIOS[index]
    fixed = [_run(scenario, lambda most: Fixed(scenario.right), seed) for seed in range(seeds)]
    found = {}
    for name, learner in LEARNERS.items():
        runs = [_run(scenario, learner, seed) for seed in range(seeds)]
        limits = [limit for run in runs for limit in run.limits]
        pairs = list(zip(runs, fixed, strict=True))
        found[name] = Figures(
            statistics.median(limits),
            min(limits),
            max(limits),
            statistics.median(run.answers for run in runs),
            statistics.mean(1 - run.rate / true.rate for run, true in pairs),
            statistics.median(run.p99 / true.p99 for run, true in pairs),
        )
    return found


def _line(scenario: Scenario, name: str, found: Figures) -> list[str]:
    """
    @return: a line of the table.
    """
    return [
        scenario.name,
        "–" if scenario.right == MOST else str(scenario.right),
        name,
        f"{found.median:.0f}",
        f"{found.lowest}–{found.highest}",
        "never" if found.answers == math.inf else f"{found.answers:.0f}",
        f"{max(0.0, 100 * found.lost):.1f} %",
        f"{found.p99:.2f}",
    ]


_HEADER = ["app and load", "true", "learned by", "median", "range", "answers", "lost", "p99"]


def _simulate(only: str, seeds: int, file: Path | None) -> None:
    """
    Print a table of all scenarios, and write it as JSON.
    """
    indexes = [index for index, each in enumerate(SCENARIOS) if only in each.name]
    with Pool() as pool:
        results = pool.map(partial(_figures, seeds=seeds), indexes, chunksize=1)
        # Otherwise its workers are ended by SIGTERM, of which some would print a traceback.
        pool.close()
        pool.join()
    lines = [
        _line(SCENARIOS[index], name, figures)
        for index, found in zip(indexes, results, strict=True)
        for name, figures in found.items()
    ]
    if file is not None:
        file.write_text(json.dumps([dict(zip(_HEADER, line, strict=True)) for line in lines]))
    print(table(_HEADER, lines, left=(0, 2)))


def main(argv: Sequence[str]) -> int:
    """
    @return: the exit status.
    """
    parser = argparse.ArgumentParser(prog="./dev bench slowdown", description=__doc__)
    add = parser.add_argument
    add("--json", type=Path, help="file for the figures")
    add("--smoke", action="store_true", help="only check that everything works")
    add("--seeds", type=int, default=5, help="runs of each scenario (default: %(default)s)")
    add("--only", default="", help="scenarios with this in their name")
    options = parser.parse_args(argv)
    only = "40 threads" if options.smoke else options.only
    seeds = 1 if options.smoke else options.seeds
    return guarded(lambda: _simulate(only, seeds, options.json))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
