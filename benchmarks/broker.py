"""
Measures the cost of a step of the broker, by the number of waiters and of
routes.

C{python -m benchmarks.broker}, or C{./dev bench broker}.

A step is everything that the edge calls in the broker for one held exchange:
wait, the next deadline, ready, finish. Each size has a process of its own, and
the processes take turns. The same steps are made on all routes in random
order, and on a few of them. The difference between the two is no work: it is
the time that the processor waits for memory which is not in its caches. The
number of Python instructions shows how much work there is.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.managers import BaseManager
from pathlib import Path
from types import FrameType
from typing import Any

import attrs
from attrs import define, field, frozen

from benchmarks.http.servers import BenchError
from benchmarks.http.usage import residentSize
from benchmarks.report.command import guarded, say
from benchmarks.report.machine import describe
from brxy.broker.broker import Broker
from brxy.broker.offer import Offer
from brxy.edge.exchanges.table import Exchange
from brxy.wire.frames import KIND_HTTP

__all__ = ["Crowd", "main"]

# Seconds between two waiters, so that their deadlines differ.
_GAP = 1e-5

# With this few routes all data of a step are in the processor's caches.
_FEW = 100

# The number of steps whose instructions are counted.
_COUNTED = 1000


@frozen
class Size:
    """
    The number of waiters, and of routes.
    """

    waiters: int
    routes: int


_NUMBERS = (1_000, 10_000, 100_000, 1_000_000)

#: The series of sizes, by what they show.
_SERIES = {
    "more and more wait, on as many routes": [Size(number, 1_000) for number in _NUMBERS],
    "more and more routes, ten wait on each": [Size(number, number // 10) for number in _NUMBERS],
}
_SMOKE = {"ten wait on each route": [Size(1_000, 100), Size(10_000, 1_000)]}


@frozen
class Figures:
    """
    The results for one size.

    @ivar everywhere: CPU µs of a step on all routes, by round.
    @ivar few: the same on a few routes.
    @ivar instructions: of Python, in a step.
    @ivar exchange: bytes of memory of a waiting exchange.
    @ivar place: bytes of memory that the broker needs for it to wait, its
        share of its route's included.
    """

    size: Size
    instructions: float
    exchange: float
    place: float
    everywhere: list[float] = field(factory=list)
    few: list[float] = field(factory=list)


@define(eq=False)
class _Slot:
    """
    The part of a slot that the broker uses.
    """

    offer: Offer


class Crowd:
    """
    A broker with many waiters.
    """

    def __init__(self, size: Size) -> None:
        self._size = size
        self._random = random.Random(1)
        self._now = 0.0
        self._names = [f"app{number}.example.com" for number in range(size.routes)]
        self._slots = [
            _Slot(Offer(name, number, f"t{number}")) for number, name in enumerate(self._names)
        ]
        self._broker: Broker[Exchange, _Slot] = Broker(max_held=size.waiters, hold_timeout=60.0)
        self._sizes = self._fill()

    def _fill(self) -> tuple[float, float]:
        """
        Add all waiters.

        @return: bytes of memory of an exchange, and of its place.
        """
        routes = [number % self._size.routes for number in range(self._size.waiters)]
        self._random.shuffle(routes)
        pid = os.getpid()
        sizes = [residentSize(pid)]
        waiters = [self._exchange(route) for route in routes]
        sizes.append(residentSize(pid))
        for waiter in waiters:
            self._now += _GAP
            self._broker.wait(waiter, self._now)
        sizes.append(residentSize(pid))
        empty, made, waiting = (size / self._size.waiters for size in sizes)
        return made - empty, waiting - made

    def sizes(self) -> tuple[float, float]:
        """
        @return: bytes of memory of an exchange, and of its place.
        """
        return self._sizes

    def _exchange(self, route: int) -> Exchange:
        return Exchange(self._names[route], KIND_HTTP, True, 3, "", None)

    def _order(self, routes: int) -> Iterator[int]:
        """
        @return: this many routes in random order, each once, and then again
            from the start.
        """
        order = list(range(routes))
        while True:
            self._random.shuffle(order)
            yield from order

    def steps(self, number: int, few: bool) -> float:
        """
        Make this many steps.

        @return: CPU seconds of one step.
        """
        routes = min(_FEW, self._size.routes) if few else self._size.routes
        comers, servers = self._order(routes), self._order(routes)
        waiters = [self._exchange(next(comers)) for _ in range(number)]
        slots = [self._slots[next(servers)] for _ in range(number)]
        # The garbage collector's passes depend on all objects of the process.
        gc.disable()
        began = time.process_time()
        self._take(waiters, slots)
        spent = time.process_time() - began
        gc.enable()
        return spent / number

    def instructions(self, number: int) -> float:
        """
        @return: how many Python instructions a step takes.
        """
        comers, servers = self._order(self._size.routes), self._order(self._size.routes)
        waiters = [self._exchange(next(comers)) for _ in range(number)]
        slots = [self._slots[next(servers)] for _ in range(number)]
        executed = 0

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal executed
            frame.f_trace_lines, frame.f_trace_opcodes = False, True
            executed += event == "opcode"
            return trace

        sys.settrace(trace)
        try:
            self._take(waiters, slots)
        finally:
            sys.settrace(None)
        return executed / number

    def _take(self, waiters: Sequence[Exchange], slots: Sequence[_Slot]) -> None:
        """
        Make a step with each of these pairs, which need not match each other.
        """
        broker = self._broker
        matches = []
        for waiter, slot in zip(waiters, slots, strict=True):
            self._now += _GAP
            broker.wait(waiter, self._now)
            broker.nextDeadline()
            matches.append(broker.ready(slot))
            broker.finish(slot)
        assert None not in matches and sum(broker.snapshot().held.values()) == self._size.waiters


class _Processes(BaseManager):
    """
    A process that contains a crowd.
    """


_Processes.register("Crowd", Crowd)


def _measure(sizes: Iterable[Size], rounds: int, steps: int) -> dict[Size, Figures]:
    """
    Measure all sizes; their processes take turns.
    """
    order = random.Random(1)
    with ExitStack() as stack:
        crowds = []
        for size in sizes:
            say(f"{size.waiters:,} wait on {size.routes:,} routes")
            manager: Any = stack.enter_context(_Processes(ctx=get_context("spawn")))
            crowd = manager.Crowd(size)
            crowds.append((crowd, Figures(size, crowd.instructions(_COUNTED), *crowd.sizes())))
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            for crowd, figures in order.sample(crowds, len(crowds)):
                figures.everywhere.append(1e6 * crowd.steps(steps, few=False))
                # The first steps match the waiters that have waited longest.
                crowd.steps(steps, few=True)
                figures.few.append(1e6 * crowd.steps(steps, few=True))
    return {figures.size: figures for _, figures in crowds}


_COLUMNS = "{:>9} {:>8} {:>11} {:>10} {:>12} {:>15} {:>8} {:>10}"


def _row(figures: Figures) -> str:
    """
    @return: a line of the table.
    """
    step = statistics.median(figures.everywhere)
    return _COLUMNS.format(
        f"{figures.size.waiters:,}",
        f"{figures.size.routes:,}",
        f"{step:.2f}",
        f"{1e6 / step:,.0f}",
        f"{statistics.median(figures.few):.2f}",
        f"{figures.instructions:.1f}",
        f"{figures.exchange:.0f}",
        f"{figures.place:.0f}",
    )


def _report(series: Mapping[str, Sequence[Size]], found: Mapping[Size, Figures]) -> str:
    """
    @return: a table for each series.
    """
    first = ("", "", "CPU µs", "steps", "CPU µs, on", "instructions", "bytes of", "bytes of")
    few = f"{_FEW} of them"
    second = ("waiting", "routes", "of a step", "a second", few, "of Python", "each", "its place")
    lines = [_COLUMNS.format(*first), _COLUMNS.format(*second)]
    for title, sizes in series.items():
        lines += [f"{title}:", *(_row(found[size]) for size in sizes)]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    """
    @return: the parser of the command line.
    """
    parser = argparse.ArgumentParser(prog="bench broker", description="A step of the broker.")
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    add("--smoke", action="store_true", help="only check that everything works")
    return parser


def _run(options: argparse.Namespace) -> None:
    """
    Measure, and print the results.
    """
    series, rounds, steps = (_SMOKE, 2, 2_000) if options.smoke else (_SERIES, 11, 20_000)
    sizes = {size: None for listed in series.values() for size in listed}
    found = _measure(sizes, rounds, steps)
    print(_report(series, found))
    if options.json is not None:
        figures = [attrs.asdict(each) for each in found.values()]
        _write(options.json, {"machine": describe(), "sizes": figures})


def _write(file: Path, figures: Mapping[str, object]) -> None:
    """
    Write the results as JSON.

    @raise BenchError: that is not possible.
    """
    try:
        file.write_text(json.dumps(figures, indent=1) + "\n")
    except OSError as error:
        raise BenchError(f"can't write {file}: {error.strerror}") from None


def main(argv: Sequence[str]) -> int:
    """
    @return: the exit status.
    """
    options = _parser().parse_args(argv)
    return guarded(lambda: _run(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
