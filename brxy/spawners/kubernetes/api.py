"""
A client of the Kubernetes API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

import brxy
from brxy.errors import UsageError
from brxy.spawners.api.client import DaemonClient
from brxy.spawners.api.errors import Refused, Unreachable
from brxy.spawners.api.link import CONNECT_TIMEOUT, Link
from brxy.spawners.kubernetes.config import ClusterAccess
from brxy.spawners.kubernetes.credentials import Credential
from brxy.spawners.kubernetes.status import refusal
from brxy.tls.certificates import trust
from brxy.tls.contexts import TLS_1_2, ClientCreator, Identity, clientContext, parseIdentity

__all__ = ["KubeAPI", "tlsFor"]

# Requests at once, at most; an API answers many more with 429.
_AT_ONCE = 16

# Bytes of an answer, which may be the list of all Pods of an edge, and of one event
# about a Pod: an object of the API has 1.5 MiB at most, and ours have some KiB.
_LONGEST = 64 << 20
_LONGEST_LINE = 4 << 20


def tlsFor(access: ClusterAccess, credential: Credential) -> IOpenSSLClientConnectionCreator:
    """
    @return: what makes TLS connections to a cluster.
    @raise Unreachable: a certificate or key can't be used.
    """
    name = access.server_name or urlsplit(access.server).hostname or ""
    try:
        context = clientContext(_identity(credential), minimum=TLS_1_2)
        if access.verify:
            trust(context, _authorities(access.ca), name)
    except UsageError as error:
        raise Unreachable(error, sent=False) from None
    return ClientCreator(context, name)


def _identity(credential: Credential) -> Identity | None:
    if not credential.certificate:
        return None
    return parseIdentity(
        credential.certificate, credential.key, "client-certificate", "client-key"
    )


def _authorities(ca: bytes | None) -> list[x509.Certificate] | None:
    if ca is None:
        return None
    try:
        return x509.load_pem_x509_certificates(ca)
    except ValueError:
        raise UsageError("certificate-authority: there is no certificate in it") from None


class KubeAPI(DaemonClient):
    """
    The API of one cluster.

    @param timeout: seconds until an answer must be complete.
    """

    def __init__(self, reactor: Any, access: ClusterAccess, timeout: float) -> None:
        super().__init__(
            reactor,
            access.server,
            access.server,
            timeout=timeout,
            longest=_LONGEST,
            longest_line=_LONGEST_LINE,
        )
        self._access = access
        self._turns = DeferredSemaphore(_AT_ONCE)

    async def read(
        self,
        method: str,
        path: str,
        body: Any = None,
        timeout: float | None = None,
        **query: str | int,
    ) -> bytes:
        """
        See L{DaemonClient}.
        """
        read = super().read
        return await self._turns.run(
            lambda: Deferred.fromCoroutine(read(method, path, body, timeout, **query))
        )

    async def watch(
        self, path: str, receive: Callable[[Any], None], silence: float, **query: str | int
    ) -> None:
        """
        Receive a stream until the API ends it.

        @param silence: it breaks when nothing comes for this number of seconds.
        @raise DaemonError: as for C{ask}, or what C{receive} raised.
        """
        stream = await self.follow("GET", path, receive, **query)
        await self.ended(stream, silence=silence)

    async def open(self) -> tuple[Link, Mapping[str, str]]:
        """
        See L{DaemonClient}.
        """
        credential = await self._access.credentials.get()
        fields = {"User-Agent": f"brxy/{brxy.__version__}", "Accept": "application/json"}
        if credential.token:
            fields["Authorization"] = f"Bearer {credential.token}"
        url = urlsplit(self._access.server)
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 80)
        endpoint: Any = HostnameEndpoint(self._reactor, url.hostname or "", port, CONNECT_TIMEOUT)
        if secure:
            endpoint = wrapClientTLS(tlsFor(self._access, credential), endpoint)
        return Link(endpoint), fields

    def refusal(self, status: int, body: bytes, retry_after: str | None) -> Refused:
        """
        See L{DaemonClient}.
        """
        return refusal(status, body, retry_after)

    def unauthorized(self) -> bool:
        """
        See L{DaemonClient}.
        """
        return self._access.credentials.refused()
