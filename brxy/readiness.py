"""
Waiting until an app answers.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall, ITCPTransport
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

__all__ = ["urlPath", "waitUntilReady"]

# The pause between two attempts (seconds): a part of the time that the app has
# taken so far, so that it is noticed late by 1 % on average, and within these.
_PART = 1 / 50
_SHORTEST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1

# An attempt takes some 60 µs.  When many apps start at once they take turns,
# one in so many seconds.
_TURN = 0.0005

# Seconds an attempt may take: to connect, and to be answered.
_CONNECT_TIMEOUT = 1
_ANSWER_TIMEOUT = 5.0

# RFC 9112, section 4.
_GOOD_STATUS = re.compile(rb"HTTP/1\.[01] [23][0-9][0-9]\b")
_STATUS_LENGTH = len(b"HTTP/1.1 200 ")

_URL_PATH = re.compile(r"/[!-~]*")


def urlPath(text: str) -> str:
    """
    A converter for options: the path of a URL, as it goes into a request.

    @raise ValueError: it is none.
    """
    if not _URL_PATH.fullmatch(text):
        raise ValueError("a path that begins with / is needed")
    return text


def waitUntilReady(
    reactor: Any, host: str, port: int, path: str | None = None, header: bytes = b""
) -> Deferred[None]:
    """
    Try until an app accepts a connection, or answers a GET.

    The request is written by hand: importing an HTTP client costs a node more
    than its app may need to start.

    @param path: what to GET; any answer from 200 to 399 will do.  L{None}: a
        connection is enough.
    @param header: what goes before the GET, for an app that expects a PROXY header.
    @return: fires when the app is ready.  Cancel it to stop trying: there is
        no other limit.
    """
    request = b""
    if path is not None:
        target = path.encode("ascii")
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        request = b"GET %b HTTP/1.1\r\nHost: %b\r\nAccept: */*\r\nConnection: close\r\n\r\n" % (
            target,
            authority.encode("ascii"),
        )
    attempts = _Attempts(reactor, host, port, request and header + request)
    attempts.begin()
    return attempts.ready


class _Attempts(ClientFactory):
    """
    One attempt after the other until one succeeds.
    """

    noisy = False

    #: How many apps are waited for, in this process.
    waited_for = 0

    def __init__(self, reactor: Any, host: str, port: int, request: bytes) -> None:
        self.ready: Deferred[None] = Deferred(lambda _: self._cancel())
        self.request = request
        self.reactor = reactor
        self._host = host
        self._port = port
        self._began = reactor.seconds()
        self._waiting: IDelayedCall | None = None
        self._connector: IConnector | None = None
        self._succeeded = False
        self._cancelled = False
        _Attempts.waited_for += 1

    def begin(self) -> None:
        """
        Make an attempt.
        """
        self._waiting = None
        self._connector = self.reactor.connectTCP(
            self._host, self._port, self, timeout=_CONNECT_TIMEOUT
        )

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        Something accepted the connection.
        """
        return _Attempt(self)

    def success(self) -> None:
        """
        The app is ready; told when the attempt's connection is closed.
        """
        self._succeeded = True

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """
        Nobody listens yet.
        """
        self._attemptOver()

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """
        An attempt's connection is closed.
        """
        self._attemptOver()

    def _attemptOver(self) -> None:
        """
        Tell, or try again a little later.
        """
        self._connector = None
        if self._cancelled:
            return
        if self._succeeded:
            _Attempts.waited_for -= 1
            self.ready.callback(None)
            return
        self._waiting = self.reactor.callLater(self._pause(), self.begin)

    def _pause(self) -> float:
        """
        Seconds until the next attempt.
        """
        elapsed: float = self.reactor.seconds() - self._began
        pause = min(max(elapsed * _PART, _SHORTEST_PAUSE), _LONGEST_PAUSE)
        return max(pause, _Attempts.waited_for * _TURN)

    def _cancel(self) -> None:
        """
        Nobody wants to know any more.
        """
        self._cancelled = True
        _Attempts.waited_for -= 1
        if self._waiting is not None:
            self._waiting.cancel()
        if self._connector is not None:
            self._connector.disconnect()


class _Attempt(Protocol):
    """
    One connection: asks if there is something to ask, and closes.
    """

    transport: ITCPTransport

    def __init__(self, attempts: _Attempts) -> None:
        self._attempts = attempts
        self._received = b""
        self._timeout: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """
        See that there is somebody else at the other end, and ask.

        A connection to a port of the ephemeral range that nobody listens at
        can meet itself (RFC 9293, section 3.5: simultaneous open), and would
        then keep the port from the app.
        """
        if self.transport.getHost() == self.transport.getPeer():
            self.transport.abortConnection()
        elif self._attempts.request:
            self._timeout = self._attempts.reactor.callLater(
                _ANSWER_TIMEOUT, self.transport.abortConnection
            )
            self.transport.write(self._attempts.request)
        else:
            self._attempts.success()
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """
        The head of the answer: its status is all that counts.
        """
        if len(self._received) >= _STATUS_LENGTH:
            return
        self._received += data
        if len(self._received) >= _STATUS_LENGTH:
            if _GOOD_STATUS.match(self._received):
                self._attempts.success()
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The attempt is over.
        """
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
