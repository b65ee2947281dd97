"""
Measures how much memory a connection takes, with many clients that wait or are
idle.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from benchmarks.http import wrk
from benchmarks.http.contender import Running
from benchmarks.http.load import LOADS
from benchmarks.http.servers import BenchError
from benchmarks.http.usage import cpuTime, residentSize

__all__ = ["Held", "held", "idle", "raiseLimit"]

# The files that a process has open besides the connections of those clients: an edge its 128
# slots, and all of them the connections of the load that warms them up and some of their own.
_OTHER_FILES = 200

# This many clients connect from one address of loopback, the others from the next ones: the
# kernel has 28,000 ports for each, and searches long for the last of them.
_PER_ADDRESS = 5000

# Connections end by a reset: in TIME_WAIT they would slow down later clients.
_NO_TRACE = struct.pack("ii", 1, 0)

# From linux/in.h: the port is chosen when the destination is known.
_BIND_ADDRESS_NO_PORT = 24

# A process is at rest when it spends less than this share of this many seconds. If that takes
# longer than the last number, the measurement fails.
_LOOK, _REST, _PATIENCE = 0.04, 0.02, 30.0


@frozen
class Held:
    """
    The cost of connected clients.

    @ivar kind: C{"idle"}: each has received a response; C{"held"}: each waits
        for one.
    @ivar size: bytes of memory for each of them, by process.
    """

    contender: str
    kind: str
    connections: int
    size: Mapping[str, float]


def raiseLimit(connections: int) -> None:
    """
    Raise the limit of connections of this process, and of those that it
    starts.

    @raise BenchError: the system does not allow it.
    """
    files = connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < files:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(hard, files)))
        except (OSError, ValueError):
            raise BenchError(f"needs ulimit -n {files}; {hard} are allowed") from None


def idle(contender: Running, connections: int, seconds: float) -> Held:
    """
    Measure clients that have received one response each, and stay connected.

    @param seconds: how long to warm up.
    """
    # Memory that is allocated once and kept does not belong to the clients that are counted.
    wrk.run(LOADS["c16"], contender.port, seconds)
    return _grown(contender, "idle", connections, answered=True)


def held(edge: Running, connections: int) -> Held:
    """
    Measure clients that an edge holds, because it has no instance.
    """
    return _grown(edge, "held", connections, answered=False)


def _grown(contender: Running, kind: str, connections: int, answered: bool) -> Held:
    """
    Measure how much the processes grow when this many clients are connected.

    @raise BenchError: they don't have them all.
    """
    _rest(contender)
    before = _sizes(contender)
    with _clients(contender.port, connections, answered):
        _rest(contender)
        after = _sizes(contender)
        most = max(_openFiles(process.pid) for process in contender.parts.values())
        if most < connections:
            raise BenchError(f"{contender.name} has {most} files open for {connections} clients")
    size = {part: (after[part] - before[part]) / connections for part in before}
    return Held(contender.name, kind, connections, size)


def _rest(contender: Running) -> None:
    """
    Wait until the processes have finished all pending work.

    @raise BenchError: they don't.
    """
    pids = [process.pid for process in contender.parts.values()]
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        before = sum(map(cpuTime, pids))
        time.sleep(_LOOK)
        if sum(map(cpuTime, pids)) - before < _LOOK * _REST:
            return
    raise BenchError(f"{contender.name} does not become idle")


def _openFiles(pid: int) -> int:
    """
    @return: how many descriptors a process has open.
    """
    return len(os.listdir(f"/proc/{pid}/fd"))


def _sizes(contender: Running) -> dict[str, int]:
    """
    @return: the size of each process.
    """
    return {part: residentSize(process.pid) for part, process in contender.parts.items()}


@contextlib.contextmanager
def _clients(port: int, connections: int, answered: bool) -> Iterator[Sequence[socket.socket]]:
    """
    Open this many connections, and send one request on each.

    @param answered: whether each must have received its response, or none of
        them.
    @raise BenchError: it was not so.
    """
    before, after = LOADS["c16"].request()
    clients: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        try:
            for number in range(connections):
                client = stack.enter_context(_client(port, number // _PER_ADDRESS))
                clients.append(client)
                client.sendall(f"{before}{number}{after}".encode())
                if answered and b" 200 " not in client.recv(65536):
                    raise BenchError(f"no answer on connection {number}")
        except OSError as error:
            raise BenchError(f"connection {len(clients)} failed: {error}") from None
        yield clients
        if not answered and any(_readable(client) for client in clients):
            raise BenchError("clients that should be held were answered")


def _client(port: int, address: int) -> socket.socket:
    """
    Open a connection.

    @param address: the number of the address that it comes from.
    @raise OSError: it is not accepted.
    """
    client = socket.socket()
    try:
        client.settimeout(10)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_TRACE)
        client.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        client.bind((f"127.0.0.{1 + address}", 0))
        client.connect(("127.0.0.1", port))
    except OSError:
        client.close()
        raise
    return client


def _readable(client: socket.socket) -> bool:
    """
    @return: whether a response has arrived, or an end.
    """
    client.setblocking(False)
    try:
        client.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
