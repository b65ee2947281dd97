"""
Clients of an admin API in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from brxy.edge.admin.door import Door
from brxy.edge.admin.server import AdminFactory, AdminServer
from brxy.edge.admin.table import Endpoint
from brxy.test.support.memory.network import (
    UNIX_ADDRESS,
    FakeReactor,
    PipeEnd,
    connect,
    settle,
)
from brxy.test.support.memory.recorders import HalfRecorder

__all__ = ["AdminClient", "MemoryAdmin", "ask"]


def ask(
    target: str = "/ok",
    method: str = "GET",
    body: Any = None,
    host: str = "localhost",
    **fields: str,
) -> bytes:
    """
    @param body: sent as JSON with its Content-Type; L{None} for no body.
    @param fields: further fields, with C{_} for C{-}.
    @return: a request.
    """
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    text = b""
    if body is not None:
        text = json.dumps(body).encode()
        lines += ["Content-Type: application/json", f"Content-Length: {len(text)}"]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode() + text


class AdminClient(HalfRecorder):
    """
    One client.
    """

    end: PipeEnd

    @property
    def statuses(self) -> list[int]:
        """
        The statuses of its responses.
        """
        return [int(each[:3]) for each in bytes(self.received).split(b"HTTP/1.1 ")[1:]]

    def value(self) -> Any:
        """
        @return: the JSON in its last response.
        """
        return json.loads(bytes(self.received).rpartition(b"\r\n\r\n")[2])


class MemoryAdmin:
    """
    A server with its clients.
    """

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        door: Door | None = None,
        reactor: FakeReactor | None = None,
    ) -> None:
        self.reactor = FakeReactor() if reactor is None else reactor
        self.server = AdminServer(self.reactor.shared, endpoints)
        self._factory = AdminFactory(self.server, Door() if door is None else door)
        self._ends: list[PipeEnd] = []

    def connect(self, limit: int = 65536) -> AdminClient:
        """
        @param limit: how many bytes the server may send before the client takes some.
        @return: a client.
        """
        client = AdminClient()
        protocol = self._factory.buildProtocol(UNIX_ADDRESS)
        ends = connect(self.reactor, protocol, client, UNIX_ADDRESS, limit)
        client.end = ends[1]
        self._ends += ends
        return client

    def send(self, *data: bytes, client: AdminClient | None = None) -> AdminClient:
        """
        Send bytes on a connection.

        @param client: whose; L{None} for a new one.
        @return: the client.
        """
        client = self.connect() if client is None else client
        for each in data:
            client.end.write(each)
            self.settle()
        return client

    def settle(self) -> None:
        """
        Deliver what was sent.
        """
        settle(self.reactor, lambda: self._ends)

    def wait(self, seconds: float) -> None:
        """
        Let time pass.
        """
        for _ in range(int(seconds)):
            self.reactor.advance(1)
            self.settle()
