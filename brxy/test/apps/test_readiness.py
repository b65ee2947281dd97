"""
Tests of L{brxy.readiness}.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from brxy.readiness import Question, answering, siteName, waitUntilReady


class _Transport(StringTransport):
    """
    A transport between two different addresses.
    """

    def __init__(self) -> None:
        super().__init__(
            hostAddress=IPv4Address("TCP", "127.0.0.1", 50000),
            peerAddress=IPv4Address("TCP", "127.0.0.1", 20000),
        )


class _Tests(SynchronousTestCase):
    """
    Base of tests that play the network.
    """

    path: str | None = None

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.began = self.reactor.seconds()
        self.ready: Deferred[None] = self.wait("127.0.0.1")

    def wait(self, host: str) -> Deferred[None]:
        """
        Wait for an app, at most until the test is over.
        """
        ready = waitUntilReady(self.reactor, host, 20000, self.path)
        self.addCleanup(self.forget, ready)
        return ready

    def forget(self, ready: Deferred[None]) -> None:
        """
        Stop waiting.
        """
        ready.addErrback(lambda failure: failure.trap(CancelledError))
        ready.cancel()

    def attempts(self) -> int:
        """
        How many attempts were made.
        """
        return len(self.reactor.tcpClients)

    def refuse(self) -> None:
        """
        Refuse the latest attempt, as if no server listened.
        """
        factory = self.reactor.tcpClients[-1][2]
        factory.clientConnectionFailed(
            self.reactor.connectors[-1], Failure(ConnectionRefusedError())
        )

    def accept(self, transport: StringTransport | None = None) -> tuple[Protocol, StringTransport]:
        """
        Accept the latest attempt, as if a server listened.
        """
        transport = transport or _Transport()
        protocol = self.reactor.tcpClients[-1][2].buildProtocol(transport.getPeer())
        assert isinstance(protocol, Protocol)
        protocol.makeConnection(transport)
        return protocol, transport

    def close(self, protocol: Protocol) -> None:
        """
        Close a connection.
        """
        reason = Failure(ConnectionDone())
        protocol.connectionLost(reason)
        factory = self.reactor.tcpClients[-1][2]
        factory.clientConnectionLost(self.reactor.connectors[-1], reason)

    def assertPause(self, milliseconds: float) -> None:
        """
        Refuse the latest attempt, and check that the next one follows after
        this pause.
        """
        before = self.attempts()
        self.refuse()
        self.reactor.advance((milliseconds - 0.1) / 1000)
        self.assertEqual(self.attempts(), before)
        self.reactor.advance(0.0002)
        self.assertEqual(self.attempts(), before + 1)

    def assertIdle(self) -> None:
        """
        Check that no timer is left.
        """
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class ConnectTests(_Tests):
    """
    Tests of an app that is ready when it accepts a connection.
    """

    def test_atOnce(self) -> None:
        """
        The first attempt is made at once, with a limit. When its connection is
        closed again, the app is ready.
        """
        host, port, _, timeout, _ = self.reactor.tcpClients[0]
        self.assertEqual((host, port, timeout), ("127.0.0.1", 20000, 1))
        protocol, transport = self.accept()
        self.assertEqual(transport.value(), b"")
        self.assertTrue(transport.disconnecting)
        self.assertNoResult(self.ready)
        self.close(protocol)
        self.assertIsNone(self.successResultOf(self.ready))
        self.assertIdle()

    def test_pauses(self) -> None:
        """
        The pauses between attempts are a fiftieth of the time that has passed,
        from 2 to 100 ms.
        """
        for passed, pause in ((0, 2), (0.05, 2), (0.2, 4), (1, 20), (5, 100), (60, 100)):
            self.reactor.advance(passed - (self.reactor.seconds() - self.began))
            self.assertPause(pause)
        self.assertNoResult(self.ready)

    def test_turns(self) -> None:
        """
        All waiting attempts together share 2,000 attempts a second.
        """
        others = [self.wait("127.0.0.1") for _ in range(9)]
        self.assertPause(5)
        for other in others[:8]:
            self.forget(other)
        self.assertPause(2)

    def test_itself(self) -> None:
        """
        A connection that was made to itself does not count as an answer.
        """
        same = IPv4Address("TCP", "127.0.0.1", 20000)
        protocol, transport = self.accept(StringTransport(hostAddress=same, peerAddress=same))
        self.assertTrue(transport.disconnected)
        self.close(protocol)
        self.assertNoResult(self.ready)
        self.reactor.advance(0.002)
        self.assertEqual(self.attempts(), 2)

    def test_cancelPause(self) -> None:
        """
        A wait that is cancelled between two attempts makes no more.
        """
        self.refuse()
        self.ready.cancel()
        self.failureResultOf(self.ready, CancelledError)
        self.assertIdle()

    def test_cancelAttempt(self) -> None:
        """
        A wait that is cancelled during an attempt ends that one and makes no
        more.
        """
        ended: list[bool] = []
        self.patch(self.reactor.connectors[-1], "disconnect", lambda: ended.append(True))
        self.ready.cancel()
        self.failureResultOf(self.ready, CancelledError)
        self.assertEqual(ended, [True])
        self.refuse()
        self.assertIdle()

    def test_cancelSuccess(self) -> None:
        """
        A wait that is cancelled when the connection is already established is
        still cancelled.
        """
        protocol, _ = self.accept()
        self.ready.cancel()
        self.close(protocol)
        self.failureResultOf(self.ready, CancelledError)
        self.assertIdle()


class GetTests(_Tests):
    """
    Tests of an app that is ready when it answers a request.
    """

    path = "/health?deep=1"

    def test_request(self) -> None:
        """
        The request says that no second one follows on its connection.
        """
        _, transport = self.accept()
        self.assertEqual(
            transport.value(),
            b"GET /health?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:20000\r\n"
            b"Accept: */*\r\nConnection: close\r\n\r\n",
        )

    def test_header(self) -> None:
        """
        A header that an app expects is sent before the request.
        """
        waitUntilReady(self.reactor, "127.0.0.1", 20000, "/", b"PROXY UNKNOWN\r\n")
        _, transport = self.accept()
        self.assertTrue(transport.value().startswith(b"PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n"))

    def test_good(self) -> None:
        """
        Any status of 2xx or 3xx is enough, however its bytes are split. The
        bytes after it don't matter.
        """
        for head in (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 204 \r\n", b"HTTP/1.1 302 Found"):
            self.setUp()
            protocol, transport = self.accept()
            for byte in head:
                protocol.dataReceived(bytes([byte]))
            self.assertTrue(transport.disconnected)
            protocol.dataReceived(b"HTTP/1.1 500 ")
            self.close(protocol)
            self.assertIsNone(self.successResultOf(self.ready))
            self.assertIdle()

    def test_bad(self) -> None:
        """
        After another status, or none, there is another attempt.
        """
        for head in (
            b"HTTP/1.1 404 Not Found",
            b"HTTP/1.1 503 ",
            b"SSH-2.0-OpenSSH",
            b"HTTP",
            b"",
        ):
            self.setUp()
            protocol, _ = self.accept()
            protocol.dataReceived(head)
            self.close(protocol)
            self.assertNoResult(self.ready)
            self.reactor.advance(0.002)
            self.assertEqual(self.attempts(), 2)
            self.forget(self.ready)

    def test_silence(self) -> None:
        """
        An attempt that gets no answer within 5 s is aborted.
        """
        protocol, transport = self.accept()
        self.reactor.advance(4.9)
        self.assertFalse(transport.disconnected)
        self.reactor.advance(0.2)
        self.assertTrue(transport.disconnected)
        self.close(protocol)
        self.reactor.advance(0.11)
        self.assertEqual(self.attempts(), 2)

    def test_ipv6(self) -> None:
        """
        An IPv6 address is written in brackets.
        """
        self.wait("::1")
        _, transport = self.accept()
        self.assertIn(b"\r\nHost: [::1]:20000\r\n", transport.value())


class AnsweringTests(_Tests):
    """
    Tests of L{answering}.
    """

    def setUp(self) -> None:
        self.outcomes: list[str] = []
        self.reactor = MemoryReactorClock()

    def answering(self, *hosts: str, path: str | None = None) -> Deferred[str]:
        """
        Wait for an app at one of several hosts.
        """
        question = Question(path, "example.com")
        ready = answering(self.reactor, hosts, 20000, question, self.outcomes.append)
        ready.addErrback(lambda failure: failure.trap(CancelledError))
        self.addCleanup(ready.cancel)
        return ready

    def test_hosts(self) -> None:
        """
        Each host is tried before there is a pause; the one that answers counts.
        """
        ready = self.answering("127.0.0.1", "::1")
        self.refuse()
        self.reactor.advance(0)
        self.refuse()
        self.reactor.advance(0.001)
        self.assertEqual(self.attempts(), 2)
        self.reactor.advance(0.001)
        self.refuse()
        self.reactor.advance(0)
        hosts = [each[0] for each in self.reactor.tcpClients]
        self.assertEqual(hosts, ["127.0.0.1", "::1", "127.0.0.1", "::1"])
        protocol, _ = self.accept()
        self.close(protocol)
        self.refuse()
        self.assertEqual(self.successResultOf(ready), "::1")
        self.assertEqual(self.outcomes, [])

    def test_firstHost(self) -> None:
        """
        The first host counts if it answers by now, too.
        """
        ready = self.answering("127.0.0.1", "::1")
        self.refuse()
        self.reactor.advance(0)
        for _ in range(2):
            protocol, _ = self.accept()
            self.close(protocol)
        self.assertEqual(self.successResultOf(ready), "127.0.0.1")
        self.assertEqual(self.attempts(), 3)
        self.assertIdle()

    def test_authority(self) -> None:
        """
        The request is for the site that the app serves.
        """
        self.answering("127.0.0.1", path="/")
        _, transport = self.accept()
        self.assertIn(b"\r\nHost: example.com\r\n", transport.value())
        self.assertEqual(siteName("example.com"), "example.com")
        self.assertEqual(siteName("default"), "localhost")

    def test_outcomes(self) -> None:
        """
        Each outcome that differs from the one before it is reported.
        """
        self.answering("127.0.0.1", path="/up")
        self.refuse()
        self.reactor.advance(0.1)
        for head in (b"HTTP/1.1 400 Bad", b"HTTP/1.1 400 Bad", b"SSH-2.0-OpenSSH", b"HTTP", None):
            protocol, _ = self.accept()
            if head is None:
                self.reactor.advance(5)
            else:
                protocol.dataReceived(head)
            self.close(protocol)
            self.reactor.advance(0.1)
        to = "to GET /up (Host: example.com)"
        self.assertEqual(
            self.outcomes,
            [
                f"answers 400 {to}",
                f"does not answer in HTTP {to}",
                f"closes the connection without an answer {to}",
                f"does not answer within 5 s {to}",
            ],
        )
