"""
A trial: POSTs while instances are killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.capacity.clients import Answer, Journal, sequence
from benchmarks.capacity.edges import Edge, Outcome, gunicorn, startEdge
from benchmarks.http.servers import Servers
from benchmarks.report.command import say

__all__ = ["killed", "wrongs"]

# A 502 comes at most this long after the kill that is its cause (seconds).
_BLAMED = 1.0


def wrongs(answers: Sequence[Answer], journal: Journal, kills: Sequence[float]) -> list[str]:
    """
    Look for requests that ran twice, or that were answered by what did not happen.

    @param kills: when instances were killed, in seconds of the epoch.
    @return: what is wrong, in a line each.
    """
    found = []
    for answer in answers:
        begun = len(journal.begun.get(answer.name, ()))
        ended = len(journal.ended.get(answer.name, ()))
        blamed = any(0 <= answer.answered - at <= _BLAMED for at in kills)
        if begun > 1:
            found.append(f"{answer.name}: ran {begun} times")
        elif answer.cut:
            if not (begun and blamed):
                found.append(f"{answer.name}: cut, but no app was killed")
        elif answer.status == 200 and ended != 1:
            found.append(f"{answer.name}: answered, but it did not run to its end")
        elif answer.status == 502 and not blamed:
            found.append(f"{answer.name}: 502, but no app was killed")
        elif answer.status not in (200, 502):
            found.append(f"{answer.name}: status {answer.status}, ran {begun} times")
    return found


def _instances(journal: Path) -> dict[str, list[int]]:
    """
    @return: the processes of each instance that writes to a journal, by its port.
    """
    found: dict[str, list[int]] = {}
    mark = f"JOURNAL={journal}".encode()
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            environ = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
            if mark in environ:
                [port] = [each for each in environ if each.startswith(b"PORT=")]
                found.setdefault(port.decode(), []).append(int(name))
    return found


async def _killing(journal: Path, pause: float, kills: list[float]) -> None:
    """
    Kill one instance after the other.
    """
    last = ""
    while True:
        await asyncio.sleep(pause)
        ports = sorted(_instances(journal).items(), key=lambda item: item[0] == last)
        if len(ports) > 1:
            last = ports[0][0]
            kills.append(time.time())
            for pid in ports[0][1]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            kills.append(time.time())


async def _underFire(edge: Edge, number: int, pause: float) -> tuple[list[Answer], list[float]]:
    """
    Send POSTs at four times the capacity of two instances while these are killed.
    """
    kills: list[float] = []
    killer = asyncio.create_task(_killing(edge.journal, pause, kills))
    answers = await sequence(edge.port, 32, number, 10, edge.journal)
    killer.cancel()
    return answers, kills


def killed(python: str, smoke: bool) -> Outcome:
    """
    POSTs with unique ids while instances are killed.
    """
    number = 200 if smoke else 10_000
    with Servers() as servers:
        edge = startEdge(servers, "edge", gunicorn(python, "--threads 4"), "max=2")
        answers, kills = asyncio.run(_underFire(edge, number, 1.5))
        journal = Journal.read(edge.journal)
        wrong = wrongs(answers, journal, kills)
        for line in wrong[:10]:
            say(line)
    failed = [answer for answer in answers if answer.status == 502]
    cut = sum(answer.cut for answer in answers)
    early = sum(answer.name not in journal.begun for answer in failed)
    found = f"{len(answers)} POSTs, {len(kills) // 2} kills, {len(failed)} × 502"
    found += f" (of which {early} the app had not begun), {cut} cut, {len(wrong)} wrong"
    expected = "each ran at most once; all answered by 200, or by 502 or cut right after a kill"
    good = not wrong and len(answers) == number
    return Outcome("2 × gunicorn --threads 4, kill -9", expected, found, good)
