"""
What a connection costs in memory: many clients that wait, or do nothing.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from benchmarks import wrk
from benchmarks.contender import Running
from benchmarks.load import LOADS
from benchmarks.servers import BenchError
from benchmarks.usage import residentSize

__all__ = ["Held", "held", "idle", "raiseLimit"]

# HAProxy sets two aside for each of the 6000 connections it is told to expect.
_FILES = 14_000

# Until what a process does about its clients' last bytes is done.
_SETTLE = 0.2


@frozen
class Held:
    """
    What clients cost that are connected.

    @ivar kind: C{"idle"}: each has had an answer; C{"held"}: each waits for one.
    @ivar size: bytes of memory for each of them, by process.
    """

    contender: str
    kind: str
    connections: int
    size: Mapping[str, float]


def raiseLimit() -> None:
    """
    Let this process, and those it starts, have all the connections they need.

    @raise BenchError: the system does not allow it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FILES:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, max(hard, _FILES)))
        except (OSError, ValueError):
            raise BenchError(f"needs ulimit -n {_FILES}; {hard} are allowed") from None


def idle(contender: Running, connections: int, seconds: float) -> Held:
    """
    Clients that have had one answer each, and may ask again.

    @param seconds: how long to warm up.
    """
    # What is allocated once, and kept, is not for the clients counted.
    wrk.run(LOADS["c16"], contender.port, seconds)
    return _grown(contender, "idle", connections, answered=True)


def held(edge: Running, connections: int) -> Held:
    """
    Clients that an edge holds, since it has no instance.
    """
    return _grown(edge, "held", connections, answered=False)


def _grown(contender: Running, kind: str, connections: int, answered: bool) -> Held:
    """
    By how much the processes grow when so many clients are connected.
    """
    time.sleep(_SETTLE)
    before = _sizes(contender)
    with _clients(contender.port, connections, answered):
        time.sleep(_SETTLE)
        after = _sizes(contender)
    size = {part: (after[part] - before[part]) / connections for part in before}
    return Held(contender.name, kind, connections, size)


def _sizes(contender: Running) -> dict[str, int]:
    """
    The size of each process.
    """
    return {part: residentSize(process.pid) for part, process in contender.parts.items()}


@contextlib.contextmanager
def _clients(port: int, connections: int, answered: bool) -> Iterator[Sequence[socket.socket]]:
    """
    So many connections; each has sent one request.

    @param answered: must each have had its answer, or must none of them?
    @raise BenchError: it was not so.
    """
    before, after = LOADS["c16"].request()
    clients: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        try:
            for number in range(connections):
                client = stack.enter_context(
                    socket.create_connection(("127.0.0.1", port), timeout=10)
                )
                clients.append(client)
                client.sendall(f"{before}{number}{after}".encode())
                if answered and b" 200 " not in client.recv(65536):
                    raise BenchError(f"no answer on connection {number}")
        except OSError as error:
            raise BenchError(f"connection {len(clients)} failed: {error}") from None
        yield clients
        if not answered and any(_readable(client) for client in clients):
            raise BenchError("clients that should be held were answered")


def _readable(client: socket.socket) -> bool:
    """
    Has an answer come, or an end?
    """
    client.setblocking(False)
    try:
        client.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
