"""
Tests of the command C{brxy} as an operator uses it: in the windows of a terminal, under load.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from brxy.test.programs.test_brxy import EdgeTests
from brxy.test.support.processes.programs import DEMO, PYTHON

__all__ = ["TmuxTests"]

_HOST = "shop.example.com"


class TmuxTests(EdgeTests):
    """
    Tests in windows of tmux.
    """

    def setUp(self) -> None:
        super().setUp()
        if shutil.which("tmux") is None:
            raise SkipTest("needs tmux (apt install tmux)")

    async def tmux(self, *arguments: str) -> str:
        """
        @return: what a command of tmux prints.
        """
        command = ("tmux", "-S", "tmux", "-f", os.devnull, *arguments)
        done = self.start(*command, TERM="xterm", LC_ALL="C.UTF-8")
        self.assertEqual((await self.ended(done), done.err), (0, ""))
        return done.out

    async def window(self, name: str, *arguments: str) -> None:
        """
        Run C{brxy} in a window of its own.
        """
        command = shlex.join([PYTHON, "-m", "brxy.ctl", *arguments, "--socket", "state"])
        await self.tmux("new-window", "-d", "-n", name, command)

    async def shows(self, name: str, pattern: str) -> str:
        """
        Wait until a window shows something.

        @return: all of it.
        """
        while not re.search(pattern, text := await self.seen(name), re.MULTILINE):
            await deferLater(self.reactor, 0.1)
        return text

    async def seen(self, name: str) -> str:
        """
        @return: what is on a window, with what has left it at the top: a command that has ended
            moves its output up by a line.
        """
        return await self.tmux("capture-pane", "-p", "-S", "-", "-t", name)

    async def closed(self, name: str) -> None:
        """
        Wait until the command in a window has ended.  tmux does not always know its status.
        """
        form = "#{window_name} #{pane_dead}"
        while f"{name} 1" not in (await self.tmux("list-panes", "-a", "-F", form)).splitlines():
            await deferLater(self.reactor, 0.1)

    async def load(self, address: str, statuses: list[int], over: Deferred[None]) -> None:
        """
        Be a client that sends one request after the other.
        """
        while not over.called:
            statuses.append((await self.get(address, host=_HOST)).status)

    async def test_underLoad(self) -> None:
        """
        While clients come, C{brxy} shows the edge, what happens, and what the app prints; the
        route is woken, paused and resumed, and no request is lost.
        """
        app = f"app: route={_HOST} capacity=2 max=2 -- python {DEMO} -d 0.02"
        edge = self.brxy(
            *("edge", *self.on, "--port", "tcp:0:interface=127.0.0.1", "--state-dir", "state"),
            *("--spawn", app),
        )
        address = await self.address(edge)
        await self.tmux("new-session", "-d", "-x", "100", "-y", "24", "cat")
        await self.tmux("set-option", "-g", "remain-on-exit", "on")
        await self.window("events", "events", "-f", "--route", _HOST)
        await self.window("logs", "logs", "-f", _HOST)
        await self.window("wake", "wake", _HOST, "--wait")
        await self.shows("wake", rf"^{_HOST}: ready; 0 held, 0 in flight; instances: 1 ready$")
        await self.shows("events", r"^\d\d:\d\d:\d\d info  shop\.example\.com/\w+: ready after")
        await self.shows("logs", r"^[0-9a-f]{16}\| demo: process \d+ listens on ")
        await self.window("screen", "top")
        statuses: list[int] = []
        over: Deferred[None] = Deferred()
        clients = [Deferred.fromCoroutine(self.load(address, statuses, over)) for _ in range(6)]
        await self.until(lambda: len(statuses) > 20)
        top = await self.shows("screen", rf"^{_HOST}  (ready|held) .* [1-9]\d*\.\d +\d+M +\d+%")
        self.assertIn("ROUTE             STATE", top)
        await self.window("pause", "pause", _HOST, "--max", "1m")
        await self.shows("pause", rf"^{_HOST}: paused; \d held, 0 in flight; instances:")
        count = len(statuses)
        await self.shows("screen", rf"^{_HOST}  paused +6 +0 ")
        await self.window("status", "status")
        await self.shows("status", rf"^{_HOST}: paused, 6 held$")
        await self.shows("events", r": paused, for at most 60 s$")
        self.assertEqual(len(statuses), count)
        await self.window("resume", "resume", _HOST)
        await self.shows("resume", rf"^{_HOST}: (ready|held); ")
        await self.until(lambda: len(statuses) > count + 20)
        over.callback(None)
        for each in clients:
            await each
        self.assertEqual(set(statuses), {200})
        await self.tmux("send-keys", "-t", "screen", "q")
        await self.closed("screen")
        edge.signal(signal.SIGTERM)
        await self.closed("logs")
        await self.ended(edge)
