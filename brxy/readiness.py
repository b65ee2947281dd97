"""
Waiting until an app answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall, ITCPTransport
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

__all__ = ["ANY", "Question", "answering", "siteName", "urlPath", "waitUntilReady"]

# The pause between two attempts: this part of the time that the app has taken so far, so
# that its readiness is noticed 1 % late on average; but within these limits (seconds).
_PART = 1 / 50
_SHORTEST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1

# An attempt takes some 60 µs.  When N apps start at once, each gets an attempt in N times
# this (seconds).
_TURN = 0.0005

# Seconds an attempt may take: to connect, and to be answered.
_CONNECT_TIMEOUT = 1
_ANSWER_TIMEOUT = 5.0

# RFC 9112, section 4.
_GOOD_STATUS = re.compile(rb"HTTP/1\.[01] [23][0-9][0-9]\b")
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})\b")
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
    Wait until an app accepts a connection, or answers a GET.

    The request is written by hand: importing an HTTP client costs a node more
    than its app may need to start.

    @param path: what to GET: the app is ready when the status is from 200 to 399.
        L{None}: it is ready when it accepts a connection.
    @param header: what is sent before the GET, for an app that expects a PROXY header.
    @return: fires when the app is ready.  Attempts are made until then, or until it
        is cancelled.
    """
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return answering(reactor, [host], port, Question(path, authority, header)).addCallback(
        lambda _: None
    )


class Question(NamedTuple):
    """
    What an app must answer.

    @ivar path: see L{waitUntilReady}.
    @ivar authority: the C{Host} of the request.
    @ivar header: see L{waitUntilReady}.
    """

    path: str | None = None
    authority: str = ""
    header: bytes = b""

    def encode(self) -> bytes:
        """
        @return: what is sent; nothing if a connection is enough.
        """
        if self.path is None:
            return b""
        return self.header + (
            f"GET {self.path} HTTP/1.1\r\nHost: {self.authority}\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n"
        ).encode("ascii")


#: That it accepts a connection.
ANY = Question()


def siteName(route: str) -> str:
    """
    @return: the C{Host} for a request that is not a client's, which the app of a route
        most probably accepts.  Many frameworks reject names that they are not configured
        for, and addresses.
    """
    return "localhost" if route == "default" else route


def answering(
    reactor: Any,
    hosts: Sequence[str],
    port: int,
    question: Question,
    report: Callable[[str], None] = lambda outcome: None,
) -> Deferred[str]:
    """
    Wait until an app answers at one of several hosts.

    @param hosts: addresses, or names.
    @param report: called with each answer that is not the right one and differs from the
        one before it, in words that continue "the app".
    @return: fires with the host; see L{waitUntilReady}.
    """
    attempts = _Attempts(reactor, hosts, port, question, report, _COUNT)
    attempts.begin()
    return attempts.ready


class _Count:
    """
    The number of apps that this process waits for.
    """

    def __init__(self) -> None:
        self.apps = 0


# They share the time of the process.
_COUNT = _Count()


class _Attempts(ClientFactory):
    """
    Attempts to connect to one app, one after another until one succeeds.  Each attempt
    is for the next of the hosts; there is a pause after the last of them.

    @param count: counts the apps that are waited for at the same time.
    """

    noisy = False

    def __init__(
        self,
        reactor: Any,
        hosts: Sequence[str],
        port: int,
        question: Question,
        report: Callable[[str], None],
        count: _Count,
    ) -> None:
        self.ready: Deferred[str] = Deferred(lambda _: self._cancel())
        self.question = question
        self.request = question.encode()
        self.reactor = reactor
        self._hosts = hosts
        self._next = 0
        self._found = 0
        self._port = port
        self._report = report
        self._outcome = ""
        self._began = reactor.seconds()
        self._waiting: IDelayedCall | None = None
        self._connector: IConnector | None = None
        self._dialling: Deferred[Any] | None = None
        self._succeeded = False
        self._cancelled = False
        self._count = count
        count.apps += 1

    def begin(self) -> None:
        """
        Make an attempt.
        """
        self._waiting = None
        host = self._hosts[self._next]
        if isIPAddress(host) or isIPv6Address(host):
            self._connector = self.reactor.connectTCP(
                host, self._port, self, timeout=_CONNECT_TIMEOUT
            )
            return
        # An endpoint tries every address of a name, of either family.
        endpoint = HostnameEndpoint(self.reactor, host, self._port, timeout=_CONNECT_TIMEOUT)
        self._dialling = dialling = endpoint.connect(self)
        dialling.addCallbacks(self._dialled, self._notDialled)

    def _dialled(self, protocol: Any) -> None:
        self._dialling = None

    def _notDialled(self, failure: Failure) -> None:
        self._dialling = None
        self.clientConnectionFailed(None, failure)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        A server accepted the connection.
        """
        return _Attempt(self)

    def success(self) -> None:
        """
        The app is ready: C{ready} fires when the attempt's connection is closed.
        """
        self._succeeded = True

    def note(self, outcome: str) -> None:
        """
        An attempt failed.
        """
        if outcome != self._outcome and not self._cancelled:
            self._outcome = outcome
            self._report(outcome)

    def clientConnectionFailed(self, connector: IConnector | None, reason: Failure) -> None:
        """
        No server listens yet.
        """
        self.attemptOver()

    def attemptOver(self) -> None:
        """
        An attempt's connection is closed, or was not established: report success, or try
        the next host, or again a little later.
        """
        self._connector = None
        if self._cancelled:
            return
        if self._succeeded or self._found:
            self._finish(self._next if self._succeeded else self._found)
            return
        self._next = (self._next + 1) % len(self._hosts)
        pause = 0.0 if self._next else self._pause()
        self._waiting = self.reactor.callLater(pause, self.begin)

    def _finish(self, found: int) -> None:
        """
        The app answered.  A server at all addresses may have begun to listen after the
        attempt at the first host, which is checked once more: apps that trust 127.0.0.1
        shall always be dialled from there.

        @param found: the index of the host.
        """
        if found and not self._found:
            self._found, self._next, self._succeeded = found, 0, False
            self.begin()
            return
        self._count.apps -= 1
        self.ready.callback(self._hosts[found])

    def _pause(self) -> float:
        """
        Seconds until the next attempt.
        """
        elapsed: float = self.reactor.seconds() - self._began
        pause = min(max(elapsed * _PART, _SHORTEST_PAUSE), _LONGEST_PAUSE)
        return max(pause, self._count.apps * _TURN)

    def _cancel(self) -> None:
        """
        C{ready} was cancelled.
        """
        self._cancelled = True
        self._count.apps -= 1
        if self._waiting is not None:
            self._waiting.cancel()
        if self._dialling is not None:
            self._dialling.cancel()
        if self._connector is not None:
            self._connector.disconnect()


class _Attempt(Protocol):
    """
    One connection: sends the request, if there is one, and closes.
    """

    transport: ITCPTransport

    def __init__(self, attempts: _Attempts) -> None:
        self._attempts = attempts
        self._received = b""
        self._timeout: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """
        Send the request, unless the connection has met itself.

        A connection to a port of the ephemeral range on which no server listens can
        do so (RFC 9293, section 3.5: simultaneous open), and would then keep the port
        from the app.
        """
        if self.transport.getHost() == self.transport.getPeer():
            self.transport.abortConnection()
        elif self._attempts.request:
            self._timeout = self._attempts.reactor.callLater(_ANSWER_TIMEOUT, self._silent)
            self.transport.write(self._attempts.request)
        else:
            self._attempts.success()
            self.transport.loseConnection()

    def _silent(self) -> None:
        self._note(f"does not answer within {_ANSWER_TIMEOUT:g} s")
        self.transport.abortConnection()

    def _note(self, outcome: str) -> None:
        question = self._attempts.question
        self._attempts.note(f"{outcome} to GET {question.path} (Host: {question.authority})")

    def dataReceived(self, data: bytes) -> None:
        """
        The head of the answer came: only its status matters.
        """
        if len(self._received) >= _STATUS_LENGTH:
            return
        self._received += data
        if len(self._received) >= _STATUS_LENGTH:
            if _GOOD_STATUS.match(self._received):
                self._attempts.success()
            elif status := _STATUS.match(self._received):
                self._note(f"answers {status[1].decode()}")
            else:
                self._note("does not answer in HTTP")
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The attempt is over.
        """
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
            if len(self._received) < _STATUS_LENGTH:
                self._note("closes the connection without an answer")
        self._attempts.attemptOver()
