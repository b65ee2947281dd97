"""
Clients that go to the edge that has taken the place of this one.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.python.failure import Failure

from brxy.edge.clients.connection import ClientConnection, ClientFactory
from brxy.edge.dispatch import Dispatch
from brxy.edge.exchanges.carrier import Carrier
from brxy.edge.exchanges.http import HTTPCarrier
from brxy.edge.exchanges.postgres import RequestingCarrier
from brxy.edge.exchanges.table import COPY_LIMIT, Exchange
from brxy.edge.exchanges.tcp import TCPCarrier
from brxy.edge.upgrade.channel import Channel
from brxy.http.messages import asSent
from brxy.scaler.instance import Instance
from brxy.transport.connection import Connection, Shared
from brxy.transport.relay import Relay

__all__ = ["Passing"]


class Passing:
    """
    Passes clients on: their connections, where the other edge can go on with these; else their
    bytes, both ways.
    """

    def __init__(self, shared: Shared, dispatch: Dispatch, channel: Channel) -> None:
        self._shared = shared
        self._dispatch = dispatch
        self._channel = channel
        self._far: set[_OtherEdge] = set()

    def start(self, factories: Iterable[ClientFactory[Any]]) -> None:
        """
        Pass on the clients whose exchanges wait, now or later, and those that have none.
        """
        self._dispatch.handOver(self._take)
        for factory in factories:
            factory.handOn(self._takeIdle)

    def abort(self) -> None:
        """
        Cut the connections to the other edge.
        """
        for far in list(self._far):
            far.abort()

    def _takeIdle(self, client: ClientConnection[Any]) -> None:
        fields = self._fieldsOf(client)
        sock = client.takeSocket()
        if sock is not None:
            self._send(sock, fields, client.takeUnread())

    def _take(self, exchange: Exchange) -> None:
        carrier = exchange.carrier
        client = carrier.near
        fields = self._fieldsOf(client)
        sock = client.takeSocket()
        # The client's next connection need not pass here.
        so_far = _soFar(carrier, is_last=sock is None) + client.takeUnread()
        self._dispatch.buffer.discard(exchange)
        exchange.carrier = None
        if sock is not None:
            self._send(sock, fields, so_far)
        else:
            self._passBytes(client, exchange.route, fields, so_far)

    def _passBytes(self, client: Any, route: str, fields: dict[str, Any], so_far: bytes) -> None:
        ours, theirs = socket.socketpair()
        far = _OtherEdge(self._shared, self._far)
        self._shared.reactor.serve(ours, far, UNIXAddress(None), None)
        self._send(theirs, fields, b"")
        carrier = TCPCarrier(client, self._dispatch, route)
        carrier.exchange.limit = max(COPY_LIMIT, len(so_far))
        carrier.exchange.keep(so_far)
        carrier.exchange.complete = client.read_ended
        client.passOn(carrier)
        carrier.matched(far)

    def _fieldsOf(self, client: ClientConnection[Any]) -> dict[str, Any]:
        with suppress(OSError):
            # The client may have gone.
            return {
                "client": client.kind,
                "endpoints": client.endpoints,
                "tls_granted": client.tls_granted,
            }
        return {"client": client.kind, "endpoints": "", "tls_granted": False}

    def _send(self, sock: socket.socket, fields: dict[str, Any], unread: bytes) -> None:
        with sock:
            self._channel.send("client", [sock.fileno()], unread, **fields)


def _soFar(carrier: Carrier, is_last: bool) -> bytes:
    """
    What a client has sent of an exchange that waits.

    @param is_last: no further exchange of the client is to follow on its connection.
    """
    if isinstance(carrier, RequestingCarrier):
        # The copy is what the edge sends to the app.
        return b""
    copy = b"".join(carrier.exchange.copy or ())
    if not isinstance(carrier, HTTPCarrier):
        return copy
    head = carrier.asked or carrier.head
    return asSent(head, expects=not carrier.continues, is_last=is_last) + copy


class _OtherEdge(Connection):
    """
    A connection to the other edge, as the slot of one exchange.

    @ivar instance: see L{brxy.edge.exchanges.ends.SlotEnd}.
    @ivar wants_client: see there.
    """

    wants_client = False

    def __init__(self, shared: Shared, every: set[_OtherEdge]) -> None:
        super().__init__(shared)
        self.instance = Instance(ticket="", route="", capacity=1, generation=0, answered=True)
        self._relay: Relay | None = None
        self._every = every
        every.add(self)

    def open(self, relay: Relay, kind: int, once: bool, client: str, first: bytes) -> None:
        """
        See L{brxy.edge.exchanges.ends.SlotEnd}.
        """
        self._relay = relay
        self.write(first)
        relay.accepted()

    def recall(self) -> None:
        """
        See L{brxy.edge.exchanges.ends.SlotEnd}.
        """

    def done(self, keep: bool) -> None:
        """
        See L{brxy.edge.exchanges.ends.SlotEnd}.
        """
        self._relay = None
        self.close()

    def reset(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self._relay = None
        self.abort()

    def dataReceived(self, data: bytes) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        if self._relay is not None:
            self._relay.data(self, data)

    def filled(self) -> None:
        """
        See L{Connection}.
        """
        if self._relay is not None:
            self._relay.full(self)

    def emptied(self) -> None:
        """
        See L{Connection}.
        """
        if self._relay is not None:
            self._relay.drained(self)

    def peerEnded(self) -> None:
        """
        See L{Connection}.
        """
        if self._relay is not None:
            self._relay.ended(self)
        else:
            self.close()

    def closed(self, reason: Failure) -> None:
        """
        See L{Connection}.
        """
        self._every.discard(self)
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.aborted(self, "the other edge closed the connection")
