"""
C{wake:} wakes a machine by a magic packet (Wake-on-LAN), and the edge fronts
the app that starts with it. The machine goes to sleep by itself.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.errors import BadSpawnSpec, SpawnFailed
from brxy.interfaces import Address, Gone, IInstance, ISpawner, ISpawnerFactory, SpawnOrder
from brxy.readiness import waitUntilReady


def hardwareAddress(text: str) -> bytes:
    """
    @return: the six bytes of an address like C{02:00:5e:10:00:01}.
    """
    parts = text.split(":")
    if len(parts) != 6 or any(len(part) != 2 for part in parts):
        raise ValueError("six bytes are needed, as 02:00:5e:10:00:01")
    return bytes(int(part, 16) for part in parts)


def hostAndPort(text: str | Address) -> Address:
    """
    @return: an IPv4 address and a port. An L{Address} is passed through, for
        defaults.
    """
    if isinstance(text, Address):
        return text
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("HOST:PORT is needed")
    return Address(host, int(port))


@frozen
class Options:
    """
    The keys of C{wake:}. A key without a default is required.
    """

    mac: bytes = field(
        converter=hardwareAddress, metadata={"help": "the machine's hardware address"}
    )
    app: Address = field(
        converter=hostAndPort, metadata={"help": "HOST:PORT where its app will answer"}
    )
    packet_to: Address = field(
        default=Address("255.255.255.255", 9),
        converter=hostAndPort,
        metadata={"help": "HOST:PORT that the packet is sent to"},
    )


@implementer(IInstance)
class Machine:
    """
    The machine, awake or waking up.
    """

    def __init__(self, reactor: Any, app: Address) -> None:
        self.ready: Deferred[Address] = Deferred()
        self.gone: Deferred[Gone] = Deferred()
        self._app = app
        self._waiting = waitUntilReady(reactor, app.host, app.port)
        self._waiting.addCallbacks(self._awake, self._cancelled)

    def _awake(self, _: None) -> None:
        self.ready.callback(self._app)

    def _cancelled(self, failure: Failure) -> None:
        failure.trap(CancelledError)

    def stop(self) -> None:
        """
        Stop waiting for the machine, which is not needed any more or did not
        wake up in time.
        """
        if not self.gone.called:
            self._waiting.cancel()
            self.gone.callback(Gone("left to sleep"))


@implementer(ISpawner)
class WakeSpawner:
    """
    Wakes the one machine that its spawn string names.
    """

    # No node dials in: every instance has an address.
    dials_back = False

    def __init__(self, options: Options, reactor: Any) -> None:
        self._options = options
        self._reactor = reactor
        self._machine: Machine | None = None

    def spawn(self, order: SpawnOrder) -> IInstance:
        """
        See L{ISpawner}.
        """
        if self._machine is not None and not self._machine.gone.called:
            raise SpawnFailed("there is only one such machine (set max=1)")
        to = self._options.packet_to
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                sender.sendto(b"\xff" * 6 + self._options.mac * 16, (to.host, to.port))
        except OSError as error:
            raise SpawnFailed(f"can't send to {to}: {error.strerror}") from error
        self._machine = Machine(self._reactor, self._options.app)
        return self._machine

    def stop(self) -> Deferred[None]:
        """
        See L{ISpawner}.
        """
        if self._machine is not None:
            self._machine.stop()
        return succeed(None)


@implementer(ISpawnerFactory)
class WakeFactory:
    """
    Makes L{WakeSpawner}s; the entry point names an instance of this.
    """

    name = "wake"
    summary = "wakes a machine by a magic packet"
    options = Options

    def create(self, options: Options, command: Sequence[str], reactor: Any) -> ISpawner:
        """
        See L{ISpawnerFactory}.
        """
        if command:
            raise BadSpawnSpec("wake: takes no command")
        return WakeSpawner(options, reactor)


factory = WakeFactory()
