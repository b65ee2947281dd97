"""
Requests to the Kubernetes API that keep nobody waiting.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IDelayedCall
from twisted.web.client import Agent, ResponseFailed
from twisted.web.http_headers import Headers

import brxy
from brxy.spawners.kubernetes.bodies import Lines, Whole
from brxy.spawners.kubernetes.config import Access
from brxy.spawners.kubernetes.link import BROKEN, Link, describeBroken, wasSent
from brxy.spawners.kubernetes.status import KubeError, Unreachable, refusal

__all__ = ["ANSWER_TIMEOUT", "KubeAPI"]

#: Seconds until an answer must be whole.
ANSWER_TIMEOUT = 20.0

# Requests at once; many more would only be told 429.
_AT_ONCE = 16

_UNAUTHORIZED = 401

_T = TypeVar("_T")


class KubeAPI:
    """
    The API of one cluster.

    Every request has a connection of its own: there are two or three in the
    life of an instance, and none that is kept can have been closed meanwhile,
    when it would not be known whether a Pod was made.
    """

    def __init__(self, reactor: Any, access: Access) -> None:
        self.access = access
        self._reactor = reactor
        self._turns = DeferredSemaphore(_AT_ONCE)

    async def ask(self, method: str, path: str, body: Any = None, **query: str | int) -> Any:
        """
        Make a request.

        @param body: what is sent as JSON; L{None}: nothing.
        @return: what was answered.
        @raise Refused: the API answered with an error.
        @raise Unreachable: there was no answer.
        """
        data = await self.read(method, path, body, **query)
        try:
            return json.loads(data)
        except ValueError:
            raise Unreachable(f"{self.access.server} answered no JSON", sent=True) from None

    async def read(self, method: str, path: str, body: Any = None, **query: str | int) -> bytes:
        """
        As L{ask}, for an answer that is not JSON.
        """

        async def read() -> bytes:
            whole = Whole()
            link = await self._begin(method, path, body, query, whole)
            try:
                await whole.over
            except BaseException:
                link.abort()
                raise
            return bytes(whole.data)

        return await self._turns.run(
            lambda: Deferred.fromCoroutine(self._limited(read(), ANSWER_TIMEOUT))
        )

    async def follow(
        self, path: str, receive: Callable[[Any], None], silence: float, **query: str | int
    ) -> None:
        """
        Make a request whose answer is a JSON object a line, until it ends.

        @param receive: called with each; what it raises ends it.
        @param silence: seconds without a byte after which we hang up.
        @raise KubeError: as L{ask}, or what C{receive} raised.
        """
        lines = Lines(receive, self._reactor, silence)
        link = await self._limited(self._begin("GET", path, None, query, lines), ANSWER_TIMEOUT)
        try:
            await self._limited(lines.wait(), None)
        finally:
            # A watch is never over by itself as far as its connection is concerned.
            link.abort()

    async def _begin(
        self, method: str, path: str, body: Any, query: Mapping[str, Any], receiver: Any
    ) -> Link:
        """
        Make a request, and deliver the body of the answer.

        @return: its connection.
        """
        response, link = await self._request(method, path, body, query)
        if response.code == _UNAUTHORIZED and self.access.credentials.refused():
            link.abort()
            response, link = await self._request(method, path, body, query)
        if response.code < 400:
            response.deliverBody(receiver)
            return link
        whole = Whole()
        response.deliverBody(whole)
        try:
            await whole.over
        finally:
            link.abort()
        retry_after = response.headers.getRawHeaders("Retry-After", [None])[0]
        raise refusal(response.code, bytes(whole.data), retry_after)

    async def _request(
        self, method: str, path: str, body: Any, query: Mapping[str, Any]
    ) -> tuple[Any, Link]:
        credential = await self.access.credentials.get()
        headers = Headers({"User-Agent": [f"brxy/{brxy.__version__}"]})
        headers.setRawHeaders("Accept", ["application/json"])
        if credential.token:
            headers.setRawHeaders("Authorization", [f"Bearer {credential.token}"])
        if body is not None:
            headers.setRawHeaders("Content-Type", ["application/json"])
        link = Link(self._reactor, self.access, credential)
        client = HTTPClient(Agent.usingEndpointFactory(self._reactor, link))
        response = await client.request(
            method,
            self.access.server + path,
            params=query,
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
            # Nobody is to be sent elsewhere with our token.
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,
        )
        return response, link

    async def _limited(self, coroutine: Coroutine[Any, Any, _T], seconds: float | None) -> _T:
        """
        Do something within a time, and tell of broken connections in a line.
        """
        work = Deferred.fromCoroutine(coroutine)
        limit: IDelayedCall | None = None
        if seconds is not None:
            limit = self._reactor.callLater(seconds, work.cancel)
        try:
            return await work
        except (*BROKEN, CancelledError, ConnectingCancelledError) as error:
            if not _isCancelled(error):
                raise self._unreachable(describeBroken(error), wasSent(error)) from None
            if limit is None or limit.active():
                raise CancelledError() from None
            raise self._unreachable(f"no answer within {seconds:g} s", True) from None
        finally:
            if limit is not None and limit.active():
                limit.cancel()

    def _unreachable(self, why: str, sent: bool) -> KubeError:
        return Unreachable(f"{self.access.server} can't be reached: {why}", sent)


def _isCancelled(error: Exception) -> bool:
    if isinstance(error, ResponseFailed):
        return any(each.check(CancelledError) for each in error.reasons)
    return isinstance(error, (CancelledError, ConnectingCancelledError))
