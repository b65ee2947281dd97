"""
Starts contenders, and measures them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from attrs import frozen

from benchmarks.http import memory
from benchmarks.http.contender import Contender, Missing, Running, Site
from benchmarks.http.load import LOADS, Load
from benchmarks.http.memory import Held
from benchmarks.http.origin import originCommand
from benchmarks.http.servers import BenchError, Servers, freePort
from benchmarks.http.syscalls import Calls, calls
from benchmarks.report.command import say
from benchmarks.report.figures import Window
from benchmarks.report.machine import describe
from benchmarks.report.measure import measure
from benchmarks.report.results import Results

__all__ = ["Plan", "perform"]

# The load under which system calls are counted.
_TRACED = LOADS["c16"]

# Besides the clients whose memory is measured, a contender has room for this many.
_LOADING = 1000


@frozen
class Plan:
    """
    What to measure.

    @ivar rounds: windows of each contender under each load.
    @ivar seconds: the length of a window.
    @ivar syscalls: whether system calls are counted.
    @ivar connections: the number whose memory is measured; 0: it is not.
    @ivar strict: whether an error of any contender ends the measurement.
    """

    contenders: Sequence[Contender]
    loads: Sequence[Load]
    rounds: int
    seconds: float
    syscalls: bool
    connections: int
    strict: bool


def perform(plan: Plan) -> Results:
    """
    Make all measurements.

    @raise BenchError: something broke.
    """
    for program in ("nginx", "wrk"):
        if shutil.which(program) is None:
            raise BenchError(f"needs {program} (apt install {program})")
    memory.raiseLimit(plan.connections)
    left_out: list[str] = []
    held: list[Held] = []
    if plan.connections:
        held = _memory(plan, left_out)
    with _launched(plan, left_out) as (site, running):
        windows = measure(running, plan.loads, plan.rounds, plan.seconds, say)
        counted = _calls(plan, site, running, left_out) if plan.syscalls else []
    if plan.strict:
        _check(windows, counted)
    return Results(
        describe(), plan.contenders, list(dict.fromkeys(left_out)), windows, counted, held
    )


@contextmanager
def _launched(plan: Plan, left_out: list[str]) -> Iterator[tuple[Site, Sequence[Running]]]:
    """
    Start the contenders whose programs are installed.

    @param left_out: gets a line for each other one.
    """
    say("starting the contenders")
    with Servers() as servers:
        port = freePort()
        origin = servers.start("origin", originCommand(servers.folder, port))
        servers.waitUntilAnswering(port, [origin])
        site = Site(servers, port, plan.connections + _LOADING)
        running = []
        for contender in plan.contenders:
            try:
                running.append(contender.launch(contender.name, site))
            except Missing as missing:
                left_out.append(f"{contender.title}: {missing}")
        for one in running:
            servers.waitUntilAnswering(one.port, list(one.parts.values()))
        yield site, running


def _memory(plan: Plan, left_out: list[str]) -> list[Held]:
    """
    Measure the memory of connections, with processes that have done nothing
    else yet.
    """
    found = []
    with _launched(plan, left_out) as (site, running):
        for one in running:
            if one.parts:
                say(f"memory: {one.name}")
                found.append(memory.idle(one, plan.connections, plan.seconds))
        for contender in plan.contenders:
            if contender.holder is not None:
                say(f"memory: {contender.name}, held")
                holder = contender.holder(contender.name, site)
                site.servers.waitUntilListening(holder.port, list(holder.parts.values()))
                found.append(memory.held(holder, plan.connections))
    return found


def _calls(plan: Plan, site: Site, running: Sequence[Running], left_out: list[str]) -> list[Calls]:
    """
    Count the system calls of all contenders that have processes.
    """
    found = []
    for one in running:
        if not one.parts:
            continue
        say(f"system calls: {one.name}")
        try:
            found += calls(_TRACED, one, plan.seconds, site.folder)
        except Missing as missing:
            left_out.append(f"system calls: {missing}")
            break
    return found


def _check(windows: Sequence[Window], counted: Sequence[Calls]) -> None:
    """
    Check the window of a contender.

    @raise BenchError: the contender did nothing or made errors.
    """
    for one in counted:
        if one.errors or not one.each:
            raise BenchError(f"{one.contender} under strace: {one.errors} errors, {one.each}")
    for window in windows:
        if window.outcome.errors or not window.outcome.bytes:
            raise BenchError(
                f"{window.contender} under {window.load.name}:"
                f" {window.outcome.errors} errors, {window.outcome.bytes} bytes"
            )
