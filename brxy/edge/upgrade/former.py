"""
The edge that has started this one to take its place.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from brxy import __version__
from brxy.edge.endpoints import Sockets
from brxy.edge.upgrade.channel import Channel, Closed
from brxy.errors import UsageError
from brxy.reactor.endpoints import HANDED_ON

__all__ = ["PROTOCOL", "Former", "Inheritance"]

#: The version of what two edges send each other.
PROTOCOL = 1

# Seconds in which the former edge hands over.
_TIMEOUT = 60.0


@frozen
class Inheritance:
    """
    What an edge has of a former one; nothing if there is none.

    @ivar sockets: opens ports on its listening sockets.
    @ivar state: the content of its state file; L{None} without a former edge.
    @ivar lock: the descriptor of its lock on the state folder.
    @ivar staying: see L{brxy.edge.fleet.handing.staying}.
    @ivar channels: to the edges that still serve something: the former one, and those before it.
    """

    sockets: Sockets = field(factory=Sockets)
    state: dict[str, Any] | None = None
    lock: int | None = None
    staying: dict[str, list[str | None]] = field(factory=dict)
    channels: Sequence[Channel] = ()


class Former:
    """
    The edge that has started this process, until it has handed over.
    """

    def __init__(self, reactor: Any, channel: Channel) -> None:
        self._reactor = reactor
        self._channel = channel

    @classmethod
    def find(cls, reactor: Any, environ: Mapping[str, str]) -> Former | None:
        """
        @param environ: the environment.
        @return: L{None} if no edge has started this process.
        """
        descriptor = environ.get(HANDED_ON)
        if descriptor is None:
            return None
        sock = socket.socket(fileno=int(descriptor))
        sock.set_inheritable(False)
        return cls(reactor, Channel(reactor, sock))

    def takeOver(self, state_dir: str | None) -> Inheritance:
        """
        Report that the configuration can be used, and wait for what the former edge hands over.

        @raise UsageError: it has another state folder, or does not hand over.
        """
        self._channel.send("checked", version=__version__, protocol=PROTOCOL)
        given: dict[str, socket.socket] = {}
        channels = [self._channel]
        while True:
            try:
                message = self._channel.receive(_TIMEOUT)
            except Closed:
                raise UsageError("the former edge did not hand over") from None
            files = [
                socket.socket(fileno=each) for each in message.files if message.kind != "state"
            ]
            if message.kind == "ports":
                given |= zip(message.fields["names"], files, strict=True)
            elif message.kind == "older":
                channels += [Channel(self._reactor, each) for each in files]
            elif message.kind == "state":
                break
        folder = None if state_dir is None else os.path.abspath(state_dir)
        if folder != message.fields["folder"]:
            raise UsageError("another --state-dir needs a restart")
        body = json.loads(message.body)
        lock = message.files[0] if message.files else None
        return Inheritance(Sockets(given), body["state"], lock, body["staying"], channels)

    def refuse(self, reason: str) -> None:
        """
        Report why this edge can't take over.
        """
        self._channel.send("failed", reason=reason)
