"""
Measures the cost of a request: brxy and other proxies before the same origin.

C{python -m benchmarks.http.http}, or C{./dev bench http}.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.http.contender import Contender
from benchmarks.http.load import LOADS
from benchmarks.http.others import OTHERS
from benchmarks.http.ours import ours
from benchmarks.http.servers import BenchError
from benchmarks.report.command import guarded, say, sayLeftOut
from benchmarks.report.results import Results
from benchmarks.report.session import Plan, perform
from benchmarks.report.table import report

__all__ = ["main"]

# What can be measured: the loads, and these two.
_SYSCALLS, _MEMORY = "syscalls", "memory"
_EVERY = [*LOADS, _SYSCALLS, _MEMORY]

_TWO_HOPS = ("haproxy-haproxy", "node")

# What --smoke stands for: everything except what takes long (Go compiles its standard library)
# or is almost the same as another.
_SMOKE = ["--without", "go,app-reactor,node-reactor", "--loads", "post,bulk,syscalls,memory"]
_SMOKE += ["--rounds", "1", "--seconds", "0.1", "--connections", "20"]


def _parser() -> argparse.ArgumentParser:
    """
    @return: the parser of the command line.
    """
    parser = argparse.ArgumentParser(prog="bench http", description="What a request costs.")
    add = parser.add_argument
    add("--only", type=_words, metavar="A,B", help="only these: app-epoll, or app for all app-*")
    add("--without", type=_words, metavar="A,B", default=[], help="all but these contenders")
    add("--before", type=Path, metavar="TREE", help="compare to the brxy of another checkout")
    add("--loads", type=_words, default=_EVERY, help="default: " + ",".join(_EVERY))
    add("--rounds", type=int, default=7, help="windows for each figure; default: 7")
    add("--seconds", type=float, default=1.0, help="the length of a window; default: 1")
    add("--connections", type=int, default=5000, help="clients for the memory load; default: 5000")
    add("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    add("--plots", type=Path, metavar="FOLDER", help="write plots to FOLDER")
    add("--smoke", action="store_true", help="only check that everything works")
    return parser


def _words(text: str) -> list[str]:
    """
    Split a list at its commas.
    """
    return text.split(",")


def _isOne(contender: Contender, words: Sequence[str]) -> bool:
    """
    @return: whether these words contain its name, or the first word of that.
    """
    return contender.name in words or contender.name.partition("-")[0] in words


def _contenders(
    only: Sequence[str] | None, without: Sequence[str], before: Path | None = None
) -> list[Contender]:
    """
    @return: the contenders that the command line names.

    @param before: for L{ours}.
    @raise BenchError: it names one that does not exist.
    """
    # Those with two hops come after those with one. Otherwise the order is kept.
    every = sorted([*OTHERS, *ours(before)], key=lambda one: one.name.startswith(_TWO_HOPS))
    for word in [*(only or []), *without]:
        if not any(_isOne(one, [word]) for one in every):
            known = ", ".join(one.name for one in every)
            raise BenchError(f"no contender is called {word!r}; there are {known}")
    return [
        one for one in every if (only is None or _isOne(one, only)) and not _isOne(one, without)
    ]


def _plan(arguments: argparse.Namespace) -> Plan:
    """
    @return: the measurements that the command line requests.

    @raise BenchError: it is contradictory.
    """
    for word in arguments.loads:
        if word not in _EVERY:
            raise BenchError(f"no load is called {word!r}; there are {', '.join(_EVERY)}")
    if arguments.rounds < 1 or not 0.1 <= arguments.seconds <= 60 or arguments.connections < 1:
        raise BenchError("--rounds and --connections are 1 or more, --seconds 0.1 to 60")
    return Plan(
        contenders=_contenders(arguments.only, arguments.without, arguments.before),
        loads=[load for load in LOADS.values() if load.name in arguments.loads],
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        syscalls=_SYSCALLS in arguments.loads,
        connections=arguments.connections if _MEMORY in arguments.loads else 0,
        strict=arguments.smoke,
    )


def _drawer(folder: Path) -> Callable[[Results], None]:
    """
    @return: the function that makes plots.

    @raise BenchError: matplotlib is not installed.
    """
    try:
        from benchmarks.report.plots import draw
    except ImportError:
        raise BenchError("plots need matplotlib (python -m pip install matplotlib)") from None
    return lambda results: draw(results, folder)


def _sayAbridged(plan: Plan) -> None:
    """
    Report what a smoke test leaves out.
    """
    names = [one.name for one in _contenders(None, []) if one not in plan.contenders]
    loads = [load for load in LOADS.values() if load not in plan.loads]
    names += [load.name for load in loads]
    say("a smoke test leaves out " + ", ".join(names))


def _run(arguments: argparse.Namespace) -> None:
    """
    Perform the command line.
    """
    plan = _plan(arguments)
    if arguments.smoke:
        _sayAbridged(plan)
    uses: list[Callable[[Results], None]] = []
    if arguments.json is not None:
        uses.append(lambda results: results.write(arguments.json))
    if arguments.plots is not None:
        uses.append(_drawer(arguments.plots))
    results = perform(plan)
    print(report(results))
    for use in uses:
        use(results)
    sayLeftOut(results.left_out)


def main(argv: Sequence[str]) -> int:
    """
    @return: the exit status.
    """
    words = [*_SMOKE, *argv] if "--smoke" in argv else argv
    arguments = _parser().parse_args(words)
    return guarded(lambda: _run(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
