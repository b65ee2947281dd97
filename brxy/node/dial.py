"""
How a node dials its edge.  Its token and its certificates are read for each attempt, so
that the files may be replaced while it runs.
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
    @return: the host that a Twisted client endpoint dials; C{""} if it names none.
    """
    match = _HOST.match(endpoint)
    return re.sub(r"\\(.)", r"\1", match[1]) if match else ""


@frozen
class EdgeTLS:
    """
    The PEM files with which an edge is dialled over TLS.

    @ivar ca: the authorities that may have signed the edge's certificate.
    @ivar name: the host name or address that the edge's certificate must be for.
    @ivar certificate: the node's own certificate; L{None} if it shows none.
    @ivar key: the key of that certificate.
    """

    ca: str
    name: str
    certificate: str | None = None
    key: str | None = None

    def read(self) -> IOpenSSLClientConnectionCreator:
        """
        Read the files as they are now.

        @return: what makes connections with them.
        @raise UsageError: one of them can't be used.
        """
        if routeName(self.name) is None and not isIPAddress(self.name):
            raise UsageError(f"--edge-tls-name: {self.name!r} is not a host name")
        identity = None
        if self.certificate is not None and self.key is not None:
            identity = readIdentity(Path(self.certificate), Path(self.key))
        context = clientContext(identity)
        trust(context, readCertificates(Path(self.ca)), self.name)
        return ClientCreator(context, self.name)


@implementer(IStreamClientEndpoint)
class Dialer:
    """
    The edge, as an endpoint to dial.

    @param clock: an C{IReactorTime}.
    @param endpoint: where the edge is.
    @param token: the token for the edge; C{""} if the node has none.
    @param token_file: a file with the token; then C{token} is read from it.
    @param tls: L{None} if the edge is not dialled over TLS.
    @ivar token: the token at the last attempt.
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
