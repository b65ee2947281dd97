"""
The edge as a service: the order in which its parts start and stop.

L{brxy.edge.wiring} makes the parts.  The way of an exchange through them, in order:

  1. A client sends a request to a port of L{brxy.edge.ports.ClientPorts}, or opens a TCP
     connection.  L{brxy.edge.clients.http1} reads it, behind the header of a proxy if it
     comes through one (L{brxy.edge.clients.proxied}); L{brxy.http.request} parses the
     head, and L{brxy.edge.routes} finds the route.
  2. A carrier (L{brxy.edge.exchanges.carrier}) performs what the table of
     L{brxy.edge.exchanges.table} says for each state and input of the exchange.
  3. L{brxy.edge.dispatch} gets a slot for it from L{brxy.broker.broker}.  If none is free,
     the exchange is held, and L{brxy.edge.fleet.scaling} has L{brxy.scaler.scaler} decide
     whether to order an instance.
  4. L{brxy.edge.fleet.starter} passes the order to a spawner.  The instance's node dials
     in at a port of L{brxy.edge.nodeports.NodePorts} (L{brxy.edge.slots.node}), or the edge
     connects to the app itself (L{brxy.edge.slots.direct}).
  5. The slot takes the exchange, and its response goes back the same way.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from brxy.edge.config.settings import EdgeSettings
from brxy.edge.fleet.recovery import reportUnclaimed
from brxy.edge.fleet.statelock import StateLock
from brxy.edge.reload.reloader import Outcome, Reader
from brxy.edge.startstop import StoppingSpawned, TakenOver
from brxy.edge.upgrade.former import Former, Inheritance
from brxy.edge.upgrade.origin import UNKNOWN, Origin
from brxy.edge.wiring import Around, build
from brxy.errors import UsageError
from brxy.program.hangup import onHangup
from brxy.program.systemd import READY, STOPPING
from brxy.reactor.signals import Grace, alsoOnSignal, firstOf, onSignal

__all__ = ["EdgeService"]

# Seconds for the last lines of each of them.
_LOG_PAUSE = 2.0

# Seconds for the last spans.
_SPANS_PAUSE = 3.0


class EdgeService(Service):
    """
    One edge: starts its parts in order, and stops them in order.

    @ivar parts: what it is made of.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: EdgeSettings,
        notify: Callable[[str], None] = lambda state: None,
        read: Reader | None = None,
        environ: Mapping[str, str] = {},
        origin: Origin = UNKNOWN,
        former: Former | None = None,
    ) -> None:
        """
        @param origin: how this process was started.
        @param former: the edge that has started it to take its place.
        @param read: reads the settings again; L{None} if they can't change.
        @param environ: the environment, which says what becomes of traces.
        @param notify: reports the state to a supervisor, see L{brxy.program.systemd}.
        @raise UsageError: the state or another file can't be used, or another edge has the
            state folder.
        """
        self._reactor = reactor
        self._notify = notify
        self.origin = origin
        self._former = former
        inherited = Inheritance() if former is None else former.takeOver(settings.state_dir)
        self._inherited = inherited
        self._lock = StateLock(settings.state_dir, inherited.lock)
        try:
            self.parts = build(reactor, settings, Around(read, environ, inherited))
        except UsageError:
            self._lock.release()
            raise
        self.parts.upgrader.owner = self

    @property
    def addresses(self) -> list[Any]:
        """
        Where clients connect, in the order of the settings.
        """
        return self.parts.clients.addresses

    @property
    def node_addresses(self) -> list[Any]:
        """
        Where nodes dial in.
        """
        return self.parts.nodes.addresses

    def check(self) -> None:
        """
        Check that the ports can be opened, before the process goes to the background: what
        fails there, twistd reports at the terminal in its own words.

        @raise UsageError: one of them can't be.
        """
        self.parts.nodes.check()
        self.parts.clients.check()
        self.parts.admin.check()

    def startService(self) -> None:
        """
        Open the ports, and look for what an earlier run has left.

        @raise UsageError: one of the ports can't be opened.
        """
        super().startService()
        try:
            self._start()
        except UsageError as error:
            if self._former is not None:
                self._former.refuse(str(error))
            raise

    def _start(self) -> None:
        parts, inherited = self.parts, self._inherited
        onHangup(self._reactor, self._hungUp)
        for writer in parts.recording.writers:
            # With twistd's own log.
            alsoOnSignal(self._reactor, signal.SIGUSR1, writer.rotate)
        # twistd takes SIGUSR1 to rotate its log.
        onSignal(self._reactor, signal.SIGUSR2, parts.scaling.rollAll)
        restarts = parts.scaler.restarts
        restarts.capacities.restore(parts.state.capacities)
        remembered = restarts.restore(parts.state.instances, self._reactor.seconds())
        parts.nodes.open()
        parts.admin.open()
        # Without a state folder or a former edge, this one is new, and has left nothing.
        if parts.state.is_kept or inherited.state is not None:
            rules = [spawn.rule for spawn in parts.reloader.settings.spawns]
            reportUnclaimed(parts.state.instances, rules, parts.state.edge_id, parts.events)
            parts.scaling.starter.recover(remembered)
        parts.keeper.start()
        parts.clients.open()
        parts.watching.start()
        if parts.metrics is not None:
            parts.metrics.turns.start()
        inherited.sockets.closeRest()
        if self._former is None:
            self._notify(READY)
        else:
            # What supervises it learns of this process from the former one.
            parts.upgrader.former.start(inherited.channels, inherited.staying)
            parts.events.emit(TakenOver(len(parts.upgrader.former.channels)))

    def _hungUp(self) -> None:
        """
        SIGHUP.
        """
        done = self.reload()
        done.addErrback(lambda failure: self._log.failure("while reloading", failure))

    def reload(self) -> Deferred[Outcome]:
        """
        See L{brxy.edge.reload.reloader.Reloader.reload}.
        """
        return self.parts.reloader.reload()

    # As the owner of what has another edge take its place

    def lockFile(self) -> int | None:
        """
        See L{brxy.edge.upgrade.upgrader.Owner}.
        """
        return self._lock.fileno()

    def handOn(self, pid: int) -> None:
        """
        See L{brxy.edge.upgrade.upgrader.Owner}.
        """
        parts = self.parts
        self._notify(f"MAINPID={pid}")
        for port in self._inherited.sockets.open().values():
            port.handOn()
        parts.nodes.handOn()
        closing = [parts.clients.leave(), parts.nodes.stop(), parts.admin.close()]
        for each in closing:
            done = Deferred.fromCoroutine(each)
            done.addErrback(lambda failure: self._log.failure("while handing over", failure))
        self._lock.release()

    def leave(self) -> None:
        """
        See L{brxy.edge.upgrade.upgrader.Owner}.
        """
        if self.running:
            self._reactor.stop()

    def stopService(self) -> Deferred[None]:
        """
        Close the ports, serve or reject the clients that are connected, and end the
        instances that the edge started.

        @return: fires when nothing is left.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        parts = self.parts
        if not parts.upgrader.handed_over:
            self._notify(STOPPING)
        parts.watching.stop()
        grace = Grace(self._reactor, parts.reloader.settings.drain_timeout)
        parts.dispatch.leave()
        await parts.clients.leave()
        await parts.clients.finish(grace)
        parts.clients.stopHandshakes()
        parts.dispatch.rejectAll()
        parts.scaling.sayGoodbye()
        parts.events.emit(StoppingSpawned())
        # A second signal ends the wait for spawners too.
        await firstOf(parts.scaling.starter.stopAll(), grace.signalled)
        await parts.nodes.stop()
        await parts.admin.stop()
        grace.stop()
        # What was sent in this turn is still in buffers.
        await deferLater(self._reactor, 0)
        parts.clients.abort()
        parts.nodes.abort()
        parts.admin.abort()
        parts.upgrader.stop()
        parts.keeper.stop()
        if parts.metrics is not None:
            parts.metrics.turns.stop()
        parts.dispatch.stop()
        parts.scaling.stop()
        parts.shared.stop()
        for writer in parts.recording.writers:
            await firstOf(writer.stop(), deferLater(self._reactor, _LOG_PAUSE))
        if parts.recording.traces is not None:
            stopped = parts.recording.traces.stop()
            await firstOf(stopped, deferLater(self._reactor, _SPANS_PAUSE))
        self._lock.release()
