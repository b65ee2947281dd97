"""
Tries what a capacity that is learned must withstand.

C{python -m benchmarks.capacity.trials}, or C{./dev bench trials}.

Each trial prints what is expected and what was found.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import asdict

from benchmarks.capacity.acceptqueue import acceptQueue
from benchmarks.capacity.clients import Journal, burst
from benchmarks.capacity.edges import Outcome, gunicorn, startEdge
from benchmarks.capacity.killing import killed, wrongs
from benchmarks.capacity.waiting import cases, compare
from benchmarks.http.memory import raiseLimit
from benchmarks.http.servers import Servers
from benchmarks.report.command import guarded, say
from benchmarks.report.machine import describe

__all__ = ["main"]


def _sixteen(python: str) -> Outcome:
    """
    Sixteen held requests for four workers with four threads each.
    """
    with Servers() as servers:
        edge = startEdge(servers, "edge", gunicorn(python, "-w 4 --threads 4"), "max=1")
        names = [f"held-{number}" for number in range(16)]
        answers = asyncio.run(burst("http", edge.port, names, 2000, edge.journal))
        journal = Journal.read(edge.journal)
    times = sorted(journal.begun[name][0] for name in names if name in journal.begun)
    within = sum(at - times[0] <= 1 for at in times)
    wrong = wrongs(answers, journal, ())
    found = f"{within} after {1000 * (times[within - 1] - times[0]):.0f} ms, {len(wrong)} wrong"
    return Outcome("16 held, gunicorn -w 4 --threads 4", "14 within 1 s", found, within >= 14)


def _trials(python: str, smoke: bool) -> Mapping[str, Callable[[], Outcome]]:
    """
    @return: all trials, by name.
    """
    single, threads, inside = cases(python)
    return {
        "sixteen": lambda: _sixteen(python),
        "killed": lambda: killed(python, smoke),
        "queue": lambda: acceptQueue(smoke),
        "single": lambda: compare(single, smoke),
        "threads": lambda: compare(threads, smoke),
        "inside": lambda: compare(inside, smoke),
    }


# Trials that need nothing but Python.
_SMOKE = ("queue", "single")


def _run(given: argparse.Namespace) -> None:
    """
    Perform the trials.
    """
    raiseLimit(8000)
    outcomes = []
    for name, trial in _trials(given.python, given.smoke).items():
        if name not in (given.only or (_SMOKE if given.smoke else [name])):
            continue
        say(name)
        outcome = trial()
        outcomes.append(outcome)
        print(f"{outcome.name}\n    expected  {outcome.expected}\n    found     {outcome.found}\n")
    print(", ".join(f"{name} {text}" for name, text in describe().items()))
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes]))


def main(argv: Sequence[str]) -> int:
    """
    @return: the exit status.
    """
    parser = argparse.ArgumentParser(prog="./dev bench trials", description=__doc__)
    add = parser.add_argument
    add("--python", default=sys.executable, help="an interpreter with the packages from PyPI")
    add("--only", action="append", metavar="TRIAL", help="perform only this trial")
    add("--json", type=Path, help="also write the results to this file")
    add("--smoke", action="store_true", help="only check that everything works")
    given = parser.parse_args(argv)
    return guarded(lambda: _run(given))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
