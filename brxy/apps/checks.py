"""
Readiness checks of an app: the conditions that must hold before it is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater

from brxy.apps.command import HOST, appCommand, appEnvironment
from brxy.apps.listening import Listener
from brxy.apps.settings import AppSettings
from brxy.errors import SpawnFailed
from brxy.processes.child import Child
from brxy.processes.place import Place
from brxy.readiness import Question, answering, siteName
from brxy.values.reports import fewReports
from brxy.wire.proxyheader import proxyHeader

__all__ = ["Checks", "CommandCheck", "misplaced", "siteQuestion"]

# Where an app may listen: some choose ::1 for the name localhost.
_HOSTS = (HOST, "::1")

# Seconds that a ready-command may take; and between two of its runs: this part of the time
# that has passed, but within these limits.  A run takes some milliseconds of processor time.
_LONGEST_RUN = 10.0
_PART = 1 / 10
_SHORTEST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


def siteQuestion(path: str | None, route: str, send_proxy: str | None) -> Question:
    """
    @param path: what the app must answer; L{None}: a connection is enough.
    @param send_proxy: the version of the PROXY protocol that it expects.
    @return: what the app of a route must answer before it is ready.
    """
    # The check is no client, so its PROXY header has no addresses.
    header = proxyHeader(send_proxy, None) if send_proxy else b""
    return Question(path, siteName(route), header)


class CommandCheck:
    """
    Runs a command, again and again until it succeeds.

    @ivar over: fires when C{wait} has ended, in any way, and nothing of the command is
        left.
    """

    def __init__(
        self,
        reactor: Any,
        argv: Sequence[str],
        environment: Mapping[str, str],
        place: Place,
        note: Callable[[str], None],
    ) -> None:
        """
        @param note: called with the reason of each failure.
        """
        self.over: Deferred[None] = Deferred()
        self._reactor = reactor
        self._argv = argv
        self._environment = environment
        self._place = place
        self._note = note
        self._child: Child | None = None

    async def wait(self) -> None:
        """
        Wait for success.  May be cancelled.
        """
        began = self._reactor.seconds()
        try:
            while not await self._succeeds():
                pause = (self._reactor.seconds() - began) * _PART
                pause = min(max(pause, _SHORTEST_PAUSE), _LONGEST_PAUSE)
                await deferLater(self._reactor, pause)
        finally:
            if self._child is None:
                self.over.callback(None)
            else:
                self._child.emptied.addCallback(self.over.callback)
                self._child.kill()

    async def _succeeds(self) -> bool:
        child = Child(
            self._reactor,
            self._argv,
            self._environment,
            lambda descriptor, line: None,
            die_with_parent=True,
            place=self._place,
        )
        try:
            child.start()
        except SpawnFailed as error:
            self._note(str(error))
            return False
        self._child = child
        timer = self._reactor.callLater(_LONGEST_RUN, child.kill)
        try:
            ended = await child.ended
        finally:
            if timer.active():
                timer.cancel()
        self._child = None
        if ended.status != 0:
            self._note(f"{self._argv[0]}: {ended.describe()}")
        return ended.status == 0


def misplaced(found: Sequence[Listener], port: int, command: Sequence[str]) -> str:
    """
    @param found: where an app listens.
    @param port: the port on which it should listen.
    @param command: the app's command, with placeholders.
    @return: what is wrong with that, and what to write instead.
    """
    where = f"it listens on {', '.join(map(str, found))}"
    if any(each.port == port for each in found):
        return f"{where}; have it listen on 127.0.0.1, which is in HOST and {{host}}"
    [first, *_] = found
    if any(str(first.port) in word for word in command):
        return f"{where}; write {{port}} in place of {first.port} in its command"
    return (
        f"{where}; have it take the port from PORT or {{port}}, or say app-port={first.port} "
        f"(of a node: --app-port {first.port})"
    )


class Checks:
    """
    Waits until an app is ready: it has printed the line of C{ready_log}; it accepts
    connections, or answers C{ready_path}; and C{ready_command} succeeds.

    @ivar lacking: the condition that does not hold yet, in words for a log.
    """

    def __init__(
        self,
        reactor: Any,
        settings: AppSettings,
        route: str,
        environ: Mapping[str, str],
        port: int,
        command: Sequence[str],
        listens: Callable[[], list[Listener]],
        report: Callable[[str], None],
    ) -> None:
        """
        @param environ: what the environment of the app is made from, see
            L{appEnvironment}.
        @param command: the app's command, with placeholders.
        @param listens: returns where the processes of the app listen.
        @param report: called with the condition that does not hold yet, unless it is only that the
            app does not listen.
        """
        self.lacking = self._deaf = f"the app does not accept connections on port {port}"
        self._command: CommandCheck | None = None
        self._reactor = reactor
        self._settings = settings
        self._route = route
        self._environ = environ
        self._port = port
        self._command_line = command
        self._listens = listens
        self._report = fewReports(report)
        self._printed: Deferred[None] = Deferred()

    def line(self, line: bytes) -> None:
        """
        The app printed a line.
        """
        pattern = self._settings.ready_log
        if pattern is None or self._printed.called:
            return
        if pattern.search(line.decode("utf-8", "backslashreplace")):
            self._printed.callback(None)

    async def wait(self) -> str:
        """
        Wait until all conditions hold.  May be cancelled.

        @return: the host at which the app answers.
        """
        settings = self._settings
        if settings.ready_log is not None:
            pattern = settings.ready_log.pattern
            self.lacking = f"the app has printed no line that matches {pattern!r}"
            await self._printed
            self.lacking = self._deaf
        question = siteQuestion(settings.ready_path, self._route, settings.send_proxy)
        host = await answering(
            self._reactor, _HOSTS, self._port, question, lambda what: self.note(f"the app {what}")
        )
        if settings.ready_command is not None:
            await self._runCommand(settings.ready_command, host)
        return host

    async def _runCommand(self, command: Sequence[str], host: str) -> None:
        around = self._settings.surroundings
        self._command = CommandCheck(
            self._reactor,
            appCommand(command, self._port, host, self._route),
            appEnvironment(self._environ, self._port, host, self._route, around),
            around.place,
            self.note,
        )
        await self._command.wait()

    def look(self) -> None:
        """
        Find out where the app listens, if it does not accept connections on its port.
        """
        if self.lacking != self._deaf:
            return
        others: list[Listener] = []
        # Out of descriptors, that can't be found out.
        with suppress(OSError):
            others = self._listens()
        if others:
            self.note(f"{self._deaf}: {misplaced(others, self._port, self._command_line)}")

    def over(self) -> Deferred[None]:
        """
        @return: fires when nothing of C{ready_command} is left.
        """
        return succeed(None) if self._command is None else self._command.over

    def note(self, lacking: str) -> None:
        """
        A check failed.
        """
        self.lacking = lacking
        self._report(lacking)
