"""
The other end of a connection to brxy, for tests: clients and apps that send
exact bytes and read them step by step, as coroutines.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, cast

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IListeningPort,
    IPushProducer,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.interfaces import Address
from brxy.tls.handshakes import Handshakes, encrypted

__all__ = [
    "App",
    "Broken",
    "Message",
    "Peer",
    "answer",
    "connect",
    "connectTLS",
    "echo",
    "webApp",
]

_END = b"\r\n\r\n"


class Broken(Exception):
    """
    The connection ended before the expected bytes had arrived.
    """


@define
class Message:
    """
    A request or a response.

    @ivar line: its first line.
    @ivar fields: names in lower case, and values.
    @ivar body: its content, without chunks.
    @ivar raw: all of it as it was received.
    """

    line: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes
    raw: bytes

    @property
    def status(self) -> int:
        """
        The status of a response.
        """
        return int(self.line.split()[1])

    @property
    def target(self) -> bytes:
        """
        The target of a request.
        """
        return self.line.split()[1]

    @property
    def method(self) -> bytes:
        """
        The method of a request.
        """
        return self.line.split()[0]

    def values(self, name: bytes) -> list[bytes]:
        """
        All values of a field.
        """
        return [value for each, value in self.fields if each == name]

    def __getitem__(self, name: bytes) -> bytes:
        """
        The value of a field that occurs once.
        """
        [value] = self.values(name)
        return value


@implementer(IHalfCloseableProtocol)
class Peer(Protocol):
    """
    One end of a connection.

    @ivar received: all bytes that have arrived.
    @ivar ended: nothing more will arrive.
    @ivar lost: the connection is gone, for this reason.
    @ivar local: its own address.
    @ivar sent: how many bytes L{send} has sent.
    @ivar full: the transport accepts no more for now.
    """

    def __init__(self) -> None:
        self.received = bytearray()
        self.ended = False
        self.lost: Failure | None = None
        self.local: Any = None
        self.sent = 0
        self.full = False
        self._taken = 0
        self._shut = False
        self._waiting: list[Deferred[None]] = []

    @property
    def _tcp(self) -> ITCPTransport:
        return cast(ITCPTransport, self.transport)

    # Events

    def connectionMade(self) -> None:
        """
        See L{Protocol}.
        """
        self._tcp.setTcpNoDelay(True)
        self.local = self._tcp.getHost()

    def dataReceived(self, data: bytes) -> None:
        """
        See L{Protocol}.
        """
        self.received += data
        self.tell()

    def readConnectionLost(self) -> None:
        """
        See L{IHalfCloseableProtocol}.
        """
        self.ended = True
        self._closeWhenShut()
        self.tell()

    def writeConnectionLost(self) -> None:
        """
        See L{IHalfCloseableProtocol}.
        """
        self._shut = True
        self._closeWhenShut()

    def _closeWhenShut(self) -> None:
        # With both halves shut, connectionLost might never come by itself.
        if self.ended and self._shut:
            self._tcp.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{Protocol}.
        """
        self.ended = True
        self.lost = reason
        self.tell()

    def tell(self) -> None:
        """
        Check all waiting conditions after an event.
        """
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    # Actions

    def write(self, *data: bytes) -> None:
        """
        Send bytes, in one write.
        """
        self._tcp.write(b"".join(data))

    async def send(self, piece: bytes, times: int) -> None:
        """
        Send the same bytes many times, no faster than they leave.
        """
        consumer = cast(IConsumer, self.transport)
        consumer.registerProducer(_Sender(self), True)
        try:
            for _ in range(times):
                await self.until(lambda: not self.full or self.lost is not None)
                if self.lost is not None:
                    raise Broken
                self.write(piece)
                self.sent += len(piece)
        finally:
            consumer.unregisterProducer()

    def end(self) -> None:
        """
        Half-close, once all is sent.
        """
        self._tcp.loseWriteConnection()

    def close(self) -> None:
        """
        Close, once all is sent.
        """
        self._tcp.loseConnection()

    def abort(self) -> None:
        """
        Close at once, with a reset.
        """
        self._tcp.abortConnection()

    def pause(self) -> None:
        """
        Stop reading.
        """
        cast(IPushProducer, self.transport).pauseProducing()

    def resume(self) -> None:
        """
        Read again.
        """
        cast(IPushProducer, self.transport).resumeProducing()

    @property
    def clean(self) -> bool:
        """
        Whether the other side ended properly, without a reset.
        """
        return self.ended and (self.lost is None or self.lost.check(ConnectionDone) is not None)

    def forget(self) -> None:
        """
        Drop the bytes that were taken, if they are many.
        """
        del self.received[: self._taken]
        self._taken = 0

    async def until(self, condition: Callable[[], object]) -> None:
        """
        Wait until a condition holds; it is checked after each event.
        """
        while not condition():
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting

    async def untilEnd(self) -> bytes:
        """
        Wait for the end of the received bytes.

        @return: the bytes that had not been taken.
        """
        await self.until(lambda: self.ended)
        rest = bytes(self.received[self._taken :])
        self._taken += len(rest)
        return rest

    async def untilLost(self) -> None:
        """
        Wait until the connection is gone.
        """
        await self.until(lambda: self.lost is not None)

    async def take(self, size: int) -> bytes:
        """
        @return: the next bytes, this many.

        @raise Broken: the connection ended before they arrived.
        """
        end = self._taken + size
        await self.until(lambda: self.ended or len(self.received) >= end)
        return self._upTo(end)

    async def takeThrough(self, mark: bytes) -> bytes:
        """
        @return: the next bytes up to and including a mark.

        @raise Broken: the connection ended before the mark arrived.
        """
        start = self._taken
        await self.until(lambda: self.ended or self.received.find(mark, start) >= 0)
        place = self.received.find(mark, start)
        return self._upTo(place + len(mark) if place >= 0 else len(self.received) + 1)

    def _upTo(self, end: int) -> bytes:
        if len(self.received) < end:
            raise Broken(bytes(self.received[self._taken :]))
        data = bytes(self.received[self._taken : end])
        self._taken = end
        return data

    # HTTP, parsed without any of brxy's own code

    async def request(self) -> Message:
        """
        @return: the next whole request.

        @raise Broken: the connection ended before it was complete.
        """
        head = await self.head()
        return await self.body(head, 0)

    async def answer(self, method: bytes = b"GET") -> Message:
        """
        @return: the next whole response, which may be an interim one.

        @raise Broken: the connection ended before it was complete.
        """
        head = await self.head()
        if method == b"HEAD" or head.status < 200 or head.status in (204, 304):
            return head
        return await self.body(head, None)

    async def head(self) -> Message:
        """
        @return: the next message's head.
        """
        raw = await self.takeThrough(_END)
        line, *lines = raw[: -len(_END)].split(b"\r\n")
        fields = []
        for each in lines:
            name, _, value = each.partition(b":")
            fields.append((name.lower(), value.strip()))
        return Message(line, fields, b"", raw)

    async def body(self, head: Message, default: int | None) -> Message:
        """
        @return: a message whose head was read.

        @param default: the length of its body if no field gives it; L{None} if
            it lasts until the end of the connection.
        """
        if head.values(b"transfer-encoding"):
            body, raw = await self._chunked()
        elif default is None and not head.values(b"content-length"):
            body = raw = await self.untilEnd()
            if not self.clean:
                raise Broken(raw)
        else:
            length = int(head[b"content-length"]) if head.values(b"content-length") else default
            body = raw = await self.take(length or 0)
        return Message(head.line, head.fields, body, head.raw + raw)

    async def _chunked(self) -> tuple[bytes, bytes]:
        body = raw = b""
        while True:
            line = await self.takeThrough(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            raw += line
            if not size:
                break
            chunk = await self.take(size + 2)
            raw += chunk
            body += chunk[:-2]
        while line != b"\r\n":
            line = await self.takeThrough(b"\r\n")
            raw += line
        return body, raw


@implementer(IPushProducer)
class _Sender:
    """
    Notes whether a transport is full.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def pauseProducing(self) -> None:
        """
        Note that the transport is full.
        """
        self._peer.full = True

    def resumeProducing(self) -> None:
        """
        Note that the transport has room again.
        """
        self._peer.full = False
        self._peer.tell()

    def stopProducing(self) -> None:
        """
        Note that the transport is gone.
        """


Serve = Callable[[Peer], Coroutine[Any, Any, None]]


class App(Factory):
    """
    An app in the process of the test run.

    @ivar serve_by: serves each new connection, which is closed afterwards; a
        connection that ends early is no error.
    @ivar peers: all connections so far, without those of a node that only finds out whether
        the app answers.
    @ivar probed: there may be such.
    @ivar requests: for use by C{serve_by}.
    """

    noisy = False
    _log = Logger()

    def __init__(self, serve: Serve) -> None:
        self.serve_by = serve
        self.peers: list[Peer] = []
        self.probed = False
        self.requests: list[Message] = []
        self._port: IListeningPort | None = None

    def listen(self, reactor: Any, port: int = 0) -> Address:
        """
        Accept connections.

        @param port: its port; 0 for any.

        @return: its address.
        """
        listening = TCP4ServerEndpoint(reactor, port, 1024, "127.0.0.1").listen(self)
        listening.addCallback(self._listening)
        assert self._port is not None
        host = self._port.getHost()
        return Address(host.host, host.port)  # type: ignore[attr-defined]

    def _listening(self, port: IListeningPort) -> None:
        self._port = port

    def buildProtocol(self, addr: IAddress | None) -> Peer:
        """
        See L{Factory}.
        """
        return _AppPeer(self)

    def serve(self, peer: Peer) -> None:
        """
        Serve a new connection.
        """
        self.peers.append(peer)
        serving = Deferred.fromCoroutine(self.serve_by(peer))
        serving.addErrback(lambda failure: failure.trap(Broken) and None)
        serving.addErrback(lambda failure: self._log.failure("a test's app failed", failure))
        serving.addCallback(lambda _: peer.close())

    @property
    def open(self) -> list[Peer]:
        """
        The connections that are open now.
        """
        return [peer for peer in self.peers if peer.lost is None]

    def targets(self) -> list[bytes]:
        """
        The targets of all requests, in order.
        """
        return [request.target for request in self.requests]

    async def stop(self) -> None:
        """
        Stop listening, and cut all connections.
        """
        if self._port is not None:
            port, self._port = self._port, None
            stopped = port.stopListening()
            if stopped is not None:
                await stopped
        for peer in self.open:
            if peer.transport is not None:
                peer.abort()
                await peer.untilLost()


# The turns of the reactor in which a node that has only tried to connect closes.
_TURNS = 5


class _AppPeer(Peer):
    """
    A connection from brxy to an app.
    """

    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app
        self._served = False

    def connectionMade(self) -> None:
        """
        See L{Protocol}.
        """
        super().connectionMade()
        if self._app.probed:
            self._wait(_TURNS)
        else:
            self._serve()

    def dataReceived(self, data: bytes) -> None:
        """
        See L{Protocol}.
        """
        self._serve()
        super().dataReceived(data)

    def _wait(self, turns: int) -> None:
        """
        Serve it after some turns of the reactor, unless its other end closes at once.
        """
        from twisted.internet import reactor

        if self.ended:
            return
        if turns == 0:
            self._serve()
        else:
            reactor.callLater(0, self._wait, turns - 1)

    def _serve(self) -> None:
        if not self._served:
            self._served = True
            self._app.serve(self)


Respond = Callable[[Message, Peer], Coroutine[Any, Any, None]]


def webApp(respond: Respond | bytes) -> App:
    """
    @return: an app that keeps its connections, and records its requests.

    @param respond: handles a request; or the answer to each request.
    """

    async def serve(peer: Peer) -> None:
        while True:
            request = await peer.request()
            app.requests.append(request)
            if isinstance(respond, bytes):
                peer.write(respond)
            else:
                await respond(request, peer)

    app = App(serve)
    return app


def answer(body: bytes = b"ok", status: bytes = b"200 OK", fields: Iterable[bytes] = ()) -> bytes:
    """
    @return: a response with a length.
    """
    lines = [b"HTTP/1.1 " + status, *fields, b"Content-Length: %d" % len(body), b"", b""]
    return b"\r\n".join(lines) + body


async def echo(peer: Peer) -> None:
    """
    Send back all bytes, and end when the client does.
    """
    while True:
        await peer.until(lambda: peer.ended or peer.received)
        data = bytes(peer.received)
        peer.received.clear()
        if data:
            peer.write(data)
        elif peer.ended:
            return


async def connect(reactor: Any, address: Any, host: str = "127.0.0.1") -> Peer:
    """
    Connect to a listening address.

    @param host: the local address, on loopback.
    """
    endpoint = TCP4ClientEndpoint(reactor, address.host, address.port, bindAddress=(host, 0))
    return cast(Peer, await endpoint.connect(Factory.forProtocol(Peer)))


async def connectTLS(reactor: Any, address: Any, trusted: bytes, name: str = "localhost") -> Peer:
    """
    Connect to a listening address over TLS.

    @param trusted: the certificate that the server must present, as PEM.
    @param name: the server name that the client requests.
    @raise Broken: the handshake fails.
    """
    made: Deferred[Peer] = Deferred()

    class Secured(Peer):
        def connectionMade(self) -> None:
            super().connectionMade()
            made.callback(self)

    creator = optionsForClientTLS(name, Certificate.loadPEM(trusted))
    factory = encrypted(
        Factory.forProtocol(Secured),
        creator,
        Handshakes(Clock()),
        clock=reactor,
        client=True,
        failed=lambda _, reason: made.errback(Broken(reason.value)),
    )
    await TCP4ClientEndpoint(reactor, address.host, address.port).connect(factory)
    return await made
