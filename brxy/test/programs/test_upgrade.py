"""
Tests of an edge that another one takes the place of while it serves.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
from collections.abc import Callable
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

from twisted.internet.threads import deferToThread

import brxy
from brxy.pki import Authority
from brxy.test.support.processes.programs import DEMO, PYTHON, Program, ProgramTests

__all__ = ["LoadTests", "UpgradeTests"]

_APP = str(Path(brxy.__file__).parent / "test" / "apps" / "noting.py")
_BRXY = (PYTHON, "-m", "brxy.ctl")
_STATE = ("--state-dir", "state")


class _UpgradeTests(ProgramTests):
    """
    Base of these tests.

    @ivar pids: of the edges, in their order.
    """

    async def edgeWith(self, *arguments: str) -> tuple[Program, int]:
        """
        Start an edge.

        @return: it, and its port.
        """
        edge = self.edge(*_STATE, *arguments)
        address = await self.address(edge)
        await self.said(edge, "AdminFactory starting")
        self.pids = [edge.pid]
        return edge, int(address.rpartition(":")[2])

    async def upgrade(self) -> None:
        """
        Have the next edge take over.
        """
        upgrade = self.start(*_BRXY, "upgrade", "--socket", "state", "--json")
        self.assertEqual((await self.ended(upgrade), upgrade.err), (0, ""))
        done = json.loads(upgrade.out)
        self.assertEqual(done["former"], self.pids[-1])
        self.pids.append(done["pid"])

    async def stop(self) -> None:
        """
        Stop the edge that serves last, and wait until all have ended.
        """
        os.kill(self.pids[-1], signal.SIGTERM)
        await self.gone(*self.pids)


class UpgradeTests(_UpgradeTests):
    """
    Tests of C{brxy upgrade}.
    """

    async def test_takesOver(self) -> None:
        """
        The next edge serves at the same ports, and the former one ends. What the next edge opens
        at the end, it closes.
        """
        _, port = await self.edgeWith("--spawn", f"app: -- {PYTHON} {DEMO}")
        address = f"tcp:127.0.0.1:{port}"

        async def process() -> str:
            return (await self.get(address)).body.split(",")[0]

        first = await process()
        for _ in range(2):
            await self.upgrade()
            second = await process()
            self.assertNotEqual(first, second)
            await self.gone(*self.pids[:-1])
        self.assertEqual(await process(), second)
        await self.stop()
        self.assertEqual([each.name for each in (self.folder / "state").iterdir()], ["edge.json"])

    async def test_badConfiguration(self) -> None:
        """
        If the next edge can't use its configuration, the command fails with the reason, and
        nothing has changed.
        """
        config = self.folder / "brxy.toml"
        text = (
            '[route."a.test"]\n[[route."a.test".spawn]]\n'
            f'kind = "app"\ncommand = ["{PYTHON}", "{DEMO}"]\n'
        )
        config.write_text(text)
        edge, port = await self.edgeWith("--config", "brxy.toml")
        address = f"tcp:127.0.0.1:{port}"
        before = (await self.get(address, host="a.test")).body.split(",")[0]
        config.write_text(text.replace("command", "comand"))
        upgrade = self.start(*_BRXY, "upgrade", "--socket", "state")
        self.assertEqual((await self.ended(upgrade), upgrade.out), (1, ""))
        self.assertIn("brxy.toml:4: comand is not known", upgrade.err)
        self.assertEqual((await self.get(address, host="a.test")).body.split(",")[0], before)
        await self.said(edge, "the upgrade has failed, going on: brxy.toml can't be used")
        config.write_text(text)
        await self.upgrade()
        self.assertEqual((await self.get(address, host="a.test")).status, 200)
        await self.stop()

    async def test_inBackground(self) -> None:
        """
        An edge that twistd runs in the background says why it can't be upgraded.
        """
        daemon = self.start(
            *(f"{Path(PYTHON).parent}/twistd", "--pidfile=daemon.pid", "brxy-edge"),
            *(*_STATE, "-p", "tcp:0:interface=127.0.0.1", "--spawn", "app: -- true"),
        )
        self.assertEqual(await self.ended(daemon), 0)
        await self.until(lambda: (self.folder / "state" / "admin.sock").exists())
        upgrade = self.start(*_BRXY, "upgrade", "--socket", "state")
        self.assertEqual(await self.ended(upgrade), 1)
        self.assertIn("twistd runs it in the background", upgrade.err)


class _Load:
    """
    Clients in threads, until they are stopped.

    @ivar problems: what went wrong, one line each.
    @ivar posted: the bodies that an app has confirmed.
    @ivar served: how many answers there were.
    """

    def __init__(self, port: int, tls_port: int, context: ssl.SSLContext) -> None:
        """
        @param context: for the port of TLS.
        """
        self._port = port
        self._tls_port = tls_port
        self._context = context
        self._end = Event()
        self._threads: list[Thread] = []
        self.problems: list[str] = []
        self.posted: set[str] = set()
        self.served = 0

    def add(self, client: Callable[[], None]) -> None:
        """
        Have a client repeat something.
        """

        def run() -> None:
            while not self._end.is_set():
                try:
                    client()
                except Exception as error:
                    self.problems.append(f"{client}: {error!r}")
                self._end.wait(0.01)

        self._threads.append(Thread(target=run))
        self._threads[-1].start()

    def stop(self) -> None:
        """
        End all clients.
        """
        self._end.set()
        for thread in self._threads:
            thread.join()

    def requests(self, host: str, path: str = "/", tls: bool = False) -> Callable[[], None]:
        """
        One GET and one POST after the other, on a connection that is kept if it may be.
        """
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        if tls:
            connection = HTTPSConnection(
                "127.0.0.1", self._tls_port, timeout=60, context=self._context
            )

        def request() -> None:
            body = uuid4().hex
            for method in ("GET", "POST"):
                connection.request(
                    method, path, body if method == "POST" else None, {"Host": host}
                )
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == 200:
                    self.served += 1
                else:
                    self.problems.append(f"{answer.status} {text!r}")
                if method == "POST":
                    self.posted.add(body)

        return request

    def echoes(self, host: str) -> Callable[[], None]:
        """
        One message after the other on a connection that is never closed.
        """
        client = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        head = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
        client.sendall(head.encode())
        file = client.makefile("rb")
        while (line := file.readline()) != b"\r\n":
            assert line, "no switch"

        def echo() -> None:
            message = uuid4().bytes
            client.sendall(message)
            assert file.read(len(message)) == message, "another echo"
            self.served += 1

        return echo


class LoadTests(_UpgradeTests):
    """
    Tests of upgrades while clients are served.
    """

    timeout = 200

    _UPGRADES = 3

    async def test_nothingLost(self) -> None:
        """
        Requests, requests that are held, and connections that stay open all pass several
        upgrades: behind C{app:}, behind a node that the edge has started, and behind one that it
        has not. No request is lost, and no POST comes twice.
        """
        token, certificates = self.folder / "token", self.folder / "certificates"
        authority = Authority.make()
        issued = authority.issue("default", "127.0.0.1")
        certificates.mkdir(mode=0o700)
        (certificates / "default.pem").write_bytes(issued.certificate + issued.key)
        (certificates / "default.pem").chmod(0o600)
        context = ssl.create_default_context(cadata=authority.issued.certificate.decode())
        app = f"{PYTHON} {_APP} {self.folder}/noted"
        node = f"{PYTHON} -m brxy.node -- {app}"
        edge, port = await self.edgeWith(
            *("--token-file", "token", "--hold-timeout", "60"),
            *("--tls-port", "tcp:0:interface=127.0.0.1", "--tls-certs", "certificates"),
            *("--spawn", f"app: route=app.test capacity=8 max=2 -- {app}"),
            *("--spawn", f"app: route=one.test capacity=1 max=1 -- {app}"),
            *("--spawn", f"process: route=node.test capacity=8 max=2 -- {node}"),
        )
        dialled = re.search(r"SlotFactory starting on (\d+)\n", edge.out)
        assert dialled is not None
        await self.until(token.exists)
        self.start(
            *(PYTHON, "-m", "brxy.node", "--edge", f"tcp:127.0.0.1:{dialled[1]}"),
            *(
                "--token-file",
                "token",
                "--route",
                "own.test",
                "--capacity",
                "8",
                "--",
                *app.split(),
            ),
        )
        await self.said(edge, r"own.test/\w+: ready")
        secured = re.search(r"listening on https://127.0.0.1:(\d+)\n", edge.out)
        assert secured is not None
        load = _Load(port, int(secured[1]), context)
        self.addCleanup(load.stop)
        for host in ("app.test", "node.test", "own.test"):
            load.add(load.requests(host))
            load.add(load.requests(host, tls=True))
            load.add(await deferToThread(load.echoes, host))
        for _ in range(3):
            load.add(load.requests("one.test", "/sleep/0.1"))
        for _ in range(self._UPGRADES):
            served = load.served
            await self.until(lambda served=served: load.served > served + 50)  # type: ignore[misc]
            await self.upgrade()
        served = load.served
        await self.until(lambda: load.served > served + 50)
        await deferToThread(load.stop)
        self.assertEqual(load.problems, [])
        noted = (self.folder / "noted").read_text().split()
        self.assertEqual(len(noted), len(set(noted)))
        self.assertEqual(load.posted - set(noted), set())
