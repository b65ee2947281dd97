"""
The node: starts an app, waits until it answers, dials the edge, pulls work, drains, and
stops the app.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from brxy.apps.app import App
from brxy.apps.checks import siteQuestion
from brxy.apps.idleclock import IdleClock
from brxy.apps.target import Target
from brxy.interfaces import Address
from brxy.node.capacity import Capacity, learn
from brxy.node.farewell import reportEnd
from brxy.node.output import PassedOn
from brxy.node.settings import NodeSettings
from brxy.node.uplink import Uplink
from brxy.processes.child import Ended
from brxy.processes.launch import Launched
from brxy.processes.pipes import EndReader
from brxy.program.hangup import onHangup
from brxy.reactor.signals import Grace, firstOf
from brxy.transport.connection import Shared
from brxy.uptake.uptake import Uptake
from brxy.values.capacity import AUTO

__all__ = ["ENDED_EARLY", "NodeService"]

#: The exit status of a node that an edge has ordered, and whose app ended with 0 before the
#: edge had admitted it; EX_UNAVAILABLE of <sysexits.h>.
ENDED_EARLY = 69


class NodeService(Service):
    """
    One instance of an app.

    @param exitWith: receives the status that the process shall end with.
    @param output: receives the app's output: the descriptor, and one line.  Without it the
        output is passed on to our own.
    @param early: returns the app and its port if the app was started before.
    @param exit_on_stdin_eof: end when standard input is closed: an edge that started
        this node over ssh is gone then.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: NodeSettings,
        exitWith: Callable[[int], None],
        output: Callable[[int, bytes], None] | None = None,
        environ: Mapping[str, str] = os.environ,
        exit_on_stdin_eof: bool = False,
        early: Callable[[Any], tuple[Launched, int] | None] = lambda reactor: None,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._exitWith = exitWith
        passed_on = PassedOn()
        self._output = output or passed_on
        self._shared = Shared(reactor)
        self._exit_on_stdin_eof = exit_on_stdin_eof
        self._early = early
        self._capacity = Capacity(settings.capacity or settings.max_capacity)
        self._uptake: Uptake | None = None
        self._uplinks: list[Uplink] = []
        # From the moment when the app is ready.
        self._idle_clock: IdleClock | None = None
        self._idle: Deferred[None] | None = None
        self._app: App | None = None
        self._target = None if settings.app is None else self._makeTarget(settings.app)
        if settings.command:
            self._app = App(
                reactor,
                settings.command,
                settings.route,
                environ,
                self._output,
                settings.running,
                progress=None if output else passed_on.progress,
                report=self._lacking,
            )

    def _makeTarget(self, address: Address) -> Target:
        settings = self._settings
        return Target(
            self._reactor,
            settings.route,
            address,
            siteQuestion(settings.ready_path, settings.route, settings.send_proxy),
            lambda: self._targetAnswers(address),
            self._drain,
        )

    # Coming up

    def startService(self) -> None:
        """
        Start the app.
        """
        super().startService()
        onHangup(self._reactor, self.roll)
        if self._exit_on_stdin_eof:
            EndReader(self._reactor, 0, self._reactor.stop)
        app = self._app
        if app is None:
            assert self._target is not None, "neither a command nor an app"
            self._target.start()
            return
        if started := self._early(self._reactor):
            app.adopt(*started)
        else:
            app.start()
        app.ready.addCallback(self._started)
        app.ready.addErrback(lambda failure: self._log.failure("while coming up", failure))
        app.ended.addCallback(self._appEnded)
        app.ended.addErrback(lambda failure: self._log.failure("after the app's end", failure))

    def _lacking(self, lacking: str) -> None:
        route = self._settings.route
        self._log.info("{route}: not ready yet: {lacking}", route=route, lacking=lacking)

    def _started(self, address: Address) -> None:
        route = self._settings.route
        self._log.info("{route}: the app answers at {address}", route=route, address=address)
        self._appReady(address)

    def _targetAnswers(self, address: Address) -> None:
        if self._idle_clock is None:
            self._appReady(address)
        elif self.pulls:
            for uplink in self._uplinks:
                uplink.ready()

    def _appReady(self, address: Address) -> None:
        settings = self._settings
        self._idle_clock = IdleClock(
            self._reactor,
            settings.idle_timeout,
            settings.old_idle_timeout,
            self._drain,
            self._leave,
        )
        self._idle_clock.reconsider()
        if settings.capacity == AUTO:
            pid = None if self._app is None else self._app.pid
            self._uptake = learn(self._reactor, address, pid, settings, self._capacityChanged)
        uplink = Uplink(self._shared, self, settings, uuid4().hex, address, self._uptake)
        self._uplinks.append(uplink)
        uplink.start()

    def _capacityChanged(self) -> None:
        for uplink in self._uplinks:
            uplink.adjust()

    # As the host of its uplinks

    @property
    def leaving(self) -> bool:
        """
        See L{brxy.node.uplink.Host}.
        """
        return self._idle_clock is None or self._idle_clock.leaving

    @property
    def pulls(self) -> bool:
        """
        See L{brxy.node.uplink.Host}.
        """
        return not self.leaving and (self._target is None or self._target.up)

    def appRefused(self) -> None:
        """
        See L{brxy.node.uplink.Host}.
        """
        if self._target is not None:
            self._target.lose()

    def claim(self) -> bool:
        """
        See L{brxy.node.edgeend.Places}.
        """
        if self._idle_clock is None or not self._capacity.claim():
            return False
        self._idle_clock.lifetime.exchangeBegan()
        return True

    def exchangeOver(self) -> None:
        """
        See L{brxy.node.edgeend.Places}.
        """
        clock = self._idle_clock
        if clock is None:
            return
        self._capacity.release()
        clock.exchangeOver()
        if self._idle is not None and not clock.lifetime.busy:
            idle, self._idle = self._idle, None
            idle.callback(None)

    def newestChanged(self) -> None:
        """
        See L{brxy.node.uplink.Host}.
        """
        if self._idle_clock is not None:
            self._idle_clock.setNewest(any(uplink.newest for uplink in self._uplinks))

    def retire(self) -> None:
        """
        See L{brxy.node.uplink.Host}.
        """
        if self._idle_clock is not None and not self._idle_clock.leaving:
            self._log.info("the edge retires this instance")
            self._idle_clock.retire()

    def roll(self) -> None:
        """
        Request newer instances in place of this one (SIGHUP).
        """
        # A list: every edge gets the request.
        if not any([uplink.requestRoll() for uplink in self._uplinks]):
            self._log.warn("cannot request newer instances: no edge is connected")

    # Going down

    def _drain(self) -> None:
        for uplink in self._uplinks:
            uplink.unready()

    def _leave(self) -> None:
        if self.running:
            self._log.info("nothing left to do, stopping")
        self._end()

    def _end(self) -> None:
        # While the service stops, the reactor is already stopping.
        if self.running:
            self._reactor.stop()

    def _appEnded(self, ended: Ended) -> None:
        if not self.running:
            return
        how = ended.describe()
        self._log.error("the app ended by itself: {how}", how=how)
        status = 128 + ended.signal if ended.signal is not None else ended.status or 0
        if not self._settings.ticket or any(uplink.admitted for uplink in self._uplinks):
            self._exitWith(status)
            self._end()
            return
        # With 0, the edge would take this node for a command that has launched one.
        self._exitWith(status or ENDED_EARLY)
        how = f"the app ended before it was ready: {how}"
        # The last line of its standard error is what an edge logs of a process.
        self._output(2, f"brxy-node: {how}".encode())
        reportEnd(self._reactor, self._settings, how).addCallback(lambda _: self._end())

    def stopService(self) -> Deferred[None]:
        """
        Drain, and stop the app.

        @return: fires when nothing of the instance is left.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        grace = Grace(self._reactor, self._settings.drain_timeout)
        if self._target is not None:
            self._target.stop()
        if self._idle_clock is not None:
            self._idle_clock.retire()
        await self._finishRunning(grace)
        await firstOf(gatherResults([uplink.settle() for uplink in self._uplinks]), grace.now)
        await self._stopApp(grace)
        grace.stop()
        for uplink in self._uplinks:
            await uplink.stop()
        if self._uptake is not None:
            self._uptake.stop()
        self._shared.stop()

    async def _finishRunning(self, grace: Grace) -> None:
        clock = self._idle_clock
        if (
            clock is None
            or not clock.lifetime.busy
            or (self._app is not None and self._app.ended.called)
        ):
            return
        self._log.info(
            "waiting for exchanges to finish ({busy}), for at most {seconds:g} s; a second signal "
            "(Ctrl-C) stops at once",
            busy=clock.lifetime.busy,
            seconds=grace.timeout,
        )
        idle: Deferred[None] = Deferred()
        self._idle = idle
        await firstOf(idle, grace.now)
        if clock.lifetime.busy:
            self._log.warn("no longer waiting for exchanges ({busy})", busy=clock.lifetime.busy)

    async def _stopApp(self, grace: Grace) -> None:
        app = self._app
        if app is None or not app.running:
            return
        if app.lacking:
            self._log.warn("stopped before it was ready: {lacking}", lacking=app.lacking)
        ended: Deferred[None] = Deferred()
        app.ended.addCallback(lambda result: ended.callback(None))
        grace.signalled.addCallback(lambda _: app.kill())
        self._log.info(
            "stopping the app, for at most {seconds:g} s; a second signal (Ctrl-C) kills it",
            seconds=self._settings.stop_timeout,
        )
        app.stop()
        await ended
