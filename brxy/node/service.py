"""
The node's way through life: start the app, wait until it answers, dial the
edge, pull work, drain, stop the app.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import clientFromString
from twisted.logger import Logger

from brxy.apps.app import App
from brxy.apps.idleclock import IdleClock
from brxy.interfaces import Address
from brxy.node.dial import Dialer
from brxy.node.edgeend import EdgeEnd
from brxy.node.link import Link
from brxy.node.settings import NodeSettings
from brxy.node.slot import EdgeSlotFactory
from brxy.processes.child import Ended
from brxy.processes.launch import Launched
from brxy.processes.pipes import EndReader
from brxy.reactor.deadlines import Deadlines
from brxy.reactor.signals import Grace, firstOf, onSignal
from brxy.transport.connection import Shared
from brxy.wire.frames import VERSION
from brxy.wire.greeting import Hello, Welcome

__all__ = ["NodeService", "passOn"]

# A slot whose app refused a connection stands ready again after this (seconds).
REFUSED_PAUSE = 0.1


def passOn(descriptor: int, line: bytes) -> None:
    """
    Write a line of the app's output to our own.  When nobody takes that any
    more (the edge that started us is gone), the app shall not feel it.
    """
    try:
        os.write(descriptor, line + b"\n")
    except OSError:
        return


class NodeService(Service):
    """
    One instance of an app.

    @param exitWith: takes the status that the process shall end with.
    @param output: takes the app's output, with the descriptor and line by line.
    @param early: gives the app and its port if it was started before.
    @param exit_on_stdin_eof: end when standard input does: whoever started
        this node by ssh is gone then.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: NodeSettings,
        exitWith: Callable[[int], None],
        output: Callable[[int, bytes], None] = passOn,
        environ: Mapping[str, str] = os.environ,
        exit_on_stdin_eof: bool = False,
        early: Callable[[Any], tuple[Launched, int] | None] = lambda reactor: None,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._exitWith = exitWith
        self._shared = Shared(reactor)
        self._exit_on_stdin_eof = exit_on_stdin_eof
        self._early = early
        self._name = uuid4().hex
        self._generation = settings.generation
        self._links: list[Link] = []
        self._connected: bool | None = None
        self._slots: EdgeSlotFactory | None = None
        self._dialer: Dialer | None = None
        self._idle_clock: IdleClock | None = None
        self._idle: Deferred[None] | None = None
        self._resting = Deadlines(reactor, REFUSED_PAUSE, self._rested)
        self._app: App | None = None
        if settings.command:
            self._app = App(
                reactor,
                settings.command,
                settings.route,
                environ,
                output,
                port=settings.app_port,
                ready_path=settings.ready_path,
                send_proxy=settings.send_proxy,
                stop_timeout=settings.stop_timeout,
            )

    # Coming up

    def startService(self) -> None:
        """
        Start the app.
        """
        super().startService()
        onSignal(self._reactor, signal.SIGHUP, self.roll)
        if self._exit_on_stdin_eof:
            EndReader(self._reactor, 0, self._reactor.stop)
        app = self._app
        if app is None:
            assert self._settings.app is not None, "neither a command nor an app"
            self._appReady(self._settings.app)
            return
        if started := self._early(self._reactor):
            app.adopt(*started)
        else:
            app.start()
        app.ready.addCallback(self._appReady)
        app.ready.addErrback(lambda failure: self._log.failure("while coming up", failure))
        app.ended.addCallback(self._appEnded)
        app.ended.addErrback(lambda failure: self._log.failure("after the app's end", failure))

    def _appReady(self, address: Address) -> None:
        settings = self._settings
        self._log.info(
            "{route}: the app answers at {address}", route=settings.route, address=address
        )
        self._idle_clock = IdleClock(
            self._reactor,
            settings.idle_timeout,
            settings.old_idle_timeout,
            self._drain,
            self._leave,
        )
        self._idle_clock.reconsider()
        self._slots = EdgeSlotFactory(self._shared, self, address, settings.send_proxy)
        endpoint = clientFromString(self._reactor, settings.edge)
        self._dialer = dialer = Dialer(
            self._reactor, endpoint, settings.token, settings.token_file, settings.tls
        )
        for _ in range(settings.capacity):
            link = Link(dialer, self._slots, self._reactor, self._linkUp, self._linkDown)
            self._links.append(link)
            link.startService()

    def _linkUp(self) -> None:
        if self._connected is not True:
            self._connected = True
            self._log.info("connected to the edge at {edge}", edge=self._settings.edge)

    def _linkDown(self, why: str) -> None:
        if self._connected is not False:
            self._connected = False
            self._log.warn(
                "no edge at {edge}: {why}; trying on", edge=self._settings.edge, why=why
            )

    # As the owner of its slots

    def hello(self) -> Hello:
        """
        Who we are.
        """
        settings = self._settings
        assert self._dialer is not None, "nobody has dialled"
        return Hello(
            VERSION,
            self._dialer.token,
            self._name,
            settings.route,
            settings.capacity,
            settings.ticket,
            self._generation,
            settings.send_proxy is not None,
        )

    def welcomed(self, slot: EdgeEnd, welcome: Welcome) -> None:
        """
        The edge let a slot in.
        """
        self._generation = welcome.generation
        self.setNewest(welcome.newest)
        if self._idle_clock is not None and not self._idle_clock.leaving:
            slot.ready()

    def claim(self) -> bool:
        """
        An exchange began.
        """
        if self._idle_clock is not None:
            self._idle_clock.exchangeBegan()
        return True

    def exchangeOver(self) -> None:
        """
        An exchange is over.
        """
        if self._idle_clock is not None:
            self._idle_clock.exchangeOver()
            if not self._idle_clock.busy and self._idle is not None:
                idle, self._idle = self._idle, None
                idle.callback(None)

    def rest(self, slot: EdgeEnd) -> None:
        """
        The app took no connection: pull again in a moment.
        """
        self._resting.start(slot)

    def _rested(self, slot: EdgeEnd) -> None:
        if self._idle_clock is not None and not self._idle_clock.leaving:
            slot.ready()

    def setNewest(self, newest: bool) -> None:
        """
        There is a newer instance of our route, or none.
        """
        if self._idle_clock is not None:
            self._idle_clock.setNewest(newest)

    def retire(self) -> None:
        """
        The edge wants us to go.
        """
        if self._idle_clock is not None and not self._idle_clock.leaving:
            self._log.info("the edge lets this instance go")
            self._idle_clock.retire()

    def roll(self) -> None:
        """
        Ask the edge for newer instances in place of ours (SIGHUP).
        """
        slots = self._slots.slots if self._slots is not None else ()
        if not any(slot.requestRoll() for slot in slots):
            self._log.warn("no edge is connected that could be asked for newer instances")

    # Going down

    def _drain(self) -> None:
        if self._slots is not None:
            for slot in self._slots.slots:
                slot.unready()

    def _leave(self) -> None:
        # When it is being stopped it need not be told to.
        if self.running:
            self._log.info("nothing left to do")
            self._reactor.stop()

    def _appEnded(self, ended: Ended) -> None:
        if not self.running:
            return
        self._log.error("the app ended by itself: {how}", how=ended.describe())
        self._exitWith(128 + ended.signal if ended.signal is not None else ended.status or 0)
        self._reactor.stop()

    def stopService(self) -> Deferred[None]:
        """
        Drain, and stop the app.

        @return: fires when nothing of the instance is left.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        grace = Grace(self._reactor, self._settings.drain_timeout)
        if self._idle_clock is not None:
            self._idle_clock.retire()
        await self._finishRunning(grace)
        await self._settle(grace)
        await self._stopApp(grace)
        grace.stop()
        self._resting.stopAll()
        if self._links:
            for slot in list(self._slots.slots if self._slots is not None else ()):
                slot.close()
            await gatherResults([link.stopService() for link in self._links])
        if self._slots is not None:
            self._slots.stop()
        self._shared.stop()

    async def _settle(self, grace: Grace) -> None:
        # Before the edge heard that nothing more is taken it may have sent us
        # exchanges, which go elsewhere.
        if self._slots is not None:
            settled = gatherResults([slot.settle() for slot in self._slots.slots])
            await firstOf(settled, grace.now)

    async def _finishRunning(self, grace: Grace) -> None:
        keeper = self._idle_clock
        if keeper is None or not keeper.busy or (self._app is not None and self._app.ended.called):
            return
        self._log.info("draining: {busy} exchanges are running", busy=keeper.busy)
        idle: Deferred[None] = Deferred()
        self._idle = idle
        await firstOf(idle, grace.now)
        if keeper.busy:
            self._log.warn("not waiting for {busy} exchanges any longer", busy=keeper.busy)

    async def _stopApp(self, grace: Grace) -> None:
        app = self._app
        if app is None or not app.running:
            return
        ended: Deferred[None] = Deferred()
        app.ended.addCallback(lambda result: ended.callback(None))
        grace.told.addCallback(lambda _: app.kill())
        app.stop()
        await ended
