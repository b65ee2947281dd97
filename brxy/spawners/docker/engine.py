"""
A client of the Docker Engine API, as U{https://docs.docker.com/engine/api/}
describes it, that keeps nobody waiting.

Paths are asked for without a version in front, which every daemon takes for its
own newest: what is used here means the same in all of them, and there is no
version that old and new ones have in common.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from operator import call
from typing import Any, TypeVar
from urllib.parse import urlsplit

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionDone,
    ConnectionLost,
    DNSLookupError,
)
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import (
    Agent,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from brxy.errors import BadSpawnSpec
from brxy.reactor.pacedfactory import PacedFactory
from brxy.reactor.turns import TurnQueue
from brxy.spawners.docker.answers import (
    EngineError,
    EngineUnreachable,
    Lines,
    Stream,
    Whole,
    parsed,
)

__all__ = [
    "ANSWER_TIMEOUT",
    "DEFAULT_HOST",
    "Engine",
    "labelFilter",
]

#: Where the daemon is, unless C{DOCKER_HOST} says otherwise.
DEFAULT_HOST = "unix:///var/run/docker.sock"

#: Seconds for an answer.  Starting a container takes 0.4 s, and each some more
#: when many start at once.
ANSWER_TIMEOUT = 60.0

# Seconds to connect.
_CONNECT_TIMEOUT = 5

_T = TypeVar("_T")


def labelFilter(labels: Mapping[str, str], **more: list[str]) -> str:
    """
    The C{filters} of a query for what bears all of these labels.

    @param more: other filters.
    """
    return json.dumps({"label": [f"{name}={value}" for name, value in labels.items()], **more})


def _endpoint(reactor: Any, host: str) -> IStreamClientEndpoint:
    """
    @raise BadSpawnSpec: it is no address that we can reach.
    """
    url = urlsplit(host)
    try:
        if url.scheme == "unix" and not url.netloc and url.path:
            return UNIXClientEndpoint(reactor, url.path, timeout=_CONNECT_TIMEOUT)
        if url.scheme == "tcp" and url.hostname:
            return HostnameEndpoint(reactor, url.hostname, url.port or 2375, _CONNECT_TIMEOUT)
    except ValueError:
        pass
    raise BadSpawnSpec(f"DOCKER_HOST {host!r} is neither unix:///PATH nor tcp://HOST:PORT")


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
class _Always:
    """
    One and the same endpoint, whatever a URL says.
    """

    def __init__(
        self, endpoint: IStreamClientEndpoint, pace: TurnQueue[Callable[[], object]]
    ) -> None:
        self._endpoint = endpoint
        self._turns = pace

    def endpointForURI(self, uri: Any) -> IStreamClientEndpoint:
        """
        See L{IAgentEndpointFactory}.
        """
        return self

    def connect(self, factory: Any) -> Deferred[Any]:
        """
        See L{IStreamClientEndpoint}.  The log is not told of each request.
        """
        factory.noisy = False
        connecting: Deferred[Any] = self._endpoint.connect(PacedFactory(factory, self._turns))
        return connecting.addCallback(lambda paced: paced.wrappedProtocol)


class Engine:
    """
    The daemon at one address.  Every request has a connection of its own: on a
    socket of this machine that costs next to nothing, and none that is kept can
    have been closed meanwhile.

    @param host: as C{DOCKER_HOST} has it: C{unix:///PATH} or C{tcp://HOST:PORT}.
    @raise BadSpawnSpec: it is no such address.
    """

    def __init__(self, reactor: Any, host: str = DEFAULT_HOST) -> None:
        self.host = host
        self._reactor = reactor
        # To make a request takes a third of a millisecond, to take an answer half of
        # one, and twenty at once would keep everybody waiting.
        self._turns: TurnQueue[Callable[[], object]] = TurnQueue(reactor, call)
        self._base = f"http://{urlsplit(host).netloc or 'docker'}"
        factory = _Always(_endpoint(reactor, host), self._turns)
        self._client = HTTPClient(Agent.usingEndpointFactory(reactor, factory))

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        timeout: float = ANSWER_TIMEOUT,
        **query: str | int,
    ) -> Any:
        """
        Make a request.

        @param body: what is sent as JSON; L{None}: nothing.
        @param timeout: seconds until the answer must be whole.
        @return: what was answered as JSON; L{None} if that is nothing.
        @raise EngineError: it was refused.
        @raise EngineUnreachable: there was no answer.
        """
        data = await self.read(method, path, body, timeout, **query)
        return parsed(data) if data else None

    async def read(
        self,
        method: str,
        path: str,
        body: Any = None,
        timeout: float = ANSWER_TIMEOUT,
        **query: str | int,
    ) -> bytes:
        """
        As L{ask}, for an answer that is not JSON.
        """
        whole = Whole()

        async def read() -> None:
            stream = await self._begin(method, path, body, query, whole)
            await stream.over

        await self._within(timeout, read())
        return bytes(whole.data)

    async def follow(
        self, method: str, path: str, receive: Callable[[Any], None], **query: str | int
    ) -> Stream:
        """
        Make a request whose answer is a stream of JSON objects.

        @param receive: called with each; an L{EngineError} that it raises ends
            the stream.
        @return: the stream, once it has begun.
        @raise EngineError: as L{ask}.
        """
        begun = self._begin(method, path, None, query, Lines(receive))
        return await self._within(ANSWER_TIMEOUT, begun)

    async def whole(self, stream: Stream, timeout: float) -> None:
        """
        Wait until a stream is over.

        @param timeout: seconds; then we hang up.
        @raise EngineError: C{receive} raised it.
        @raise EngineUnreachable: the connection broke, or it took too long.
        """

        async def wait() -> None:
            await stream.over

        await self._within(timeout, wait())

    async def _begin(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, Any],
        receive: Callable[[bytes], None],
    ) -> Stream:
        turn: Deferred[None] = Deferred()
        self._turns.add(lambda: turn.callback(None))
        await turn
        data = None if body is None else json.dumps(body).encode()
        headers = None if data is None else Headers({"Content-Type": ["application/json"]})
        response = await self._client.request(
            method,
            self._base + path,
            params=query,
            headers=headers,
            data=data,
            unbuffered=True,
            reactor=self._reactor,
        )
        if response.code < 400:
            stream = Stream(receive)
            response.deliverBody(stream)
            return stream
        whole = Whole()
        stream = Stream(whole)
        response.deliverBody(stream)
        await stream.over
        raise EngineError(_message(bytes(whole.data), response.code), response.code)

    async def _within(self, seconds: float, coroutine: Coroutine[Any, Any, _T]) -> _T:
        work = Deferred.fromCoroutine(coroutine)
        limit = self._reactor.callLater(seconds, work.cancel)
        try:
            return await work
        except (*_BROKEN, *_CANCELLED) as error:
            if _isCancelled(error):
                if limit.active():
                    raise CancelledError() from None
                why = f"no answer within {seconds:g} s"
            else:
                why = _broken(error)
            raise EngineUnreachable(f"dockerd at {self.host} can't be reached: {why}") from None
        finally:
            if limit.active():
                limit.cancel()


# What it looks like when there is no connection, or no longer one.
_BROKEN = (
    ConnectError,
    ConnectionDone,
    ConnectionLost,
    DNSLookupError,
    ResponseNeverReceived,
    ResponseFailed,
    RequestTransmissionFailed,
)


# What it looks like when nobody wants the answer any more.
_CANCELLED = (CancelledError, ConnectingCancelledError)


def _isCancelled(error: Exception) -> bool:
    reasons = getattr(error, "reasons", ())
    return isinstance(error, _CANCELLED) or any(each.check(*_CANCELLED) for each in reasons)


def _broken(error: Exception) -> str:
    """
    Why there is no connection.
    """
    if isinstance(error, ConnectError):
        return os.strerror(error.osError) if error.osError else str(error)
    return str(error) if isinstance(error, DNSLookupError) else "it hung up"


def _message(body: bytes, status: int) -> str:
    """
    What an answer that refuses says.
    """
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(body)["message"])
    return f"dockerd answered with status {status}"
