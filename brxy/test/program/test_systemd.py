"""
Tests of L{brxy.program.systemd}, alone and in an edge.
"""

from __future__ import annotations

import json
import signal
import socket
import tempfile
from pathlib import Path
from uuid import uuid4

from twisted.trial.unittest import SynchronousTestCase

from brxy.program.systemd import READY, STOPPING, notifier
from brxy.test.support.processes.programs import ANYWHERE, TWISTD, ProgramTests


class NotifierTests(SynchronousTestCase):
    """
    Tests of L{notifier}, with a socket like systemd's.
    """

    def _listen(self, name: str) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.bind(name)
        sock.setblocking(False)
        return sock

    def test_path(self) -> None:
        """
        The notifier sends each message to the socket, and removes systemd's
        variables from the environment of started processes.
        """
        with tempfile.TemporaryDirectory() as folder:
            sock = self._listen(f"{folder}/s")
            environ = {"NOTIFY_SOCKET": f"{folder}/s", "LISTEN_FDNAMES": "http", "PATH": "/bin"}
            notify = notifier(environ)
            self.assertEqual(environ, {"PATH": "/bin"})
            notify(READY)
            notify(STOPPING)
            self.assertEqual([sock.recv(100), sock.recv(100)], [b"READY=1", b"STOPPING=1"])

    def test_abstract(self) -> None:
        """
        The address may be abstract, in no file system.
        """
        name = f"brxy-{uuid4().hex}"
        sock = self._listen(f"\0{name}")
        notifier({"NOTIFY_SOCKET": f"@{name}"})(READY)
        self.assertEqual(sock.recv(100), b"READY=1")

    def test_noAddress(self) -> None:
        """
        Without an address nothing is sent, and an address where nothing listens does no
        harm.
        """
        notifier({})(READY)
        notifier({"NOTIFY_SOCKET": "/nowhere/at/all"})(READY)


class EdgeNotifyTests(ProgramTests):
    """
    Tests of an edge that notifies systemd.
    """

    async def test_edge(self) -> None:
        """
        The edge reports READY when its ports are open, and STOPPING when it
        begins to stop. Its app gets none of systemd's variables.
        """
        path = Path(self.folder) / "notify"
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.bind(str(path))
        sock.settimeout(60)
        app = f"app: -- {self.gate()}"
        environ = {"NOTIFY_SOCKET": str(path), "LISTEN_FDNAMES": "http"}
        ports = ("--port", ANYWHERE, "--spawn", app)
        edge = self.start(TWISTD, "-n", "brxy-edge", *ports, **environ)
        self.assertEqual(sock.recv(100), b"READY=1")
        address = await self.address(edge)
        answer = await self.get(address, "/env")
        self.assertEqual(environ.keys() & json.loads(answer.body).keys(), set())
        held = self.get(address)
        await self.said(edge, "asked /")
        edge.signal(signal.SIGTERM)
        self.assertEqual(sock.recv(100), b"STOPPING=1")
        self.openGate()
        self.assertEqual((await held).status, 200)
        self.assertEqual(await self.ended(edge), -signal.SIGTERM)
        self.assertNotIn("systemd", edge.out)
