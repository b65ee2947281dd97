"""
Tests of an edge with fifty apps, each with a file of its own.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable
from pathlib import Path
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from websockets.sync.client import ClientConnection, connect

import brxy
from brxy.test.support.processes.programs import PYTHON, ProgramTests

_APP = str(Path(brxy.__file__).parent / "test" / "apps" / "echo.py")

_APPS = 50

_EDITED, _REMOVED, _BROKEN, _ADDED = "app7", "app21", "app33", "added"

_CLIENTS = 4


def _file(name: str, number: int) -> str:
    """
    @return: the file of an app.  Apps differ in how their files are written.
    """
    command = json.dumps([PYTHON, "-I", "-S", _APP, "{port}", name])
    spawn = f'kind = "app"\ncommand = {command}\n'
    match number % 4:
        case 0:
            hosts = f'host = ["{name}.example.com", "*.{name}.example.com"]'
            return f"[[route]]\n{hosts}\ncapacity = 8\n[[route.spawn]]\n{spawn}"
        case 1:
            table = f'route."{name}.example.com"'
            return f'[{table}]\nidle-timeout = "10m"\n[[{table}.spawn]]\n{spawn}'
        case 2:
            table = f'route."{name}.example.com"'
            return f'[[{table}.spawn]]\n{spawn}env = {{ MODE = "{number}" }}\nmax = 2\n'
        case _:
            return f'[[route."{name}.example.com".spawn]]\n{spawn}on-change = "roll"\n'


class _Load:
    """
    Clients that send request after request to some apps, each on a connection that it keeps.

    @ivar failed: what was received instead of an answer with status 200, by app.
    @ivar answered: how many requests had one.
    """

    def __init__(self, reactor: Any, port: int, apps: Iterable[str]) -> None:
        self.failed: list[tuple[str, object]] = []
        self.answered = 0
        self._reactor = reactor
        self._port = port
        self._apps = list(apps)
        self._stopping = Event()
        self._clients: Deferred[list[None]] = gatherResults(
            deferToThread(self._send, number) for number in range(_CLIENTS)
        )

    async def goesOn(self) -> None:
        """
        Wait until each app has answered twice more, or a request has failed.
        """
        wanted = self.answered + 2 * len(self._apps)
        while self.answered < wanted and not self.failed:
            await deferLater(self._reactor, 0.01)

    async def stop(self) -> None:
        """
        Wait for the last answers.  May be called again.
        """
        self._stopping.set()
        await self._clients

    def _send(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self.failed and not self._stopping.wait(0.002):
            for name in self._apps[number::_CLIENTS]:
                try:
                    connection.request("GET", "/", headers={"Host": f"{name}.example.com"})
                    answer = connection.getresponse()
                    found = answer.status, answer.read()
                except (OSError, http.client.HTTPException) as error:
                    self.failed.append((name, error))
                    break
                if found[0] != 200 or not found[1].startswith(name.encode() + b" "):
                    self.failed.append((name, found))
                    break
                self.answered += 1
        connection.close()


class FiftyAppsTests(ProgramTests):
    """
    Tests of a reload with many apps, each of which is a process with a WebSocket.
    """

    def _write(self) -> dict[str, Path]:
        apps = self.folder / "apps"
        apps.mkdir()
        top = '[edge]\ninclude = "apps/*.toml"\nmax-total = 200\n[defaults]\ncapacity = 4\n'
        (self.folder / "brxy.toml").write_text(top)
        files = {f"app{number}": apps / f"app{number}.toml" for number in range(_APPS)}
        for number, (name, path) in enumerate(files.items()):
            path.write_text(_file(name, number))
        return files

    def _edit(self, files: dict[str, Path]) -> None:
        edited, broken = files[_EDITED].read_text(), files[_BROKEN].read_text()
        files[_EDITED].write_text(f'{edited}env = {{ EDITED = "yes" }}\n')
        files[_REMOVED].unlink()
        files[_BROKEN].write_text(f"{broken}comand = []\n")
        files[_BROKEN].with_name(f"{_ADDED}.toml").write_text(_file(_ADDED, 2))

    def _connect(self, port: int, names: Iterable[str]) -> dict[str, ClientConnection]:
        """
        @return: an open WebSocket to each app.
        """
        return {
            name: connect(
                f"ws://{name}.example.com/",
                sock=socket.create_connection(("127.0.0.1", port)),
                open_timeout=60,
                ping_interval=None,
            )
            for name in names
        }

    def _talk(self, sockets: dict[str, ClientConnection]) -> dict[str, str]:
        """
        @return: the process with which each WebSocket is connected.
        """
        found = {}
        for name, each in sockets.items():
            each.send("hello")
            answer = str(each.recv(timeout=60)).split()
            self.assertEqual((answer[0], answer[2]), (name, "hello"))
            found[name] = answer[1]
        return found

    async def _asked(self, *arguments: str, status: int = 0) -> str:
        """
        @return: what C{brxy} prints.
        """
        program = self.start(PYTHON, "-m", "brxy.ctl", *arguments, "--socket", "state")
        self.assertEqual(await self.ended(program), status, program.err)
        return program.out + program.err

    async def _process(self, address: str, name: str) -> str:
        answer = await self.get(address, host=f"{name}.example.com")
        return answer.body.split()[1] if answer.status == 200 else str(answer.status)

    async def test_reload(self) -> None:
        """
        Under load, with an open WebSocket to each app, one app is edited, one removed, one
        broken and one added.  No request fails, no WebSocket is closed, only the edited app
        rolls, and the broken one serves with what it had, which C{brxy status} says.
        """
        files = self._write()
        edge = self.edge("--config", "brxy.toml", "--state-dir", "state")
        address = await self.address(edge)
        port = int(address.rpartition(":")[2])
        sockets = await deferToThread(self._connect, port, files)
        before = await deferToThread(self._talk, sockets)
        load = _Load(self.reactor, port, (name for name in files if name != _REMOVED))
        self.addCleanup(load.stop)
        await load.goesOn()
        self._edit(files)
        fault = f"apps/{_BROKEN}.toml:6: comand is not known; did you mean command?"
        self.assertIn(fault, await self._asked("reload", status=1))
        self.assertIn(fault, await self._asked("status"))
        await self._rolled(address, before[_EDITED])
        await load.goesOn()
        await load.stop()
        self.assertEqual(load.failed, [])
        # Also those of the edited and the removed app, whose instances leave when they end.
        self.assertEqual(await deferToThread(self._talk, sockets), before)
        await self._check(address, before)
        await deferToThread(self._close, sockets)
        await self.said(edge, rf"{_EDITED}.example.com/\w+: gone")
        await self.said(edge, rf"{_REMOVED}.example.com/\w+: gone")
        self.assertEqual(edge.out.count(": gone"), 2)
        await self.stopped(edge)

    async def _rolled(self, address: str, before: str) -> None:
        """
        Wait until a newer instance of the edited app serves.
        """
        while await self._process(address, _EDITED) == before:
            pass

    async def _check(self, address: str, before: dict[str, str]) -> None:
        """
        Check that each app that has not changed is the process that it was.
        """
        for name, process in before.items():
            after = await self._process(address, name)
            if name == _REMOVED:
                self.assertEqual(after, "404")
            else:
                self.assertEqual(after == process, name != _EDITED, name)
        self.assertTrue((await self._process(address, _ADDED)).isdigit())

    def _close(self, sockets: dict[str, ClientConnection]) -> None:
        for each in sockets.values():
            each.close()
