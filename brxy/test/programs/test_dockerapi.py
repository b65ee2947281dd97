"""
Tests of a Docker daemon as the app: the real C{docker} sends its API requests
through an edge, among them upgrades in requests that have a body.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

import brxy
from brxy.test.support.docker.containers import ContainerTests
from brxy.test.support.docker.dockerd import MISSING, WEB
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.processes.programs import ANYWHERE, PYTHON

__all__ = ["OtherTests", "TakeoverTests"]

_BRIDGE = str(Path(brxy.__file__).parent / "test" / "apps" / "bridge.py")

# More than any buffer on the way holds.
_MUCH = b"0123456789abcdef" * 20_000

# How BuildKit opens a session with its daemon, by an upgrade to HTTP/2; and a second request,
# whose answer ends the connection.
_SESSION = (
    b"POST /session HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    b"Content-Length: 5\r\n\r\nhello"
    b"GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
)

# Options of a container that is attached to, and gone at its end.
_ALONE = ("--rm", "-i", "--network", "none")

# Seconds within which a command of the client must have ended.
_LIMIT = 30.0


class _DaemonTests(ContainerTests):
    """
    Base of tests with a daemon as the app.
    """

    if MISSING:
        skip = MISSING

    async def _behind(self, spawn: str) -> str:
        """
        Start an edge whose app is the daemon.

        @param spawn: with C{COMMAND} in place of the app's command.
        @return: the edge's address for HTTP.
        """
        command = shlex.join([PYTHON, _BRIDGE]) + f" {{port}} {self.dockerd.folder}/socket"
        tcp = ("--tcp", f"docker={ANYWHERE}")
        edge = self.edge("--capacity", "20", *tcp, "--spawn", spawn.replace("COMMAND", command))
        self.tcp = await self.address(edge, "TCPFactory")
        return await self.address(edge)

    def _docker(
        self, address: str, *arguments: str, data: bytes = b""
    ) -> Deferred[subprocess.CompletedProcess[bytes]]:
        """
        Run C{docker} against an edge.

        @return: fires when it has ended.
        """
        host = address.replace("tcp:", "tcp://", 1)
        command = ["docker", "--host", host, *arguments]
        done: Deferred[subprocess.CompletedProcess[bytes]] = deferToThread(
            subprocess.run, command, input=data, capture_output=True, timeout=_LIMIT
        )
        return done

    async def _use(self, address: str) -> None:
        """
        Check the commands that take over their connection, all at once.
        """
        name = await self.stranger()
        commands = gatherResults(
            [
                self._docker(address, "exec", name, "sh", "-c", "echo out; echo e >&2; exit 7"),
                # The half-close of standard input ends cat.
                self._docker(address, "exec", "-i", name, "cat", data=_MUCH),
                self._docker(address, "run", *_ALONE, WEB, "cat", data=b"attached"),
                self._docker(address, "exec", "no-such", "true"),
            ]
        )
        told, streamed, attached, refused = await commands
        self.assertEqual((told.returncode, told.stdout, told.stderr), (7, b"out\n", b"e\n"))
        self.assertEqual((streamed.returncode, streamed.stdout, streamed.stderr), (0, _MUCH, b""))
        self.assertEqual((attached.returncode, attached.stdout), (0, b"attached"))
        self.assertEqual((refused.returncode, refused.stdout), (1, b""))
        self.assertIn(b"No such container: no-such", refused.stderr)


@onBothTransports
class TakeoverTests(_DaemonTests):
    """
    Tests of C{docker exec} and of other commands that take over their
    connection, over HTTP.
    """

    async def test_fronted(self) -> None:
        """
        They work through an edge that fronts the daemon.
        """
        await self._use(await self._behind("app: -- COMMAND"))

    async def test_node(self) -> None:
        """
        They work through an edge and a node.
        """
        await self._use(await self._behind(f"process: -- {PYTHON} -m brxy.node -- COMMAND"))


class OtherTests(_DaemonTests):
    """
    Tests of other ways to the daemon.
    """

    async def test_tcp(self) -> None:
        """
        They work through a TCP frontend.
        """
        await self._behind("app: route=docker -- COMMAND")
        await self._use(self.tcp)

    async def test_http2(self) -> None:
        """
        The daemon gets a request without its upgrade to HTTP/2, which brxy
        does not speak. The client gets the daemon's error, and its next
        request is served.
        """
        address = await self._behind("app: -- COMMAND")
        answer = await self.talk(address, _SESSION)
        self.assertEqual(answer.status, 400)
        self.assertIn("no upgrade proto in request", answer.body)
        self.assertRegex(answer.body, r"HTTP/1\.1 200 (.*\r\n)+\r\nOK$")
