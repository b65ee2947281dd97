"""
The ports where nodes dial in, and the Unix socket for those that the edge starts on its own
machine.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from brxy.edge.config.settings import EdgeSettings
from brxy.edge.endpoints import (
    Sockets,
    checkOpenable,
    checkPrivate,
    closed,
    edgeEndpoint,
    endpointText,
    private,
    shown,
)
from brxy.edge.events import Events, NoNodeAdmitted
from brxy.edge.slots.node import SlotFactory
from brxy.edge.slots.tls import NodeTLS
from brxy.edge.startstop import NodesListening
from brxy.errors import UsageError
from brxy.interfaces import ILocal, ISpawner
from brxy.tls.handshakes import Handshakes, encrypted

__all__ = ["NodePorts", "NodeSocket"]

_NAME = "nodes.sock"

# Of the port, see L{Sockets}.
_PRIVATE = "private node port"

# Bytes of a socket's path, see unix(7).
_LONGEST = 107


class NodeSocket:
    """
    A socket of this edge only, to which only the edge's user can connect.  It is in the state
    folder, so nodes of an edge that was killed can find the next edge.  Without a state folder, or
    if no socket can be made in it, it is in a temporary folder.
    """

    def __init__(self, state_dir: str | None) -> None:
        """
        @param state_dir: the state folder, which this edge has locked.
        """
        self._kept = None if state_dir is None else Path(os.path.abspath(state_dir))
        self._temporary: Path | None = None

    def open(self, reactor: Any, factory: IProtocolFactory, sockets: Sockets) -> IListeningPort:
        """
        Open the port.

        @raise UsageError: no folder can have the socket.
        """
        if sockets.has(_PRIVATE):
            port = sockets.listen(_PRIVATE, reactor, "", factory)
            address: Any = port.getHost()
            folder = Path(os.fsdecode(address.name)).parent
            self._temporary = None if folder == self._kept else folder
            return port
        if self._kept is not None and _isShort(self._kept):
            # The disk may be full, or the folder on one that knows no sockets.
            with suppress(UsageError, OSError):
                # What is there was left by an edge that was killed.
                (self._kept / _NAME).unlink(missing_ok=True)
                return _listen(reactor, self._kept, factory, sockets)
        self._temporary = _makeFolder()
        return _listen(reactor, self._temporary, factory, sockets)

    def handOn(self) -> None:
        """
        Another edge has the port: leave its folder.
        """
        self._temporary = None

    def remove(self) -> None:
        """
        The port is closed: remove what it leaves.
        """
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


def _isShort(folder: Path) -> bool:
    return len(os.fsencode(folder / _NAME)) <= _LONGEST


def _makeFolder() -> Path:
    try:
        folder = Path(tempfile.mkdtemp(prefix="brxy-"))
        if not _isShort(folder):
            folder.rmdir()
            folder = Path(tempfile.mkdtemp(prefix="brxy-", dir="/tmp"))
    except OSError as error:
        raise UsageError(
            f"no folder for the socket of nodes: {error.strerror}; give --node-port"
        ) from None
    return folder


def _listen(
    reactor: Any, folder: Path, factory: IProtocolFactory, sockets: Sockets
) -> IListeningPort:
    where = endpointText(os.fspath(folder / _NAME))
    return sockets.listen(
        _PRIVATE, reactor, f"unix:{where}:mode=600:lockfile=0", factory, option="--node-port"
    )


class NodePorts:
    """
    The ports at which nodes dial in.
    """

    def __init__(
        self,
        reactor: Any,
        settings: EdgeSettings,
        slots: SlotFactory,
        tls: NodeTLS | None,
        events: Events,
        sockets: Sockets,
    ) -> None:
        """
        @param tls: nodes dial in over TLS, except on Unix sockets.
        @param sockets: opens the ports.
        """
        self._sockets = sockets
        self._reactor = reactor
        self._settings = settings
        self._slots = slots
        self._tls = tls
        self._handshakes = Handshakes(reactor)
        self._events = events
        self._socket = NodeSocket(settings.state_dir)
        self._private: IListeningPort | None = None
        self._open: list[IListeningPort] = []

    @property
    def addresses(self) -> list[Any]:
        """
        Where nodes dial in: one address for each port, in their order.
        """
        return [port.getHost() for port in self._open]

    @property
    def shown(self) -> list[str]:
        """
        The ports as people know them.
        """
        return [shown("tcp", port.getHost()) for port in self._open]

    def check(self) -> None:
        """
        Check that all ports can be opened.

        @raise UsageError: one of them can't be.
        """
        for endpoint in self._settings.node_ports:
            checkOpenable(private(endpoint), "--node-port")

    def open(self) -> None:
        """
        Open all ports.

        @raise UsageError: one of them can't be opened, or other machines could reach it
            without TLS.
        """
        if self._settings.private_node_port:
            self._openPrivate()
        for endpoint in self._settings.node_ports:
            self._listen(private(endpoint))
        if self._open and not self._mayAdmit():
            self._events.emit(NoNodeAdmitted())

    def extend(self, settings: EdgeSettings) -> Callable[[], None]:
        """
        Open the ports that other settings name as well.

        @return: closes them again.
        @raise UsageError: as L{open} does; nothing has changed then.
        """
        before, number = self._settings, len(self._open)

        def undo() -> None:
            for port in self._open[number:]:
                port.stopListening()
            del self._open[number:]
            if self._private not in self._open:
                self._private = None
            self._settings = before

        self._settings = settings
        try:
            if self._private is None and settings.private_node_port:
                self._openPrivate()
            for endpoint in settings.node_ports:
                if endpoint not in before.node_ports:
                    self._listen(private(endpoint))
        except UsageError:
            undo()
            raise
        return undo

    def _openPrivate(self) -> None:
        self._private = self._socket.open(self._reactor, self._slots, self._sockets)
        self._open.append(self._private)
        self._events.emit(NodesListening(shown("tcp", self._private.getHost())))

    def _listen(self, endpoint: str) -> None:
        local = endpoint.startswith("unix:") or "domain=UNIX" in endpoint
        tls = None if local else self._tls
        factory = self._slots if tls is None else self._secured(tls)
        port = self._sockets.listen(
            f"node {endpoint}", self._reactor, endpoint, factory, option="--node-port"
        )
        self._open.append(port)
        self._events.emit(NodesListening(shown("tcp" if tls is None else "tls", port.getHost())))
        if tls is None and not self._settings.insecure_node_port:
            checkPrivate(endpoint, port.getHost())

    def _secured(self, tls: NodeTLS) -> IProtocolFactory:
        return encrypted(
            self._slots,
            tls,
            self._handshakes,
            clock=self._reactor,
            failed=self._slots.shakenOff,
        )

    def _mayAdmit(self) -> bool:
        settings = self._settings
        return bool(
            settings.token_file
            or (settings.node_tls and settings.node_tls.ca)
            or any(spawn.spawning.spawner.dials_back for spawn in settings.spawns)
        )

    def dialEndpoint(self, spawner: ISpawner) -> str:
        """
        Where a node that a spawner starts dials in, from this machine, as a Twisted client
        endpoint; C{""} if there is no port.
        """
        if self._private is not None and ILocal.providedBy(spawner):
            return edgeEndpoint([self._private.getHost()])
        addresses = [port.getHost() for port in self._open if port is not self._private]
        if self._tls is not None:
            # Over TLS it would need more than its token.
            addresses.sort(key=lambda address: not isinstance(address, UNIXAddress))
        return edgeEndpoint(addresses)

    def handOn(self) -> None:
        """
        Another edge has the ports: they are about to be closed here.
        """
        self._socket.handOn()

    async def stop(self) -> None:
        """
        Close the ports; the slots stay open.
        """
        open, self._open = self._open, []
        for port in open:
            await closed(port)
        self._socket.remove()

    def abort(self) -> None:
        """
        Cut every slot that is left.
        """
        self._handshakes.stop()
        self._slots.stop()
