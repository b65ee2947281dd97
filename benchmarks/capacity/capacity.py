"""
Measures what brxy learns of the capacity of real servers.

C{python -m benchmarks.capacity.capacity}, or C{./dev bench capacity}.

Each server stands behind an edge, as its only instance: once with a capacity that is learned, and
once with a fixed one that is true. Twice as many requests as the server works on come at once:
from zero, and again when it is idle; then as many clients keep it busy. Each request has an id,
and the app keeps a journal of those that it ran.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import asdict, field, frozen

from benchmarks.capacity.catalogue import APPS, Server, Site, catalogue
from benchmarks.capacity.clients import Answer, Journal, Sampler, burst, crowd, withdrawn
from benchmarks.capacity.network import enterOwnNetwork
from benchmarks.http.contender import Missing
from benchmarks.http.servers import BenchError, Servers, freePort
from benchmarks.report.command import guarded, say, sayLeftOut
from benchmarks.report.machine import describe
from benchmarks.report.table import table

__all__ = ["Phase", "main", "settledAfter"]

# Requests that are sent at once to a server without a limit.
_MANY = 120

# Milliseconds that each request of a burst takes.
_TAKES = 500.0

# Seconds between two bursts, and for which clients keep the server busy.
_PAUSE = 3.0
_BUSY = 6.0


@frozen
class Phase:
    """
    What was seen in one phase.

    @ivar at_once: how many requests the app worked on at once at most.
    @ivar waits: for each request, in the order in which they began: the seconds between the first
        one's beginning (from zero) or the burst, and its beginning.
    @ivar withdrawn: how many connections the edge has reset.
    @ivar counts: seconds since the beginning, and how many requests the app had taken up.
    @ivar wrong: requests that were not answered, or did not run exactly once.
    @ivar rate: answers per second.
    """

    offered: int
    at_once: int
    waits: list[float]
    withdrawn: int
    counts: list[tuple[float, int]]
    wrong: list[str]
    rate: float

    def taken(self) -> int:
        """
        @return: how many requests the app had taken up at once: the median of the second half.
        """
        counts = [count for _, count in self.counts]
        return int(statistics.median(counts[len(counts) // 2 :])) if counts else 0


@frozen
class Found:
    """
    What was seen of one server at one edge.

    @ivar phases: by name.
    @ivar lines: what the edge said of its capacity.
    """

    phases: dict[str, Phase] = field(factory=dict)
    lines: list[str] = field(factory=list)


def settledAfter(counts: Sequence[tuple[float, int]], true: int) -> float | None:
    """
    @param counts: seconds, and how many requests the app had taken up.
    @return: the seconds after which the number stays within 20 % of the true one (or within 1);
        L{None} if it does not in the end.
    """
    near, since = max(1.0, true * 0.2), None
    numbers = [count for _, count in counts]
    for index, (at, _) in enumerate(counts):
        middle = statistics.median(numbers[max(0, index - 5) : index + 6])
        if abs(middle - true) > near:
            since = None
        elif since is None:
            since = at
    return since


class _Run:
    """
    One server behind one edge.
    """

    def __init__(self, server: Server, capacity: str, servers: Servers) -> None:
        """
        @param capacity: the option.
        """
        self._server = server
        self._capacity = capacity
        self._servers = servers
        self._journal = servers.folder / f"journal-{capacity}"
        # PostgreSQL and others may run as another user.
        self._journal.touch(0o666)
        self._log = Path()
        self._app = freePort()
        self._port = freePort()
        self._offered = 2 * server.true if server.true else min(_MANY, server.most + 20)

    def start(self) -> None:
        """
        Start the edge.
        """
        server = self._server
        command = server.start(Site(self._servers, self._app, self._journal))
        env = {"JOURNAL": str(self._journal), "PYTHONUNBUFFERED": "1", **server.env}
        pairs = ",".join(f"{name}={value}" for name, value in env.items())
        most = f"max-capacity={server.most} " if self._capacity == "auto" else ""
        route = "" if server.protocol == "http" else "route=tcp "
        spawn = f"app: {route}max=1 app-port={self._app} capacity={self._capacity} {most}"
        spawn += f"cwd={APPS} env={pairs} -- {shlex.join(command)}"
        endpoint = f"tcp:{self._port}:interface=127.0.0.1"
        listen = ["-p", endpoint] if server.protocol == "http" else ["--tcp", f"tcp={endpoint}"]
        edge = [sys.executable, "-m", "brxy.edge", *listen, "--spawn", spawn]
        process = self._servers.start(f"edge-{self._capacity}", edge)
        self._log = process.log
        self._servers.waitUntilListening(self._port, [process])

    def lines(self) -> list[str]:
        """
        @return: what the edge has said of the capacity.
        """
        said = self._log.read_text(errors="replace").splitlines()
        return [line for line in said if "capacity" in line and "--spawn" not in line]

    def logged(self) -> str:
        """
        @return: the last lines of the edge's log.
        """
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])

    async def perform(self, smoke: bool) -> dict[str, Phase]:
        """
        Go through all phases.
        """
        server, phases = self._server, {}
        phases["zero"] = await self._burst("zero")
        await asyncio.sleep(0.2 if smoke else _PAUSE)
        phases["idle"] = await self._burst("idle")
        seconds = 0.5 if smoke else _BUSY
        before, began, sampler = withdrawn(), time.time(), Sampler(self._app)
        crowded = crowd(server.protocol, self._port, self._offered, seconds, "busy", self._journal)
        answers = await crowded
        sampler.stop()
        phases["busy"] = self._phase(answers, began, sampler, before)
        return phases

    async def _burst(self, name: str) -> Phase:
        """
        Send all requests at once.
        """
        names = [f"{name}-{number}" for number in range(self._offered)]
        before, began, sampler = withdrawn(), time.time(), Sampler(self._app)
        answers = await burst(self._server.protocol, self._port, names, _TAKES, self._journal)
        sampler.stop()
        return self._phase(answers, began, sampler, before)

    def _phase(
        self, answers: Sequence[Answer], began: float, sampler: Sampler, before: int
    ) -> Phase:
        """
        Look at what was answered, and at what the app ran.
        """
        journal = Journal.read(self._journal)
        names = [answer.name for answer in answers]
        starts = sorted(at for name in names for at in journal.begun.get(name, ()))
        wrong = [
            f"{answer.name}: {answer.status}, ran {len(journal.begun.get(answer.name, ()))}x"
            for answer in answers
            if answer.status != 200 or len(journal.begun.get(answer.name, ())) != 1
        ]
        return Phase(
            len(answers),
            journal.atOnce(names),
            [at - began for at in starts],
            withdrawn() - before,
            [(at - began, count) for at, count in sampler.counts],
            wrong,
            len(answers) / (time.time() - began),
        )


def _measure(server: Server, smoke: bool) -> dict[str, Found]:
    """
    Measure one server at both edges.

    @raise Missing: the server is not installed.
    """
    found = {}
    fixed = str(server.true or server.most)
    for capacity in ("auto", fixed):
        with Servers() as servers:
            run = _Run(server, capacity, servers)
            run.start()
            phases = asyncio.run(run.perform(smoke))
            found["auto" if capacity == "auto" else "fixed"] = Found(phases, run.lines())
            wrong = [each for phase in phases.values() for each in phase.wrong]
            if wrong:
                say(f"{server.name}, capacity={capacity}: {len(wrong)} wrong: {wrong[:5]}")
                say(run.logged())
    return found


def _later(server: Server, found: dict[str, Found], name: str) -> str:
    """
    @return: how many ms later than with a fixed number the first requests began: their mean and
        the last one.
    """
    number = server.true or server.most
    both = []
    for kind in ("auto", "fixed"):
        waits = found[kind].phases[name].waits[:number]
        # A start from zero takes another time in each run.
        origin = waits[0] if name == "zero" and waits else 0.0
        both.append([1000 * (wait - origin) for wait in waits])
    auto, fixed = both
    if not auto or len(auto) != len(fixed):
        return "?"
    return f"{statistics.fmean(auto) - statistics.fmean(fixed):.1f} / {auto[-1] - fixed[-1]:.1f}"


def _line(server: Server, found: dict[str, Found]) -> list[str]:
    """
    @return: the line of the table for one server.
    """
    phases, fixed = found["auto"].phases, found["fixed"].phases
    zero, busy = phases["zero"], phases["busy"]
    number = server.true or server.most
    waits = zero.waits[: zero.at_once]
    settled = settledAfter(busy.counts[: -len(busy.counts) // 10 or None], number)
    wrong = sum(len(phase.wrong) for phase in phases.values())
    return [
        server.name,
        str(server.true or f"– ({server.most})"),
        str(zero.at_once),
        f"{1000 * (waits[-1] - waits[0]):.0f}" if waits else "?",
        _later(server, found, "zero"),
        _later(server, found, "idle"),
        str(busy.taken()),
        "never" if settled is None else f"{settled:.1f}",
        f"{busy.rate / fixed['busy'].rate:.2f}",
        " / ".join(str(phase.withdrawn) for phase in phases.values()),
        f"{sum(phase.offered for phase in phases.values())} / {wrong}",
    ]


_HEADER = [
    "server",
    "true",
    "from zero",
    "after ms",
    "later: zero",
    "later: idle",
    "busy",
    "after s",
    "rate",
    "withdrawn",
    "asked / wrong",
]

_LEGEND = """\
true         requests that the server works on at once; – (N): no limit, max-capacity is N
from zero    requests at once in the app, of twice as many that waited for its start
after ms     from the first of these to the last one
later        ms by which the first requests begin later than with the true number: mean / last
busy         requests at once that the app has taken up and not answered, under a steady load
after s      seconds of this load until that stays within 20 % of the true number
rate         answers per second under this load, as a multiple of those with the true number
withdrawn    requests that the edge took back from the app: from zero / idle / busy
asked/wrong  POSTs, and those that were not answered by 200 or did not run exactly once"""


def _run(given: argparse.Namespace) -> None:
    """
    Measure all servers, and print the table.
    """
    lines, missing, figures = [], [], {}
    for server in catalogue(given.python):
        if given.only and server.name not in given.only:
            continue
        if given.smoke and not server.smoke:
            continue
        say(server.name)
        try:
            found = _measure(server, given.smoke)
        except Missing as error:
            missing.append(f"{server.name}: {error}")
            continue
        except BenchError as error:
            missing.append(f"{server.name}: {error}")
            continue
        lines.append(_line(server, found))
        say("  ".join(lines[-1]))
        figures[server.name] = {kind: asdict(one) for kind, one in found.items()}
    print(table(_HEADER, lines))
    print(f"\n{_LEGEND}\n")
    print(", ".join(f"{name} {text}" for name, text in describe().items()))
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": describe(), "servers": figures}))
    if given.smoke:
        say("a smoke test leaves out the servers that most machines lack")
    sayLeftOut(missing)


def main(argv: Sequence[str]) -> int:
    """
    @return: the exit status.
    """
    parser = argparse.ArgumentParser(prog="./dev bench capacity", description=__doc__)
    add = parser.add_argument
    add("--python", default=sys.executable, help="an interpreter with the packages from PyPI")
    add("--only", action="append", metavar="SERVER", help="measure only this server")
    add("--json", type=Path, help="also write the results to this file")
    add("--smoke", action="store_true", help="only check that everything works")
    given = parser.parse_args(argv)
    enterOwnNetwork("benchmarks.capacity.capacity", argv)
    return guarded(lambda: _run(given))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
