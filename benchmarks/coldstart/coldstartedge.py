"""
Edges that start apps from zero, and their clients.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

from attrs import frozen

from benchmarks.http.servers import BenchError, Process, Servers, freePort

__all__ = ["HOSTS", "TIMEOUT", "Edge", "crowd", "firstByte", "several", "startEdge"]

# An instance leaves after this (seconds).  The next try waits until it is gone,
# so that they don't share the processor.
_IDLE = 0.05

# Whatever takes longer is broken (seconds).
TIMEOUT = 30.0

# No app is there from an earlier round for a host that was never asked for.
HOSTS = map("h{}.example".format, count())

_REQUEST = "GET / HTTP/1.1\r\nHost: {}\r\n\r\n"


@frozen
class Edge:
    """
    An edge that runs.
    """

    process: Process
    port: int

    def settle(self) -> None:
        """
        Wait until nothing is left of what it started.

        @raise BenchError: it takes too long.
        """
        deadline = time.monotonic() + TIMEOUT
        while _hasChildren(self.process.pid) or self._hasInstances():
            if time.monotonic() > deadline:
                raise BenchError("what the edge started does not leave")
            time.sleep(0.02)

    def _hasInstances(self) -> bool:
        """
        Is there an instance that is not gone, by what the edge says?
        """
        said = self.process.log.read_text()
        return said.count(": ordered") > said.count(": gone: ")


def _hasChildren(pid: int) -> bool:
    """
    Is there a process that this one started?
    """
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError):
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == pid:
                    return True
    return False


def firstByte(port: int, host: str) -> None:
    """
    Ask, and wait for the first byte of an answer that is good.

    @raise BenchError: it is not.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as client:
        client.sendall(_REQUEST.format(host).encode())
        _good(client, host)


def _good(client: socket.socket, host: str) -> None:
    """
    Wait for the first byte of an answer that is good.

    @raise BenchError: it is not.
    """
    answer = client.recv(65536)
    if b" 200 " not in answer[:13]:
        raise BenchError(f"{host} answered {answer[:40]!r}")


def _edgeOptions(port: int, node_port: int, spawn: str) -> list[str]:
    """
    The command line of an edge.
    """
    listen = "tcp:{}:interface=127.0.0.1"
    places = ["-p", listen.format(port), "--node-port", listen.format(node_port)]
    limits = ["--max-held", "10000", "--wake-rate", "0"]
    return [*places, "--idle-timeout", str(_IDLE), *limits, "--spawn", spawn]


def startEdge(servers: Servers, program: Sequence[str], spawn: str, **environ: str) -> Edge:
    """
    Start an edge.  It needs a moment, see L{Servers.waitUntilAnswering}.

    @param environ: what its environment has besides our own.
    """
    port = freePort()
    options = _edgeOptions(port, freePort(), spawn)
    given = ["env", *(f"{name}={value}" for name, value in environ.items())]
    process = servers.start("edge", [*given, sys.executable, "-m", *program, *options])
    return Edge(process, port)


def crowd(stack: ExitStack, port: int, connections: int) -> None:
    """
    Clients that have had an answer, and stay.

    @raise BenchError: it was no good one.
    """
    host = "crowd.example"
    request = _REQUEST.format(host).encode()
    for _ in range(connections):
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT))
        client.sendall(request)
        _good(client, host)


def several(port: int, number: int) -> None:
    """
    Ask for several apps that don't run, at once.

    @raise BenchError: an answer is no good one.
    """
    with ExitStack() as stack:
        clients = {}
        for _ in range(number):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT))
            clients[client] = next(HOSTS)
        for client, host in clients.items():
            client.sendall(_REQUEST.format(host).encode())
        for client, host in clients.items():
            _good(client, host)
