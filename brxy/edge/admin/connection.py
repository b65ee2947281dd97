"""
Connections of the admin API: HTTP/1, one request after another.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.edge.admin.door import Door
from brxy.edge.admin.messages import Response, Stream
from brxy.edge.admin.reading import BodyText, makeRequest, splitTarget
from brxy.edge.admin.table import NotAllowed, Table
from brxy.edge.admin.writing import chunk, errorResponse, responseHead
from brxy.edge.clients.answering import DATE
from brxy.errors import BadRequest, PeerError
from brxy.http.messages import RequestHead, requestHead
from brxy.reactor.deadlines import Deadlines
from brxy.transport.connection import Connection, Shared

__all__ = ["AdminConnection", "Server"]

# Why a client is not read from: it has sent much ahead of the answer that it waits for.
_AHEAD = 2
_MOST_AHEAD = 64 * 1024


class Server(Protocol):
    """
    What a connection needs of the server.

    @ivar table: the handlers.
    @ivar full: there are too many connections.
    @ivar leaving: the edge is stopping: no connection is kept.
    @ivar requests: the connections that have to send a whole request.
    @ivar readers: the connections that have to take what was written.
    """

    shared: Shared
    table: Table
    leaving: bool
    requests: Deadlines[Any]
    readers: Deadlines[Any]

    @property
    def full(self) -> bool: ...

    def joined(self, connection: AdminConnection) -> None: ...

    def left(self, connection: AdminConnection) -> None: ...


class AdminConnection(Connection):
    """
    One client's connection.
    """

    _log = Logger()

    def __init__(self, server: Server, door: Door) -> None:
        super().__init__(server.shared)
        self._server = server
        self._door = door
        self._inbox = b""
        self._head: RequestHead | None = None
        self._body: BodyText | None = None
        self._working: Deferred[Any] | None = None
        self._stream: Stream | None = None
        self._chunked = False
        self._advancing = False

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        super().connectionMade()
        full = self._server.full
        self._server.joined(self)
        if full:
            self._fail(503, "too many connections")
        else:
            self._server.requests.start(self)

    # Reading

    def dataReceived(self, data: bytes) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        if self.alive:
            self._inbox += data
            self._advance()

    def _advance(self) -> None:
        """
        Use what has come in, as far as that is possible now.
        """
        # A loop instead of a recursion, for any number of requests that were sent ahead.
        if self._advancing:
            return
        self._advancing = True
        try:
            while self.alive and not self._isBusy() and self._readOn():
                pass
        except NotAllowed as error:
            self._fail(error.status, str(error), (("Allow", ", ".join(error.methods)),))
        except BadRequest as error:
            self._fail(error.status, str(error))
        except PeerError as error:
            self._fail(400, str(error))
        finally:
            self._advancing = False
        if self._isBusy() and len(self._inbox) > _MOST_AHEAD:
            self.hold(_AHEAD)

    def _isBusy(self) -> bool:
        return self._working is not None or self._stream is not None or self.congested

    def _readOn(self) -> bool:
        """
        @return: whether there may be more to do.
        """
        if self._body is None:
            parsed = requestHead(self._inbox)
            if parsed is None:
                return False
            head, taken = parsed
            self._inbox = self._inbox[taken:]
            self._begin(head)
        assert self._body is not None and self._head is not None
        if not self._body.done:
            data, self._inbox = self._inbox, b""
            self._inbox = self._body.feed(data)
        if not self._body.done:
            return False
        body, self._body = self._body, None
        self._handle(self._head, body)
        return True

    def _begin(self, head: RequestHead) -> None:
        """
        Refuse a request before its body comes.
        """
        self._head = head
        self._door.check(head)
        endpoint = self._find(head)
        if not endpoint.is_open:
            self._door.checkToken(head)
        if endpoint.method == "POST":
            self._door.checkContent(head)
        self._body = BodyText(head)
        if head.expect_continue and not self._inbox:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _find(self, head: RequestHead) -> Any:
        method = head.method.decode("ascii")
        return self._server.table.find(method, splitTarget(head)[0])[0]

    def tooSlow(self) -> None:
        """
        The client has sent no whole request in time.
        """
        if self._inbox or self._body is not None:
            self._fail(408, "the request took too long")
        else:
            self.close()

    # Answering

    def _handle(self, head: RequestHead, body: BodyText) -> None:
        path, query = splitTarget(head)
        endpoint, parts = self._server.table.find(head.method.decode("ascii"), path)
        request = makeRequest(head, path, query, parts, body.value(), self._door.is_local)
        self._server.requests.stop(self)
        self._working = working = maybeDeferred(endpoint.handler, request)
        working.addCallbacks(self._answered, self._failed)
        working.addErrback(self._broken)

    def _answered(self, answer: Any) -> None:
        self._working = None
        if not self.alive:
            return
        if isinstance(answer, Response):
            self._respond(answer)
        else:
            self._startStream(answer)

    def _failed(self, failure: Failure) -> None:
        self._working = None
        if not self.alive or failure.check(CancelledError):
            return
        if failure.check(BadRequest):
            error: Any = failure.value
            self._respond(errorResponse(error.status, str(error)))
        else:
            self._broken(failure)

    def _broken(self, failure: Failure) -> None:
        self._working = None
        self._log.failure("while answering a request of the admin API", failure)
        if self.alive:
            self._respond(errorResponse(500, "brxy failed; see its log"))

    def _fail(self, status: int, text: str, fields: tuple[tuple[str, str], ...] = ()) -> None:
        """
        Answer a request that is not read to its end.
        """
        self._body = None
        self._server.requests.stop(self)
        response = errorResponse(status, text, fields)
        self._write(response, keep=False)
        self.linger()

    def _respond(self, response: Response) -> None:
        head = self._head
        keep = head is not None and head.keep_alive and not self.read_ended
        keep = keep and not self._server.leaving
        self._write(response, keep)
        if not keep:
            self.linger()
            return
        self._server.requests.start(self)
        self.release(_AHEAD)
        self._advance()

    def _write(self, response: Response, keep: bool) -> None:
        head = responseHead(
            response.status,
            response.content_type,
            DATE(),
            fields=response.fields,
            length=len(response.body),
            keep=keep,
        )
        only_head = self._head is not None and self._head.method == b"HEAD"
        self.write(head if only_head else head + response.body)

    # Streams

    def _startStream(self, stream: Stream) -> None:
        assert self._head is not None
        self._chunked = self._head.http11
        self.write(responseHead(200, stream.content_type, DATE(), chunked=self._chunked))
        if self._head.method == b"HEAD":
            self.linger()
            return
        self._stream = stream
        stream.start(_Body(self))

    def send(self, data: bytes) -> None:
        """
        Send a piece of the body of a stream.
        """
        if self._stream is not None and data:
            self.write(chunk(data) if self._chunked else data)

    def endStream(self) -> None:
        """
        The body of a stream is complete.
        """
        if self._stream is not None:
            self._stream = None
            if self._chunked:
                self.write(chunk(b""))
            self.linger()

    # The connection

    def filled(self) -> None:
        """
        See L{brxy.transport.connection.Connection}.
        """
        self._server.readers.start(self)

    def emptied(self) -> None:
        """
        See L{brxy.transport.connection.Connection}.
        """
        self._server.readers.stop(self)
        if self._stream is not None:
            self._stream.resume()
        else:
            self._advance()

    def peerEnded(self) -> None:
        """
        The client half-closed.  One that waits for its response gets it.
        """
        if self._working is None:
            self.close()

    def leave(self) -> None:
        """
        The edge is stopping: end what is under way.
        """
        if self._stream is not None:
            stream = self._stream
            self.endStream()
            stream.stop()
        elif self._working is None:
            self.close()

    def closed(self, reason: Failure) -> None:
        """
        See L{brxy.transport.connection.Connection}.
        """
        server = self._server
        server.requests.stop(self)
        server.readers.stop(self)
        server.left(self)
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.stop()
        if self._working is not None:
            self._working.cancel()


class _Body:
    """
    The L{brxy.edge.admin.messages.Sink} of a connection.
    """

    def __init__(self, connection: AdminConnection) -> None:
        self._connection = connection

    @property
    def congested(self) -> bool:
        return self._connection.congested

    def write(self, data: bytes) -> None:
        self._connection.send(data)

    def end(self) -> None:
        self._connection.endStream()
