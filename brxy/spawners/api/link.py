"""
One connection to a daemon, for one request, and what it looks like when it breaks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import (
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from brxy.reactor.pacedfactory import PacedFactory
from brxy.reactor.turns import TurnQueue
from brxy.tls.certificates import tlsFault
from brxy.values.text import oneLine

__all__ = ["BROKEN", "CONNECT_TIMEOUT", "Link", "describeBroken", "wasCancelled", "wasSent"]

#: Seconds to connect.
CONNECT_TIMEOUT = 5

_CANCELLED = (CancelledError, ConnectingCancelledError)

#: The errors of a request whose connection could not be made, broke or was cancelled.
BROKEN = (
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
    SSL.Error,
    *_CANCELLED,
)


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
class Link:
    """
    One connection.

    @param endpoint: where the daemon is, whatever the URL of the request says.
    @param turns: what comes is handled in turns of these; L{None}: at once.
    """

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        turns: TurnQueue[Callable[[], object]] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._turns = turns
        self._transport: Any = None

    def endpointForURI(self, uri: Any) -> IStreamClientEndpoint:
        """
        See L{IAgentEndpointFactory}.
        """
        return self

    def connect(self, factory: Any) -> Deferred[Any]:
        """
        See L{IStreamClientEndpoint}.
        """
        # Requests are too many for a line of the log each.
        factory.noisy = False
        turns = self._turns
        paced = factory if turns is None else PacedFactory(factory, turns)
        connecting: Deferred[Any] = self._endpoint.connect(paced)
        if turns is not None:
            connecting.addCallback(lambda wrapper: wrapper.wrappedProtocol)
        return connecting.addCallback(self._connected)

    def _connected(self, protocol: Any) -> Any:
        self._transport = protocol.transport
        return protocol

    def abort(self) -> None:
        """
        Break the connection off.  To close it would wait for the peer.
        """
        if self._transport is not None:
            self._transport.abortConnection()


def describeBroken(error: BaseException) -> str:
    """
    Say in a line why there is no connection.

    @param error: one of L{BROKEN}.
    """
    reasons = getattr(error, "reasons", None)
    if reasons:
        return describeBroken(reasons[0].value)
    if isinstance(error, ConnectError):
        return os.strerror(error.osError) if error.osError else oneLine(error)
    if isinstance(error, SSL.Error):
        return oneLine(tlsFault(error) or "TLS: the handshake failed")
    if isinstance(error, ConnectionClosed):
        return "it hung up"
    return oneLine(error) or type(error).__name__


def wasCancelled(error: BaseException) -> bool:
    """
    Whether the request was cancelled.

    @param error: one of L{BROKEN}.
    """
    reasons = getattr(error, "reasons", None) or ()
    return isinstance(error, _CANCELLED) or any(each.check(*_CANCELLED) for each in reasons)


def wasSent(error: BaseException) -> bool:
    """
    Whether the daemon may have received the request.

    @param error: one of L{BROKEN}.
    """
    reasons = getattr(error, "reasons", None)
    if reasons:
        return wasSent(reasons[0].value)
    # Without a handshake nothing is sent.
    return not isinstance(error, (ConnectError, DNSLookupError, SSL.Error))
