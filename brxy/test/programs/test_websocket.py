"""
Tests of connections that stay open for long: WebSockets and server-sent
events.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Event

from twisted.internet.threads import deferToThread
from websockets.sync.client import connect

import brxy
from brxy.test.support.processes.programs import PYTHON, ProgramTests

__all__ = ["EventTests", "WebSocketTests"]

_APP = str(Path(brxy.__file__).parent / "test" / "apps" / "talker.py")

#: Seconds after which an instance without work leaves: enough to give it the first request,
#: however busy the machine is.
_IDLE = 2.0


class _TalkerTests(ProgramTests):
    """
    Base of tests with the app that serves WebSockets and events.
    """

    async def _talk(self, spawn: str, talk: Callable[[int], None]) -> None:
        """
        Start an edge in front of the app, and talk to it in a thread.

        @param talk: gets the edge's port.
        """
        idle = ("--idle-timeout", str(_IDLE), "--old-idle-timeout", str(_IDLE))
        edge = self.edge(*idle, "--spawn", spawn)
        address = await self.address(edge)
        await deferToThread(talk, int(address.rpartition(":")[2]))
        # No connection keeps the instance any more, and it leaves.
        await self.said(edge, "gone: ")
        await self.stopped(edge)


class WebSocketTests(_TalkerTests):
    """
    Tests with the C{websockets} library as client and as server.
    """

    def _echo(self, port: int) -> None:
        # The first client waits for the app to start.
        with connect(f"ws://127.0.0.1:{port}/", proxy=None, open_timeout=60) as first:
            for message in ("hello", b"\x00\xff", "x" * 200_000):
                first.send(message)
                self.assertEqual(first.recv(timeout=20), message)
            # Another client connects, leaves, and gives the instance time to become idle.
            with connect(f"ws://127.0.0.1:{port}/", proxy=None) as second:
                second.send("me, too")
                self.assertEqual(second.recv(timeout=20), "me, too")
            Event().wait(1.5 * _IDLE)
            first.send("still there")
            self.assertEqual(first.recv(timeout=20), "still there")

    async def test_fronted(self) -> None:
        """
        Messages of all kinds pass the edge. An open WebSocket keeps its
        instance past the time after which an idle one leaves.
        """
        await self._talk(f"app: capacity=2 -- {PYTHON} {_APP}", self._echo)

    async def test_node(self) -> None:
        """
        WebSockets work the same behind a node.
        """
        node = f"{PYTHON} -m brxy.node"
        await self._talk(f"process: capacity=2 -- {node} -- {PYTHON} {_APP}", self._echo)


class EventTests(_TalkerTests):
    """
    Tests with a plain client that reads server-sent events.
    """

    def _read(self, port: int) -> None:
        fifo = self.folder / "events"
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with open(fifo, "wb", buffering=0) as events, client.makefile("rb") as stream:
                while stream.readline() != b"\r\n":
                    pass
                for number in range(3):
                    # The app does not send the next event before this one has arrived.
                    events.write(b"%d\n" % number)
                    self.assertEqual(stream.readline(), b"data: %d\n" % number)
                    self.assertEqual(stream.readline(), b"\n")
                events.close()
                self.assertEqual(stream.read(), b"")

    async def test_fronted(self) -> None:
        """
        Each event arrives when it is sent, and the client sees the end.
        """
        os.mkfifo(self.folder / "events")
        await self._talk(f"app: -- {PYTHON} {_APP} events", self._read)

    async def test_node(self) -> None:
        """
        Events work the same behind a node.
        """
        os.mkfifo(self.folder / "events")
        node = f"{PYTHON} -m brxy.node"
        await self._talk(f"process: -- {node} -- {PYTHON} {_APP} events", self._read)
