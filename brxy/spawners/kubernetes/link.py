"""
Connections to the Kubernetes API.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.web.client import (
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from brxy.errors import UsageError
from brxy.spawners.kubernetes.config import Access
from brxy.spawners.kubernetes.credentials import Credential
from brxy.spawners.kubernetes.status import Unreachable
from brxy.tls.certificates import tlsFault, trust
from brxy.tls.contexts import TLS_1_2, ClientCreator, Identity, clientContext, parseIdentity
from brxy.values.text import oneLine

__all__ = ["BROKEN", "Link", "describeBroken", "tlsFor", "wasSent"]

# Seconds to connect.
_CONNECT_TIMEOUT = 5

#: What it looks like when there is no connection, or no longer one.
BROKEN = (
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
    SSL.Error,
)


def tlsFor(access: Access, credential: Credential) -> IOpenSSLClientConnectionCreator:
    """
    @return: what makes TLS connections to a cluster.
    @raise Unreachable: a certificate or key is not PEM.
    """
    name = access.server_name or urlsplit(access.server).hostname or ""
    try:
        context = clientContext(_identity(credential), minimum=TLS_1_2)
        if access.verify:
            trust(context, _authorities(access.ca), name)
    except UsageError as error:
        raise Unreachable(str(error), sent=False) from None
    return ClientCreator(context, name)


def _identity(credential: Credential) -> Identity | None:
    if not credential.certificate:
        return None
    return parseIdentity(
        credential.certificate, credential.key, "client-certificate", "client-key"
    )


def _authorities(ca: bytes | None) -> Sequence[x509.Certificate] | None:
    if ca is None:
        return None
    try:
        return x509.load_pem_x509_certificates(ca)
    except ValueError:
        raise UsageError("certificate-authority: there is no certificate in it") from None


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
class Link:
    """
    One connection to the API, for one request.
    """

    def __init__(self, reactor: Any, access: Access, credential: Credential) -> None:
        url = urlsplit(access.server)
        secure = url.scheme == "https"
        host, port = url.hostname or "", url.port or (443 if secure else 80)
        self._protocol: Any = None
        self._endpoint: Any = HostnameEndpoint(reactor, host, port, _CONNECT_TIMEOUT)
        if secure:
            self._endpoint = wrapClientTLS(tlsFor(access, credential), self._endpoint)

    def endpointForURI(self, uri: Any) -> IStreamClientEndpoint:
        """
        See L{IAgentEndpointFactory}.
        """
        return self

    def connect(self, factory: Any) -> Deferred[Any]:
        """
        See L{IStreamClientEndpoint}.
        """
        # The log is not told of each request.
        factory.noisy = False

        def connected(protocol: Any) -> Any:
            self._protocol = protocol
            return protocol

        connecting: Deferred[Any] = self._endpoint.connect(factory)
        return connecting.addCallback(connected)

    def abort(self) -> None:
        """
        Break it off.  Closing it would wait for the peer.
        """
        if self._protocol is not None and self._protocol.transport is not None:
            self._protocol.transport.abortConnection()


def describeBroken(error: Exception) -> str:
    """
    @param error: one of L{BROKEN}.
    @return: why there is no connection.
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


def wasSent(error: Exception) -> bool:
    """
    @param error: one of L{BROKEN}.
    @return: whether the API may have seen the request.
    """
    reasons = getattr(error, "reasons", None)
    if reasons:
        return wasSent(reasons[0].value)
    # Without a handshake nothing is sent.
    return not isinstance(error, (ConnectError, DNSLookupError, SSL.Error))
