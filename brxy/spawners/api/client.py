"""
Requests to the HTTP API of a daemon that keep no other work waiting.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from attrs import frozen
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.web.client import Agent
from twisted.web.http_headers import Headers

from brxy.spawners.api.bodies import Body, Lines, Whole
from brxy.spawners.api.errors import DaemonError, Unreachable
from brxy.spawners.api.link import BROKEN, Link, describeBroken, wasCancelled, wasSent

__all__ = ["DaemonClient", "Stream"]

_UNAUTHORIZED = 401

_T = TypeVar("_T")


@frozen
class Stream:
    """
    An answer that has begun, see L{DaemonClient.follow}.
    """

    link: Link
    body: Body

    def close(self) -> None:
        """
        End the stream here.
        """
        self.body.end(None)
        self.link.abort()


class DaemonClient:
    """
    A client of one daemon.

    Every request has a connection of its own: an instance needs a few in its life, and
    a connection that was kept could have been closed meanwhile, when it would not be
    known whether the daemon has done what was requested.

    @ivar name: what the daemon is called in messages.
    @param url: what comes before the path of each request.
    @param timeout: seconds until an answer must be complete, where a request gives none.
    @param longest: bytes of an answer, at most.
    @param longest_line: bytes of one line of a stream, at most.
    """

    def __init__(
        self,
        reactor: Any,
        name: str,
        url: str,
        *,
        timeout: float,
        longest: int,
        longest_line: int,
    ) -> None:
        self.name = name
        self._reactor = reactor
        self._url = url
        self._timeout = timeout
        self._longest = longest
        self._longest_line = longest_line

    # What a subclass says

    async def open(self) -> tuple[Link, Mapping[str, str]]:
        """
        Prepare a request.

        @return: its connection, and the header fields that all requests have.
        @raise Unreachable: there can be none.
        """
        raise NotImplementedError

    def refusal(self, status: int, body: bytes, retry_after: str | None) -> DaemonError:
        """
        @return: the error that an answer reports.
        @param status: of HTTP, 400 or above.
        @param retry_after: the header of this name.
        """
        raise NotImplementedError

    def unauthorized(self) -> bool:
        """
        The daemon answered 401.

        @return: whether the request is worth another attempt.
        """
        return False

    # Requests

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        timeout: float | None = None,
        **query: str | int,
    ) -> Any:
        """
        Make a request.

        @param body: what is sent as JSON; L{None}: nothing.
        @param timeout: seconds until the answer must be complete.
        @return: the JSON that was answered; L{None} if the answer is empty.
        @raise Refused: the daemon answered with an error.
        @raise Unreachable: there was no answer, or none that can be understood.
        """
        data = await self.read(method, path, body, timeout, **query)
        try:
            return json.loads(data) if data else None
        except ValueError:
            raise Unreachable(f"{self.name} answered no JSON") from None

    async def read(
        self,
        method: str,
        path: str,
        body: Any = None,
        timeout: float | None = None,
        **query: str | int,
    ) -> bytes:
        """
        Make a request as L{request} does, whose answer is not JSON.
        """
        whole = Whole(self._longest)

        async def read() -> None:
            stream = await self._begin(method, path, body, query, whole)
            try:
                await stream.body.over
            except BaseException:
                stream.link.abort()
                raise

        await self._within(self._timeout if timeout is None else timeout, read())
        return bytes(whole.data)

    async def follow(
        self, method: str, path: str, receive: Callable[[Any], None], **query: str | int
    ) -> Stream:
        """
        Make a request whose answer is a stream of JSON objects, one a line.  The caller
        waits for its end by L{ended}, or closes it.

        @param receive: called with each object; an error that it raises ends the stream.
        @return: the stream, once it has begun.
        @raise DaemonError: as for L{request}.
        """
        lines = Lines(receive, self._longest_line)
        return await self._within(self._timeout, self._begin(method, path, None, query, lines))

    async def ended(
        self, stream: Stream, *, timeout: float | None = None, silence: float | None = None
    ) -> bool:
        """
        Wait until a stream ends, and close its connection.

        @param timeout: it ends here after this number of seconds.
        @param silence: it breaks when nothing comes for this number of seconds.
        @return: whether it ended by itself.
        @raise Unreachable: the connection broke, or was silent.
        @raise Exception: what C{receive} raised.
        """
        limit: IDelayedCall | None = None
        if timeout is not None:
            limit = self._reactor.callLater(timeout, stream.body.end, None)
        if silence is not None:
            stream.body.limitSilence(self._reactor, silence)
        try:
            await self._within(None, _over(stream))
            return limit is None or limit.active()
        finally:
            if limit is not None and limit.active():
                limit.cancel()
            stream.close()

    async def _begin(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, Any],
        receive: Callable[[bytes], None],
    ) -> Stream:
        response, link = await self._request(method, path, body, query)
        if response.code == _UNAUTHORIZED and self.unauthorized():
            link.abort()
            response, link = await self._request(method, path, body, query)
        if response.code < 400:
            stream = Stream(link, Body(receive))
            response.deliverBody(stream.body)
            return stream
        whole = Whole(self._longest)
        said = Body(whole)
        response.deliverBody(said)
        try:
            await said.over
        finally:
            link.abort()
        retry_after = response.headers.getRawHeaders("Retry-After", [None])[0]
        raise self.refusal(response.code, bytes(whole.data), retry_after)

    async def _request(
        self, method: str, path: str, body: Any, query: Mapping[str, Any]
    ) -> tuple[Any, Link]:
        link, fields = await self.open()
        headers = Headers({name: [value] for name, value in fields.items()})
        if body is not None:
            headers.setRawHeaders("Content-Type", ["application/json"])
        client = HTTPClient(Agent.usingEndpointFactory(self._reactor, link))
        response = await client.request(
            method,
            self._url + path,
            params=query,
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
            # What a request bears is for this daemon alone.
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,
        )
        return response, link

    async def _within(self, seconds: float | None, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """
        Do something within a time, and report broken connections in a line.
        """
        work = Deferred.fromCoroutine(coroutine)
        limit: IDelayedCall | None = None
        if seconds is not None:
            limit = self._reactor.callLater(seconds, work.cancel)
        try:
            return await work
        except BROKEN as error:
            if not wasCancelled(error):
                raise self._unreachable(describeBroken(error), wasSent(error)) from None
            if limit is None or limit.active():
                raise CancelledError() from None
            raise self._unreachable(f"no answer within {seconds:g} s", True) from None
        finally:
            if limit is not None and limit.active():
                limit.cancel()

    def _unreachable(self, why: str, sent: bool) -> Unreachable:
        return Unreachable(f"{self.name} can't be reached: {why}", sent)


async def _over(stream: Stream) -> None:
    await stream.body.over
