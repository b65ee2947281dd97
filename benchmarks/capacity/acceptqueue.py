"""
A trial: the accept queue of a busy app.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import time
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from benchmarks.capacity.catalogue import APPS
from benchmarks.capacity.clients import burst, sequence
from benchmarks.capacity.edges import Outcome, startEdge
from benchmarks.http.servers import Servers, freePort

__all__ = ["acceptQueue"]


@frozen
class _Other:
    """
    What other clients of an app experience.

    @ivar connects: seconds until each was connected.
    @ivar answers: seconds until each was answered.
    @ivar queue: the longest that the accept queue was.
    """

    connects: list[float]
    answers: list[float]
    queue: int

    def text(self) -> str:
        """
        Medians and the worst, in ms.
        """
        cells = [
            f"{name} {1000 * statistics.median(times):.1f} ({1000 * max(times):.1f})"
            for name, times in (("connected", self.connects), ("answered", self.answers))
        ]
        return f"{', '.join(cells)} ms, queue ≤ {self.queue}"


def _queueLength(port: int) -> int:
    """
    @return: how many connections wait to be accepted.
    """
    for line in Path("/proc/self/net/tcp").read_text().splitlines():
        cells = line.split()
        if cells[1].endswith(f":{port:04X}") and cells[3] == "0A":
            return int(cells[4].partition(":")[2], 16)
    return 0


def _otherClients(port: int, number: int) -> _Other:
    """
    Be another client of an app, one time after the other.
    """
    connects, answers, queue = [], [], 0
    for _ in range(number):
        queue = max(queue, _queueLength(port))
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            connects.append(time.monotonic() - began)
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while client.recv(65536):
                pass
            answers.append(time.monotonic() - began)
        time.sleep(0.05)
    return _Other(connects, answers, queue)


async def _besides(
    port: int, app: int, clients: int, other: int, journal: Path, stay: bool
) -> _Other:
    """
    Be another client of an app while clients at a port keep it busy.

    @param stay: the clients come again and again.
    """
    names = [f"held-{number}" for number in range(clients)]
    coming = sequence(port, 1, 10**9, 50, journal) if stay else None
    load = asyncio.ensure_future(coming or burst("http", port, names, 50, journal))
    await asyncio.sleep(2)
    found = await asyncio.to_thread(_otherClients, app, other)
    load.cancel()
    with suppress(asyncio.CancelledError):
        await load
    return found


def acceptQueue(smoke: bool) -> Outcome:
    """
    A busy app with a short accept queue, and many held clients.
    """
    clients, others = (50, 3) if smoke else (1000, 60)
    app, alone = freePort(), freePort()
    command = [sys.executable, str(APPS / "plain.py"), "HTTPServer", "{port}", "5"]
    with Servers() as servers:
        edge = startEdge(servers, "edge", command, f"max=1 app-port={app}")
        behind = asyncio.run(_besides(edge.port, app, clients, others, edge.journal, False))
        direct = [word.replace("{port}", str(alone)) for word in command]
        servers.waitUntilListening(alone, [servers.start("app", direct)])
        without = asyncio.run(_besides(alone, alone, 1, others, edge.journal, True))
    found = f"{behind.text()}; without brxy {without.text()}"
    good = max(behind.connects) < 0.5
    return Outcome(
        f"{clients} held, a backlog of 5", "another client gets in as without brxy", found, good
    )
