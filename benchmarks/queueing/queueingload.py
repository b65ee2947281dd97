"""
An open load: requests come at random times, whether earlier ones have been
answered or not.
"""

from __future__ import annotations

import math
import random
import select
import socket
import time
from collections.abc import Sequence
from heapq import heapreplace

from attrs import frozen

from benchmarks.http.servers import BenchError

__all__ = ["LOAD", "VARIATION", "Answer", "Request", "body", "oneQueue", "perform", "requests"]

# How busy the instances are on average, and how much service times differ: their standard
# deviation as a multiple of their mean.
LOAD, VARIATION = 0.8, 2.0

# Seconds within which everything must have been answered.
_PATIENCE = 60.0

_TEXT = "GET /?ms={:.3f} HTTP/1.1\r\nHost: localhost\r\n\r\n"


@frozen
class Request:
    """
    One request.

    @ivar at: the time of its arrival, in seconds from the beginning of the
        first one.
    @ivar service: how many seconds of an instance it takes.
    """

    at: float
    service: float


@frozen
class Answer:
    """
    The answer to a request.

    @ivar latency: seconds since its arrival, even if it could not be sent
        then.
    @ivar instance: the instance that served it.
    """

    latency: float
    instance: bytes


def requests(seed: int, number: int, instances: int, mean: float) -> list[Request]:
    """
    Generate requests with random arrivals (a Poisson process) and lognormal
    service times.

    @param mean: of the service times, in seconds, about.
    """
    choices = random.Random(seed)
    variance = math.log(1 + VARIATION**2)
    middle = math.log(mean) - variance / 2
    services = [choices.lognormvariate(middle, math.sqrt(variance)) for _ in range(number)]
    gaps = [choices.expovariate(1) for _ in range(number)]
    # The gaps are scaled so that the load is as requested, whatever was drawn.
    scale = sum(services) / (instances * LOAD) / sum(gaps)
    made, at = [], 0.0
    for gap, service in zip(gaps, services, strict=True):
        at += gap * scale
        made.append(Request(at, service))
    return made


def oneQueue(work: Sequence[Request], instances: int) -> list[float]:
    """
    @return: the latencies if a request waits only while all instances are
        busy, and only the service takes time.
    """
    free = [0.0] * instances
    found = []
    for request in work:
        end = max(request.at, free[0]) + request.service
        heapreplace(free, end)
        found.append(end - request.at)
    return found


def perform(port: int, work: Sequence[Request]) -> list[Answer]:
    """
    Send these requests, each at its time, and wait for all answers.

    @return: the answers, in the order in which they arrived.
    @raise BenchError: a response was wrong or missing.
    """
    clients = _Clients(port)
    try:
        return clients.perform(work)
    finally:
        clients.close()


class _Clients:
    """
    As many connections to a port as there are requests at once.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._epoll = select.epoll()
        self._open: dict[int, socket.socket] = {}
        self._idle: list[socket.socket] = []
        # By descriptor: the arrival of its request, and the part of the response so far.
        self._asked: dict[int, float] = {}
        self._heard: dict[int, bytes] = {}
        self._began = 0.0
        self._answers: list[Answer] = []

    def close(self) -> None:
        """
        Close them all.
        """
        for client in self._open.values():
            client.close()
        self._epoll.close()

    def perform(self, work: Sequence[Request]) -> list[Answer]:
        """
        See L{perform}.
        """
        self._began = time.perf_counter()
        sent = 0
        while len(self._answers) < len(work):
            passed = time.perf_counter() - self._began
            while sent < len(work) and work[sent].at <= passed:
                self._ask(work[sent])
                sent += 1
            if passed > work[-1].at + _PATIENCE:
                raise BenchError(f"port {self._port} does not answer")
            wait = work[sent].at - passed if sent < len(work) else 1.0
            # An epoll object's own timeout is in milliseconds.
            select.select([self._epoll], [], [], max(0.0, wait))
            for descriptor, _ in self._epoll.poll(0):
                self._hear(self._open[descriptor])
        return self._answers

    def _ask(self, request: Request) -> None:
        """
        Send a request.
        """
        try:
            client = self._idle.pop() if self._idle else self._connect()
            self._asked[client.fileno()] = request.at
            client.sendall(_TEXT.format(request.service * 1000).encode())
        except OSError as error:
            raise BenchError(f"port {self._port}: {error}") from None

    def _connect(self) -> socket.socket:
        """
        Open one more connection.
        """
        client = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open[client.fileno()] = client
        self._epoll.register(client, select.EPOLLIN)
        return client

    def _hear(self, client: socket.socket) -> None:
        """
        Read the bytes that have arrived.
        """
        descriptor = client.fileno()
        try:
            data = client.recv(65536)
        except OSError as error:
            raise BenchError(f"port {self._port}: {error}") from None
        if descriptor not in self._asked:
            self._forget(client)
            return
        if not data:
            raise BenchError(f"port {self._port} closed a connection without an answer")
        heard = self._heard.pop(descriptor, b"") + data
        whole = body(heard)
        if whole is None:
            self._heard[descriptor] = heard
            return
        latency = time.perf_counter() - self._began - self._asked.pop(descriptor)
        self._answers.append(Answer(latency, whole))
        self._idle.append(client)

    def _forget(self, client: socket.socket) -> None:
        """
        Remove an idle connection that was closed.
        """
        self._idle.remove(client)
        del self._open[client.fileno()]
        client.close()


def body(data: bytes) -> bytes | None:
    """
    @return: the body of a response, or L{None} if it is incomplete.
    @raise BenchError: the status is not 200, or it has no length.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    lines = head.lower().split(b"\r\n")
    lengths = [line.partition(b":")[2] for line in lines if line.startswith(b"content-length:")]
    if b" 200 " not in lines[0] or not lengths:
        raise BenchError(f"an answer was {lines[0]!r}")
    return rest if len(rest) == int(lengths[0]) else None
