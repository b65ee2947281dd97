"""
Edges that start apps from zero, and their clients, for benchmarks.
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

# Seconds after which an idle instance leaves. The next try waits until it is gone, so that they
# don't share the processor.
_IDLE = 0.05

# Seconds after which a try has failed.
TIMEOUT = 30.0

# A host that was not used before has no app from an earlier round.
HOSTS = map("h{}.example".format, count())

_REQUEST = "GET / HTTP/1.1\r\nHost: {}\r\n\r\n"


@frozen
class Edge:
    """
    A running edge.
    """

    process: Process
    port: int

    def settle(self) -> None:
        """
        Wait until nothing is left of the processes that the edge has started.

        @raise BenchError: it takes too long.
        """
        deadline = time.monotonic() + TIMEOUT
        while _hasChildren(self.process.pid) or self._hasInstances():
            if time.monotonic() > deadline:
                raise BenchError("the edge's instances do not leave")
            time.sleep(0.02)

    def _hasInstances(self) -> bool:
        """
        @return: whether an instance exists, according to the edge's output.
        """
        said = self.process.log.read_text()
        return said.count(": ordered") > said.count(": gone: ")


def _hasChildren(pid: int) -> bool:
    """
    @return: whether a child of this process exists.
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
    Send a request, and wait for the first byte of a good response.

    @raise BenchError: the response is not good.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as client:
        client.sendall(_REQUEST.format(host).encode())
        _good(client, host)


def _good(client: socket.socket, host: str) -> None:
    """
    Wait for the first byte of a good response.

    @raise BenchError: the response is not good.
    """
    answer = client.recv(65536)
    if b" 200 " not in answer[:13]:
        raise BenchError(f"{host} answered {answer[:40]!r}")


def _edgeOptions(port: int, node_port: int, spawn: str) -> list[str]:
    """
    @return: the command line of an edge.
    """
    listen = "tcp:{}:interface=127.0.0.1"
    places = ["-p", listen.format(port), "--node-port", listen.format(node_port)]
    limits = ["--max-held", "10000", "--wake-rate", "0"]
    return [*places, "--idle-timeout", str(_IDLE), *limits, "--spawn", spawn]


def startEdge(servers: Servers, program: Sequence[str], spawn: str, **environ: str) -> Edge:
    """
    Start an edge. It needs a moment, see L{Servers.waitUntilAnswering}.

    @param environ: variables in addition to our own environment.
    """
    port = freePort()
    options = _edgeOptions(port, freePort(), spawn)
    given = ["env", *(f"{name}={value}" for name, value in environ.items())]
    process = servers.start("edge", [*given, sys.executable, "-m", *program, *options])
    return Edge(process, port)


def crowd(stack: ExitStack, port: int, connections: int) -> None:
    """
    @return: clients that have received a response, and stay connected.

    @raise BenchError: a response was not good.
    """
    host = "crowd.example"
    request = _REQUEST.format(host).encode()
    for _ in range(connections):
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT))
        client.sendall(request)
        _good(client, host)


def several(port: int, number: int) -> None:
    """
    Send requests for several apps that don't run, at once.

    @raise BenchError: a response is not good.
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
