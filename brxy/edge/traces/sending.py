"""
Sends spans to a collector over HTTP (OTLP/HTTP 1 with JSON).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, platformTrust, trustRootFromCertificates
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgentEndpointFactory,
    IBodyProducer,
    IPolicyForHTTPS,
    IResponse,
)
from zope.interface import implementer

from brxy import __version__
from brxy.edge.traces.environment import TraceSettings
from brxy.edge.traces.exporter import Answer
from brxy.errors import UsageError
from brxy.tls.certificates import tlsFault
from brxy.values.text import oneLine

__all__ = ["HTTPSender"]

# Those after which OTLP allows to send the same again.
_AGAIN = frozenset((429, 502, 503, 504))

_CERTIFICATE = "OTEL_EXPORTER_OTLP_CERTIFICATE"

# Bytes of an answer that are read.
_MOST = 64 * 1024

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\s*", re.DOTALL)


@implementer(IBodyProducer)
class _Body:
    """
    The body of a request, written at once.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._data)
        return succeed(None)

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass


class _Reading(Protocol):
    """
    Reads the body of an answer, but no more than L{_MOST} bytes.
    """

    def __init__(self) -> None:
        self.over: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._data = b""

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > _MOST:
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.over.called:
            self.over.callback(self._data)

    def _abort(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """
    Where the collector is.
    """

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS, timeout: float) -> None:
        self._reactor = reactor
        self._policy = policy
        self._timeout = timeout

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        endpoint: Any = HostnameEndpoint(self._reactor, uri.host, uri.port, self._timeout)
        if uri.scheme == b"https":
            options = self._policy.creatorForNetloc(uri.host, uri.port)
            endpoint = wrapClientTLS(options, endpoint)
        return _Quiet(endpoint)


@implementer(IStreamClientEndpoint)
class _Quiet:
    """
    An endpoint whose connections are not logged.
    """

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        protocolFactory.noisy = False
        return self._endpoint.connect(protocolFactory)


class HTTPSender:
    """
    See L{brxy.edge.traces.exporter.Sender}.
    """

    def __init__(self, reactor: Any, settings: TraceSettings, time: Callable[[], float]) -> None:
        """
        @param time: returns the seconds since 1970.
        @raise UsageError: the file with authorities can't be used.
        """
        self._reactor = reactor
        self._time = time
        self._timeout = settings.timeout
        self._url = settings.endpoint.encode("ascii")
        self._pool = pool = HTTPConnectionPool(reactor)
        pool.maxPersistentPerHost = 1
        # A request that was sent twice would make two of each span.
        pool.retryAutomatically = False
        policy = BrowserLikePolicyForHTTPS(_trusted(settings.certificate))
        endpoints = _Endpoints(reactor, policy, settings.timeout)
        self._agent = Agent.usingEndpointFactory(reactor, endpoints, pool)
        self._headers = Headers({name: [value] for name, value in settings.headers.items()})
        self._headers.setRawHeaders("Content-Type", ["application/json"])
        if not self._headers.hasHeader("User-Agent"):
            self._headers.setRawHeaders("User-Agent", [f"brxy/{__version__}"])

    async def send(self, body: bytes) -> Answer:
        """
        See L{brxy.edge.traces.exporter.Sender}.
        """
        work = Deferred.fromCoroutine(self._post(body))
        limit = self._reactor.callLater(self._timeout, work.cancel)
        try:
            return await work
        except Exception as error:
            if not limit.active():
                return Answer(f"no answer within {self._timeout:g} s", again=True)
            return Answer(_described(error), again=True)
        finally:
            if limit.active():
                limit.cancel()

    async def close(self) -> None:
        """
        See L{brxy.edge.traces.exporter.Sender}.
        """
        await self._pool.closeCachedConnections()

    async def _post(self, body: bytes) -> Answer:
        response: Any = await self._agent.request(
            b"POST", self._url, self._headers.copy(), _Body(body)
        )
        reading = _Reading()
        response.deliverBody(reading)
        data = await reading.over
        if response.code == 200:
            return Answer(rejected=_rejected(data))
        again = response.code in _AGAIN
        return Answer(f"the collector answered {response.code}", again, self._after(response))

    def _after(self, response: IResponse) -> float | None:
        """
        @return: the seconds of Retry-After; L{None} if there is none.
        """
        text = (response.headers.getRawHeaders("Retry-After") or [""])[0].strip()
        if text.isascii() and text.isdecimal():
            return float(text[:9])
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._time())
        except ValueError:
            return None


def _trusted(path: str | None) -> Any:
    if path is None:
        return platformTrust()
    try:
        found = [Certificate.loadPEM(each) for each in _PEM.findall(Path(path).read_bytes())]
    except OSError as error:
        raise UsageError(f"{_CERTIFICATE}={path}: {error.strerror or error}") from None
    except Exception:
        found = []
    if not found:
        raise UsageError(f"{_CERTIFICATE}={path}: PEM certificates are needed")
    return trustRootFromCertificates(found)


def _rejected(data: bytes) -> int:
    """
    How many spans a collector that answered 200 did not take.
    """
    try:
        found = json.loads(data or b"{}")
        return max(0, int(found["partialSuccess"]["rejectedSpans"]))
    except (ValueError, KeyError, TypeError):
        return 0


def _described(error: BaseException) -> str:
    """
    Why there was no answer, in a line.
    """
    reasons = getattr(error, "reasons", None)
    if reasons:
        return _described(reasons[0].value)
    if isinstance(error, ConnectError) and error.osError:
        return f"the collector: {os.strerror(error.osError)}"
    if isinstance(error, SSL.Error):
        return oneLine(f"the collector: {tlsFault(error) or 'the handshake failed'}")
    if isinstance(error, ConnectionClosed):
        return "the collector hung up"
    return oneLine(f"the collector: {str(error) or type(error).__name__}")
