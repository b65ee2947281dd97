"""
The edges whose place this one has taken, as long as they serve what they had.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress

from brxy.edge.clients.peer import ProxiedPeer
from brxy.edge.ports import ClientPorts
from brxy.edge.upgrade.channel import Channel, Message
from brxy.wire.proxyheader import endpointsFromText

__all__ = ["Predecessors"]

_Staying = Mapping[str, Sequence[str | None]]


class Predecessors:
    """
    The channels to these edges: they send the clients that wait, and what they still need.

    @ivar channels: those that are open.
    """

    def __init__(
        self, reactor: Any, clients: ClientPorts, elsewhere: Callable[[_Staying], object]
    ) -> None:
        """
        @param elsewhere: called with all instances that these edges need.
        """
        self._reactor = reactor
        self._clients = clients
        self._elsewhere = elsewhere
        self._staying: dict[Channel, _Staying] = {}

    @property
    def channels(self) -> Sequence[Channel]:
        """
        The channels to those that still serve something.
        """
        return list(self._staying)

    def start(self, channels: Sequence[Channel], staying: _Staying) -> None:
        """
        This edge serves now.

        @param staying: what they needed at last, all together.
        """
        for channel in channels:
            self._staying[channel] = {}
        if channels:
            self._staying[channels[0]] = staying
            self._changed()
        for channel in channels:
            channel.start(partial(self._received, channel), partial(self._lost, channel))
        if channels:
            channels[0].send("serving", pid=os.getpid())

    def pause(self) -> Sequence[Channel]:
        """
        Another edge takes the place of this one, and goes on with the channels.
        """
        for channel in self._staying:
            channel.pause()
        return self.channels

    def goOn(self) -> None:
        """
        It has not.
        """
        for channel in self._staying:
            channel.start(partial(self._received, channel), partial(self._lost, channel))

    def stop(self) -> None:
        """
        Close the channels.
        """
        for channel in self._staying:
            channel.close()
        self._staying.clear()

    def _changed(self) -> None:
        every: dict[str, Sequence[str | None]] = {}
        for staying in self._staying.values():
            every |= staying
        self._elsewhere(every)

    def _received(self, channel: Channel, message: Message) -> None:
        if message.kind == "client":
            sock = socket.socket(fileno=message.files[0])
            self._serve(sock, message.fields, message.body)
        elif message.kind == "staying":
            self._staying[channel] = json.loads(message.body)
            self._changed()

    def _lost(self, channel: Channel) -> None:
        if self._staying.pop(channel, None):
            self._changed()

    def _serve(self, sock: socket.socket, fields: Mapping[str, Any], unread: bytes) -> None:
        """
        Serve a client that another edge has accepted.

        @param unread: what it has sent so far.
        """
        factory = self._clients.factory(fields["client"])
        endpoints = endpointsFromText(fields["endpoints"])
        peer: IAddress = UNIXAddress(None) if endpoints is None else ProxiedPeer(endpoints)
        client: Any = None if factory is None else factory.buildProtocol(peer)
        if client is None:
            sock.close()
            return
        self._reactor.serve(sock, client, peer, self._clients.gate)
        if fields["tls_granted"]:
            client.grantTLS()
        if unread:
            client.dataReceived(unread)
