"""
The memory and the processor time of instances that run on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple

from attrs import frozen

from brxy.interfaces import IInstance, ILocalProcess
from brxy.reactor.slices import inSlices
from brxy.scaler.instance import Instance

__all__ = ["Usage", "Used", "localPids", "measure"]

# Seconds for which a measurement is good enough for others that ask.
_FRESH = 0.5

# Processes between an instance's first one and one that is counted.
_DEEPEST = 100


_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = 1 / os.sysconf("SC_CLK_TCK")


@frozen
class Used:
    """
    What the processes of an instance use.

    @ivar memory: bytes of memory; those that several processes share are counted for each.
    @ivar cpu: seconds of processor time so far, also of those that have ended.
    """

    memory: int
    cpu: float


def localPids(handles: Mapping[Instance, IInstance]) -> dict[int, str]:
    """
    The first process of each instance that is on this machine, as far as it is known, and the
    ticket of the instance.

    @param handles: what the spawners of the instances have returned.
    """
    local = {
        instance.ticket: ILocalProcess(handle).pid
        for instance, handle in handles.items()
        if ILocalProcess.providedBy(handle)
    }
    return {pid: ticket for ticket, pid in local.items() if pid is not None}


class _Process(NamedTuple):
    """
    What C{/proc/PID/stat} says, see proc(5).
    """

    parent: int
    session: int
    cpu: float
    memory: int


def _read(pid: int) -> _Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            # The second field is the name, which may have blanks and parentheses in it.
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return None
    # Its own time, and that of the children that it has waited for.
    ticks = sum(int(each) for each in fields[11:15])
    return _Process(int(fields[1]), int(fields[3]), ticks * _TICK, int(fields[21]) * _PAGE)


def measure(leaders: Mapping[int, str]) -> Generator[None, None, dict[str, Used]]:
    """
    Add up what processes use.

    @param leaders: the first process of each instance, and the instance's ticket.  To it belong
        all that descend from that process, or are in its session.
    @return: a generator that yields after each process, and returns what is used, by ticket.
    """
    processes: dict[int, _Process] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (process := _read(int(name))) is not None:
            processes[int(name)] = process
        yield
    memory: dict[str, int] = {}
    cpu: dict[str, float] = {}
    for pid, process in processes.items():
        ticket = _owner(pid, processes, leaders)
        if ticket is not None:
            memory[ticket] = memory.get(ticket, 0) + process.memory
            cpu[ticket] = cpu.get(ticket, 0.0) + process.cpu
    return {ticket: Used(memory[ticket], round(cpu[ticket], 2)) for ticket in memory}


def _owner(pid: int, processes: Mapping[int, _Process], leaders: Mapping[int, str]) -> str | None:
    """
    @return: the ticket of the instance that a process belongs to.
    """
    for _ in range(_DEEPEST):
        if pid in leaders:
            return leaders[pid]
        process = processes.get(pid)
        if process is None:
            break
        pid = process.session if process.session in leaders else process.parent
    return None


class Usage:
    """
    Measures in short turns, and not more often than is of use.
    """

    def __init__(self, reactor: Any, leaders: Callable[[], Mapping[int, str]]) -> None:
        """
        @param leaders: see L{measure}.
        """
        self._reactor = reactor
        self._leaders = leaders
        self._until = 0.0
        self._last: Mapping[str, Used] = {}

    async def measure(self) -> Mapping[str, Used]:
        """
        @return: what is used, by ticket.
        """
        if self._reactor.seconds() >= self._until:
            leaders = dict(self._leaders())
            # An app that was ready before its process was known has this one, see
            # L{brxy.spawners.local.app}.
            leaders.pop(os.getpid(), None)
            found = await inSlices(self._reactor, measure(leaders)) if leaders else {}
            self._last, self._until = found, self._reactor.seconds() + _FRESH
        return self._last
