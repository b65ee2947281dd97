"""
Has another version of the edge take the place of this one.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from brxy import __version__
from brxy.edge.dispatch import Dispatch
from brxy.edge.endpoints import Sockets
from brxy.edge.events import Events
from brxy.edge.fleet.handing import elsewhere, handOver, staying
from brxy.edge.fleet.scaling import Scaling
from brxy.edge.fleet.statefile import StateFile, StateKeeper
from brxy.edge.ports import ClientPorts
from brxy.edge.reload.reloader import Reloader
from brxy.edge.startstop import ClientsAbandoned, HandedOver, Upgrading
from brxy.edge.startstop import UpgradeFailed as Failed
from brxy.edge.upgrade.channel import Channel
from brxy.edge.upgrade.former import PROTOCOL
from brxy.edge.upgrade.origin import Origin
from brxy.edge.upgrade.passing import Passing
from brxy.edge.upgrade.predecessors import Predecessors
from brxy.edge.upgrade.successor import Successor, UpgradeFailed
from brxy.scaler.scaler import Scaler
from brxy.transport.connection import Shared

__all__ = ["Owner", "Subject", "UpgradeFailed", "Upgrader"]

# Descriptors in one message, see SCM_MAX_FD in unix(7).
_AT_ONCE = 200

# Seconds between two looks whether this edge is done.
_LOOK = 0.1


class Owner(Protocol):
    """
    What an L{Upgrader} needs of the service.
    """

    @property
    def origin(self) -> Origin: ...

    def lockFile(self) -> int | None:
        """
        The descriptor of the lock on the state folder.
        """

    def handOn(self, pid: int) -> None:
        """
        Another edge accepts clients and nodes now: close the ports here.
        """

    def leave(self) -> None:
        """
        This edge is done.
        """


class Subject(Protocol):
    """
    The edge that is upgraded.
    """

    @property
    def events(self) -> Events: ...

    @property
    def state(self) -> StateFile: ...

    @property
    def reloader(self) -> Reloader: ...

    @property
    def dispatch(self) -> Dispatch: ...

    @property
    def scaler(self) -> Scaler: ...

    @property
    def scaling(self) -> Scaling: ...

    @property
    def clients(self) -> ClientPorts: ...


class Upgrader:
    """
    Starts the next edge, hands over to it, and serves to its end what this edge has.

    @ivar handed_over: another edge has taken the place of this one.
    @ivar owner: set by the service.
    @ivar sockets: opens the ports of this edge.
    @ivar former: the edges whose place this one has taken.
    """

    _log = Logger()

    owner: Owner

    def __init__(
        self,
        subject: Subject,
        shared: Shared,
        sockets: Sockets,
        keeper: StateKeeper,
    ) -> None:
        self._subject = subject
        self._shared = shared
        self._reactor = shared.reactor
        self.sockets = sockets
        self._keeper = keeper
        self.former = Predecessors(self._reactor, subject.clients, self._setElsewhere)
        self._running = False
        self._reported = ""
        self._passing: Passing | None = None
        self._channel: Channel | None = None
        self.handed_over = False

    def _setElsewhere(self, instances: Mapping[str, Sequence[str | None]]) -> None:
        elsewhere(self._subject.scaling, self._subject.scaler, instances)

    async def upgrade(self) -> dict[str, Any]:
        """
        Have what is installed now take the place of this edge.

        @return: what has.
        @raise UpgradeFailed: nothing has.
        """
        obstacle = self.owner.origin.obstacle
        if self.handed_over or self._running:
            obstacle = "another edge takes its place already"
        if obstacle:
            raise UpgradeFailed(f"this edge can't be upgraded while it runs: {obstacle}")
        self._running = True
        try:
            return await self._upgrade()
        except UpgradeFailed as error:
            self._subject.events.emit(Failed(str(error)))
            raise
        finally:
            self._running = False

    async def _upgrade(self) -> dict[str, Any]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                process = self.owner.origin.start(theirs)
            except OSError as error:
                ours.close()
                raise UpgradeFailed(f"it can't be started: {error.strerror}") from None
        self._subject.events.emit(Upgrading(process.pid))
        successor = Successor(self._reactor, Channel(self._reactor, ours), process)
        try:
            checked = await successor.reports("checked")
            _compare(checked.fields)
            self._give(successor.channel)
            await successor.reports("serving")
        except UpgradeFailed:
            successor.end()
            self._goOn()
            raise
        version = checked.fields["version"]
        self._handOver(successor.channel, process.pid, version)
        return {"pid": process.pid, "version": version, "former": os.getpid()}

    def _give(self, channel: Channel) -> None:
        subject = self._subject
        # From now on the next edge starts instances, and writes the state file.
        subject.scaling.starter.turns.withhold()
        self._keeper.withhold(self._report)
        ports = list(self.sockets.open().items())
        for first in range(0, len(ports), _AT_ONCE):
            some = ports[first : first + _AT_ONCE]
            files = [port.fileno() for _, port in some]
            channel.send("ports", files, names=[name for name, _ in some])
        older = [each.fileno() for each in self.former.pause()]
        for first in range(0, len(older), _AT_ONCE):
            channel.send("older", older[first : first + _AT_ONCE])
        restarts = subject.scaler.restarts
        state = subject.state.content(restarts.records(), restarts.capacities.records())
        body = {"state": state, "staying": {**self._everyInstance()}}
        lock = self.owner.lockFile()
        folder = subject.reloader.settings.state_dir
        channel.send(
            "state",
            [] if lock is None else [lock],
            json.dumps(body).encode(),
            folder=None if folder is None else os.path.abspath(folder),
        )

    def _everyInstance(self) -> dict[str, Sequence[str | None]]:
        return {
            each.ticket: [each.route, each.spawn]
            for each in self._subject.scaler.restarts.instances()
        }

    def _goOn(self) -> None:
        """
        Nothing has happened.
        """
        self.former.goOn()
        self._keeper.goOn()
        self._subject.scaling.starter.turns.goOn()

    def _handOver(self, channel: Channel, pid: int, version: str) -> None:
        subject = self._subject
        self.handed_over = True
        self._channel = channel
        self.owner.handOn(pid)
        subject.reloader.keepSettings()
        # When that edge ends, this one can pass no clients on.
        channel.start(lambda message: None, self.owner.leave)
        self.former.stop()
        handOver(subject.scaling, subject.scaler)
        self._passing = Passing(self._shared, subject.dispatch, channel)
        self._passing.start(subject.clients.factories)
        self._report()
        clients, instances = subject.clients.countAccepted(), len(self._staying())
        timeout = subject.reloader.settings.upgrade_timeout
        subject.events.emit(HandedOver(pid, version, clients, instances, timeout))
        done = Deferred.fromCoroutine(self._finish(timeout))
        done.addErrback(lambda failure: self._log.failure("after an upgrade", failure))

    def _staying(self) -> dict[str, list[str | None]]:
        return staying(self._subject.scaling, self._subject.scaler)

    def _report(self) -> None:
        """
        The instances have changed.
        """
        if self._channel is not None:
            text = json.dumps(self._staying())
            if text != self._reported:
                self._reported = text
                self._channel.send("staying", body=text.encode())

    async def _finish(self, timeout: float) -> None:
        """
        Serve what this edge has, and leave.
        """
        clients, until = self._subject.clients, self._reactor.seconds() + timeout
        while self._isNeeded() and self._reactor.seconds() < until:
            await deferLater(self._reactor, _LOOK)
            self._report()
        if clients.countAccepted():
            self._subject.events.emit(ClientsAbandoned(clients.countAccepted()))
        self.owner.leave()

    def _isNeeded(self) -> bool:
        assert self._channel is not None
        clients = self._subject.clients
        return bool(
            clients.countAccepted() or clients.count() or self._staying() or not self._channel.idle
        )

    def stop(self) -> None:
        """
        Cut what is left.
        """
        self.former.stop()
        if self._passing is not None:
            self._passing.abort()
        if self._channel is not None:
            self._channel.close()


def _compare(fields: dict[str, Any]) -> None:
    """
    @raise UpgradeFailed: the next edge is an older one, or hands over in another way.
    """
    version = fields["version"]
    if _numbers(version) < _numbers(__version__):
        raise UpgradeFailed(
            f"brxy {version} is older than {__version__}, which runs: a downgrade needs a restart"
        )
    if fields["protocol"] != PROTOCOL:
        raise UpgradeFailed(f"brxy {version} takes over in another way: that needs a restart")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in version.split("+")[0].split(".") if each.isdigit())
