"""
Connections to the Kubernetes API.
"""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.web.client import (
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from brxy.spawners.kubernetes.config import Access
from brxy.spawners.kubernetes.credentials import Credential
from brxy.spawners.kubernetes.status import Unreachable
from brxy.values.text import oneLine

__all__ = ["BROKEN", "Link", "describeBroken", "tlsFor", "wasSent"]

# Seconds to connect.
_CONNECT_TIMEOUT = 5

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

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
    @raise Unreachable: a certificate or key is none.
    """
    name = access.server_name or urlsplit(access.server).hostname or ""
    own = _ownCertificate(credential)
    if not access.verify:
        return _Unverified(own)
    return optionsForClientTLS(name, _trust(access.ca), own)


def _ownCertificate(credential: Credential) -> PrivateCertificate | None:
    if not credential.certificate:
        return None
    try:
        own: PrivateCertificate = PrivateCertificate.loadPEM(
            credential.key + b"\n" + credential.certificate
        )
        return own
    except Exception:
        # pyOpenSSL and cryptography have many ways to say so.
        raise Unreachable("client certificate and key are no PEM", sent=False) from None


def _trust(ca: bytes | None) -> Any:
    if ca is None:
        return platformTrust()
    try:
        trusted = [Certificate.loadPEM(each) for each in _CERTIFICATE.findall(ca)]
    except Exception:
        # As above.
        trusted = []
    if not trusted:
        raise Unreachable("the certificate authority is no PEM certificate", sent=False)
    return trustRootFromCertificates(trusted)


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    """
    Makes connections to whoever answers.
    """

    def __init__(self, own: PrivateCertificate | None) -> None:
        given: dict[str, Any] = {}
        if own is not None:
            given = {"privateKey": own.privateKey.original, "certificate": own.original}
        self._options = CertificateOptions(verify=False, **given)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        See L{IOpenSSLClientConnectionCreator}.
        """
        return SSL.Connection(self._options.getContext(), None)


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
        return f"TLS: {_tlsReason(error)}"
    if isinstance(error, ConnectionClosed):
        return "it hung up"
    return oneLine(error) or type(error).__name__


def _tlsReason(error: SSL.Error) -> str:
    # A list of (library, function, reason) in the first argument, if anything.
    try:
        return oneLine(error.args[0][-1][-1])
    except (IndexError, TypeError):
        return oneLine(error) or "the handshake failed"


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
