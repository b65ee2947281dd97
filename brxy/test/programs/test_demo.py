"""
Tests of examples/demo.py, by itself and behind an edge.
"""

from __future__ import annotations

import json
import re
import signal
import socket

from twisted.internet.defer import gatherResults

from brxy.test.support.loopback.transports import reset
from brxy.test.support.processes.programs import (
    ANYWHERE,
    DEMO,
    PYTHON,
    TWISTD,
    Program,
    ProgramTests,
)
from brxy.uptake.sockdiag import openDiag


class DemoTests(ProgramTests):
    """
    Tests of the app by itself.
    """

    async def _listening(self, *arguments: str) -> tuple[Program, str]:
        demo = self.start(PYTHON, DEMO, *arguments, PORT="0")
        match = await self.said(demo, r"process (\d+) listens on 127\.0\.0\.1:(\d+)\n")
        self.assertEqual(int(match[1]), demo.pid)
        return demo, f"tcp:127.0.0.1:{match[2]}"

    async def test_tells(self) -> None:
        """
        The app reports which process answered, and how many requests it has
        answered.
        """
        demo, address = await self._listening()
        await self.get(address)
        answer = await self.get(address, "/a?b", "example.com")
        self.assertEqual(answer.status, 200)
        who, what, host = answer.body.splitlines()
        self.assertRegex(who, rf"Hello from process {demo.pid}, request 2, up \d+\.\d s\.")
        self.assertEqual((what, host), ("GET /a?b", "Host: example.com"))

    async def test_oneAtATime(self) -> None:
        """
        The app accepts no connection before it has answered the one before and closed it.
        """
        _, address = await self._listening("-d", "0.3")
        app = ("127.0.0.1", int(address.rpartition(":")[2]))
        diag = openDiag()
        self.addCleanup(diag.close)
        with socket.create_connection(app) as first, socket.create_connection(app) as second:
            first.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            ours = second.getsockname()
            await self.until(lambda: (seen := diag.look(app, ours)) and seen.accepted)
            first.setblocking(False)
            self.assertIn(b"\r\nConnection: close\r\n", first.recv(1000))
            self.assertEqual(first.recv(1000), b"")

    async def test_bodies(self) -> None:
        """
        The app reads a body with either framing, and refuses malformed
        requests.
        """
        _, address = await self._listening()
        head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        length = await self.talk(address, head + b"Content-Length: 5\r\n\r\nhello")
        chunked = await self.talk(
            address,
            head
            + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n",
        )
        for answer in (length, chunked):
            self.assertEqual(answer.status, 200)
            self.assertIn("Body: 5 bytes\n", answer.body)
        wrong = await self.talk(address, head + b"Content-Length: -1\r\n\r\n")
        self.assertEqual(wrong.status, 400)

    async def test_ends(self) -> None:
        """
        SIGTERM ends the app with status 0, and Ctrl-C with 130, both without
        output.
        """
        for number, status in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
            demo, _ = await self._listening()
            demo.signal(number)
            self.assertEqual(await self.ended(demo), status)
            self.assertEqual(demo.err, "")

    async def test_reset(self) -> None:
        """
        A client that closes its connection early causes no output.
        """
        demo, address = await self._listening()
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            client.recv(1)
            reset(client)
        self.assertEqual((await self.get(address)).status, 200)
        demo.signal(signal.SIGTERM)
        self.assertEqual(await self.ended(demo), 0)
        self.assertEqual(demo.err, "")

    async def test_complains(self) -> None:
        """
        An invalid port, or one that is taken, is reported in one line.
        """
        demo = self.start(PYTHON, DEMO, PORT="http")
        self.assertEqual(await self.ended(demo), 1)
        why = "demo: PORT must be a number from 0 to 65535, not 'http'\n"
        self.assertEqual(demo.err, why)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            demo = self.start(PYTHON, DEMO, PORT=str(port))
            self.assertEqual(await self.ended(demo), 1)
        why = f"demo: can't listen on 127.0.0.1:{port}: Address already in use\n"
        self.assertEqual(demo.err, why)


class ScalingTests(ProgramTests):
    """
    Tests of the demonstration that a visitor sees first: four clients at once
    are served by four processes, which leave when they are idle.
    """

    async def _allLeave(self, edge: Program) -> None:
        # On a busy machine an instance may leave before it serves, and be replaced.
        await self.until(lambda: edge.out.count(": gone: ") >= 4 and self.running() == [edge.pid])
        await self.stopped(edge)

    async def test_apps(self) -> None:
        """
        C{app:} starts four processes, and all of them leave.
        """
        edge = self.start(
            *(TWISTD, "-n", "brxy-edge", "--port", ANYWHERE),
            *("--idle-timeout", "0.2", "--old-idle-timeout", "0.2"),
            *("--spawn", f"app: -- python {DEMO} -d 3"),
        )
        address = await self.address(edge)
        answers = await gatherResults([self.get(address) for _ in range(4)])
        self.assertEqual([answer.status for answer in answers], [200] * 4)
        pids = {match[1] for each in answers if (match := re.search(r"process (\d+)", each.body))}
        self.assertEqual(len(pids), 4)
        await self._allLeave(edge)

    async def test_nodes(self) -> None:
        """
        With nodes, too, there are four processes, and all of them leave.
        """
        edge = self.edge(
            *("--idle-timeout", "2", "--old-idle-timeout", "2"),
            *("--capacity", "1", "--spawn", f"twistd -n brxy-node -- {self.gate()}"),
        )
        address = await self.address(edge)
        answers = gatherResults([self.get(address) for _ in range(4)])
        await self.until(lambda: edge.out.count("asked") == 4)
        self.openGate()
        ports = {json.loads(answer.body)["PORT"] for answer in await answers}
        self.assertEqual(len(ports), 4)
        await self._allLeave(edge)
