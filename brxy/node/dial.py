"""
How a node dials the edge, and what it shows: read from its files each time, so
that they may be replaced while it runs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from zope.interface import implementer

from brxy.errors import UsageError
from brxy.program.tokenfile import readToken
from brxy.tls.certificates import isIPAddress, readCertificates, trust
from brxy.tls.contexts import ClientCreator, clientContext, readIdentity
from brxy.tls.transport import TLSFactory
from brxy.values.routename import routeName

__all__ = ["Dialer", "EdgeTLS", "hostOf"]

_HOST = re.compile(r"tcp:(?:host=)?((?:[^:\\=]|\\.)+)(?::|$)")


def hostOf(endpoint: str) -> str:
    """
    The host that a Twisted client endpoint dials; C{""} if it can't be told.
    """
    match = _HOST.match(endpoint)
    return re.sub(r"\\(.)", r"\1", match[1]) if match else ""


@frozen
class EdgeTLS:
    """
    That the edge is dialled by TLS, with these PEM files.

    @ivar ca: the authorities that may have signed the edge's certificate.
    @ivar name: the name, or address, that it must be for.
    @ivar certificate: the node's own; L{None}: it shows none.
    @ivar key: the key of that.
    """

    ca: str
    name: str
    certificate: str | None = None
    key: str | None = None

    def read(self) -> IOpenSSLClientConnectionCreator:
        """
        What makes a connection, with the files as they are now.

        @raise UsageError: one of them can't be used.
        """
        if routeName(self.name) is None and not isIPAddress(self.name):
            raise UsageError(f"--edge-tls-name: {self.name!r} is no name of a host")
        identity = None
        if self.certificate is not None and self.key is not None:
            identity = readIdentity(Path(self.certificate), Path(self.key))
        context = clientContext(identity)
        trust(context, readCertificates(Path(self.ca)), self.name)
        return ClientCreator(context, self.name)


@implementer(IStreamClientEndpoint)
class Dialer:
    """
    The edge, as an endpoint.

    @param clock: an C{IReactorTime}.
    @param endpoint: where it is.
    @param token: what lets us in; C{""} if nothing does.
    @param token_file: what has the token instead.
    @ivar token: as it was when we last dialled.
    """

    def __init__(
        self,
        clock: Any,
        endpoint: IStreamClientEndpoint,
        token: str = "",
        token_file: str | None = None,
        tls: EdgeTLS | None = None,
    ) -> None:
        self._clock = clock
        self._endpoint = endpoint
        self._token_file = token_file
        self._tls = tls
        self.token = token

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        See L{IStreamClientEndpoint}.  Fails with L{UsageError} when a file
        can't be used.
        """
        try:
            if self._token_file is not None:
                self.token = readToken(self._token_file)
            if self._tls is None:
                return self._endpoint.connect(protocolFactory)
            secured = TLSFactory(self._tls.read(), True, protocolFactory, self._clock)
        except UsageError as error:
            return fail(error)
        connecting: Deferred[Any] = self._endpoint.connect(secured)
        return connecting.addCallback(lambda transport: transport.wrappedProtocol)
