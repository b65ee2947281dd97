"""
Tests of L{brxy.apps.backend}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError, TimeoutError
from twisted.trial.unittest import SynchronousTestCase

from brxy.apps.backend import Backend
from brxy.apps.connection import IDLE_SURE, KeepAliveGuess
from brxy.apps.keeper import CONNECT_TIMEOUT, clientEndpoint
from brxy.interfaces import Address
from brxy.test.support.memory.ends import verifyEnd
from brxy.test.support.memory.fakes import FakeEnd
from brxy.test.support.memory.network import FakeApp, FakeReactor, settle
from brxy.transport.connection import IDLE_PROOF
from brxy.transport.relay import Relay

APP = Address("127.0.0.1", 20000)


class _Relay(Relay):
    """
    Records the events of a backend, in order.
    """

    near: FakeEnd

    def __init__(self, far: Backend) -> None:
        super().__init__(FakeEnd(), far)
        self.told: list[str] = []
        self.onAccepted: Callable[[], object] = lambda: None

    def accepted(self) -> None:
        self.told.append("accepted")
        self.onAccepted()

    def refused(self, reason: str) -> None:
        self.told.append(f"refused: {reason}")

    def aborted(self, source: object, reason: str) -> None:
        self.told.append("aborted")


class BackendTests(SynchronousTestCase):
    """
    Tests of L{Backend}.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.backend = Backend(self.reactor.shared, APP, KeepAliveGuess())

    def begin(self, once: bool = False, first: bytes = b"") -> _Relay:
        """
        Begin an exchange.
        """
        relay = _Relay(self.backend)
        self.backend.begin(relay, once, "", first)
        return relay

    def settle(self) -> None:
        """
        Deliver all pending bytes.
        """
        settle(self.reactor, lambda: self.reactor.ends)

    def serve(self, idle: float = 0.0, rounds: int = 1) -> FakeApp:
        """
        Have this many exchanges on one connection, and let it be idle for a
        while after each.
        """
        for number in range(rounds):
            self.begin(first=b"x")
            if not number:
                self.reactor.accept()
            self.settle()
            self.backend.done(True)
            self.reactor.advance(idle)
        return self.reactor.apps[-1]

    def isReused(self, once: bool = True) -> bool:
        """
        @return: whether an exchange now uses the existing connection.
        """
        before = len(self.reactor.connectors)
        relay = self.begin(once)
        reused = len(self.reactor.connectors) == before
        self.assertEqual(relay.told, ["accepted"] if reused else [])
        return reused

    # Connecting

    def test_interface(self) -> None:
        """
        L{Backend} provides the interface of an end of exchanges.
        """
        verifyEnd(self.backend)

    def test_order(self) -> None:
        """
        The first bytes of the exchange reach the app before those that are
        written on acceptance, and those before later ones.
        """
        relay = self.begin(first=b"one ")
        relay.onAccepted = lambda: self.backend.write(b"three ")
        self.backend.write(b"two ")
        self.assertEqual(relay.told, [])
        app = self.reactor.accept()
        self.assertEqual(relay.told, ["accepted"])
        self.backend.write(b"four")
        self.settle()
        self.assertEqual(app.received, b"one two three four")

    def test_orderOnKept(self) -> None:
        """
        On a kept connection, too, the first bytes of the exchange reach the
        app before those that are written on acceptance.
        """
        app = self.serve()
        relay = _Relay(self.backend)
        relay.onAccepted = lambda: self.backend.write(b"two")
        self.backend.begin(relay, False, "", b"one ")
        self.settle()
        self.assertEqual(app.received, b"xone two")
        self.assertEqual(relay.told, ["accepted"])

    def test_oneWrite(self) -> None:
        """
        Bytes that came before the connection to the app was made are sent in
        one write.
        """
        self.begin(first=b"head")
        self.backend.write(b"body")
        app = self.reactor.accept()
        self.assertEqual(app.end.other.writes, [b"headbody"])

    def test_refused(self) -> None:
        """
        When the app can't be reached the exchange is refused, no byte is sent,
        and the next exchange tries again.
        """
        relay = self.begin(first=b"one")
        self.reactor.refuse()
        [told] = relay.told
        self.assertTrue(told.startswith("refused: "))
        self.begin(first=b"two")
        app = self.reactor.accept()
        self.settle()
        self.assertEqual(app.received, b"two")

    def test_refusedForAnyReason(self) -> None:
        """
        A host that can't be found and a connection that takes too long also
        refuse the exchange, and are no errors of brxy's.
        """
        for error in (DNSLookupError("no such host"), TimeoutError(), OSError("strange")):
            relay = self.begin()
            self.reactor.refuse(error)
            self.assertEqual(len(relay.told), 1)
            self.assertTrue(relay.told[0].startswith("refused: "))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_timeout(self) -> None:
        """
        The time of an attempt is limited.
        """
        self.begin()
        self.assertEqual(self.reactor.tcpClients[0][3], CONNECT_TIMEOUT)

    def test_resetWhileConnecting(self) -> None:
        """
        A reset ends the attempt, and nothing is reported.
        """
        relay = self.begin(first=b"one")
        self.backend.reset()
        self.assertEqual((relay.told, self.reactor.dialling()), ([], 0))
        self.begin(first=b"two")
        app = self.reactor.accept()
        self.settle()
        self.assertEqual(app.received, b"two")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_doneWhileConnecting(self) -> None:
        """
        The end of the exchange ends the attempt, and nothing is reported.
        """
        self.begin(first=b"one")
        self.backend.done(False)
        self.assertEqual(self.reactor.dialling(), 0)

    def test_endWhileConnecting(self) -> None:
        """
        A half-close that comes before the connection reaches the app after the
        bytes.
        """
        self.begin(first=b"one")
        self.backend.end()
        app = self.reactor.accept()
        self.settle()
        self.assertEqual((bytes(app.received), app.ended), (b"one", True))

    def test_pauseWhileConnecting(self) -> None:
        """
        A pause that comes before the connection holds for the connection.
        """
        relay = self.begin()
        self.backend.pause()
        app = self.reactor.accept()
        app.end.write(b"x")
        self.settle()
        self.assertEqual(relay.near.written, b"")
        self.backend.resume()
        self.settle()
        self.assertEqual(relay.near.written, b"x")

    def test_endpoint(self) -> None:
        """
        A name is looked up, a number is not.
        """
        named = clientEndpoint(self.reactor, Address("localhost", 1))
        self.assertIsInstance(named, HostnameEndpoint)
        self.assertNotIsInstance(clientEndpoint(self.reactor, APP), HostnameEndpoint)
        sixth = clientEndpoint(self.reactor, Address("::1", 1))
        self.assertNotIsInstance(sixth, HostnameEndpoint)

    # Keeping

    def test_kept(self) -> None:
        """
        A kept connection serves the next exchange. One that is not kept is
        closed, and bytes that the app still sends on it are dropped.
        """
        first = self.serve()
        self.assertTrue(self.isReused(once=False))
        self.backend.done(False)
        relay = self.begin()
        first.end.write(b"late")
        self.settle()
        self.assertIsNotNone(first.reason)
        self.assertEqual(relay.told, [])
        self.reactor.accept()
        self.settle()
        self.assertEqual((relay.told, bytes(relay.near.written)), (["accepted"], b""))

    def test_anyAge(self) -> None:
        """
        A request that may be sent again uses a kept connection of any age.
        """
        self.serve(idle=1000)
        self.assertTrue(self.isReused(once=False))

    def test_sure(self) -> None:
        """
        A request that must not be sent twice uses a connection that has served
        twice, unless it has been idle for too long.
        """
        self.serve(rounds=2)
        self.assertTrue(self.isReused())
        self.backend.done(True)
        self.reactor.advance(IDLE_SURE * 0.99)
        self.assertTrue(self.isReused())
        self.backend.done(True)
        self.reactor.advance(IDLE_SURE * 1.01)
        self.assertFalse(self.isReused())

    def test_proof(self) -> None:
        """
        A connection that has served once must have stayed open for a moment
        after that, because many apps close after each response.
        """
        self.serve(idle=IDLE_PROOF * 0.9)
        self.assertFalse(self.isReused())
        self.backend.reset()
        self.serve(idle=IDLE_PROOF * 1.01)
        self.assertTrue(self.isReused())

    def test_unsureIsClosed(self) -> None:
        """
        A connection that may be about to close is replaced by a new one. The
        first such connection is left open for a moment as a trial, and the
        next ones are closed.
        """
        apps = []
        for _ in range(3):
            apps.append(self.serve())
            self.assertFalse(self.isReused())
            self.backend.reset()
            self.settle()
        self.assertEqual([app.ended for app in apps], [False, True, True])
        self.reactor.advance(2 * IDLE_PROOF)
        self.settle()
        self.assertTrue(apps[0].ended)

    def test_trial(self) -> None:
        """
        If the app leaves the trial connection open, connections are kept from
        then on, also for requests that follow each other at once, until the
        app closes one on which a request relied.
        """
        self.serve()
        self.assertFalse(self.isReused())
        self.backend.reset()
        self.reactor.advance(2 * IDLE_PROOF)
        app = self.serve()
        self.assertTrue(self.isReused())
        self.backend.done(True)
        app.end.loseConnection()
        self.settle()
        self.serve()
        self.assertFalse(self.isReused())

    def test_trialFailed(self) -> None:
        """
        If the app closes the trial connection, nothing is known, and the next
        one is tried. The same holds if its end has arrived but was not read
        yet.
        """
        for look in (self.settle, lambda: None):
            app = self.serve()
            self.assertFalse(self.isReused())
            self.backend.reset()
            app.end.loseConnection()
            look()
            self.reactor.advance(2 * IDLE_PROOF)
            app = self.serve()
            self.assertFalse(self.isReused())
            self.settle()
            self.assertFalse(app.ended)
            self.backend.reset()
            app.end.loseConnection()
            self.settle()

    def test_lookedAt(self) -> None:
        """
        A connection with unread bytes, or with an unread end, is not used for
        a request that must not be sent twice.
        """
        for leave in (lambda end: end.write(b"x"), lambda end: end.loseConnection()):
            app = self.serve(rounds=2)
            leave(app.end)
            self.assertFalse(self.isReused())
            self.backend.reset()

    def test_brokenSocket(self) -> None:
        """
        A connection whose socket reports an error is not used for a request
        that must not be sent twice.
        """
        app = self.serve(rounds=2)

        class Broken:
            def recv(self, size: int, flags: int) -> bytes:
                raise ConnectionResetError

            def getsockopt(self, level: int, option: int, size: int) -> bytes:
                return bytes(size)

        self.patch(app.end.other, "getHandle", Broken)
        self.assertFalse(self.isReused())

    def test_idleBytes(self) -> None:
        """
        Unexpected bytes, or an end, on an idle connection close it.
        """
        leaves: list[Callable[[Any], None]] = [
            lambda end: end.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n"),
            lambda end: end.loseConnection(),
            lambda end: end.loseWriteConnection(),
            lambda end: end.abortConnection(),
        ]
        for leave in leaves:
            app = self.serve()
            leave(app.end)
            self.settle()
            self.assertTrue(app.end.other.lost)
            self.assertFalse(self.isReused(once=False))
            self.backend.reset()

    def test_dyingIsNotReused(self) -> None:
        """
        A connection that the app has reset serves no exchange, although it is
        lost only when it is read.
        """
        relay = self.begin()
        app = self.reactor.accept()
        self.backend.pause()
        app.end.abortConnection()
        app.end.other.deliver()
        self.assertEqual(relay.told, ["accepted"])
        self.backend.done(True)
        self.assertFalse(self.isReused(once=False))

    def test_halfClosedIsNotKept(self) -> None:
        """
        A connection that either side has half-closed is not kept.
        """
        relay = self.begin()
        app = self.reactor.accept()
        app.end.write(b"all")
        app.end.loseWriteConnection()
        self.settle()
        self.assertTrue(relay.near.ended)
        self.backend.done(True)
        self.assertFalse(self.isReused(once=False))
        self.reactor.accept()
        self.backend.end()
        self.backend.done(True)
        self.assertFalse(self.isReused(once=False))

    def test_pauseEndsWithExchange(self) -> None:
        """
        A pause ends with its exchange.
        """
        app = self.serve()
        self.begin()
        self.backend.pause()
        self.backend.done(True)
        relay = self.begin()
        app.end.write(b"x")
        self.settle()
        self.assertEqual(relay.near.written, b"x")

    # Exchanges

    def test_bothWays(self) -> None:
        """
        Bytes and half-closes pass in both directions, and both half-closes
        together are no abort.
        """
        relay = self.begin(first=b"one")
        app = self.reactor.accept()
        app.end.write(b"two")
        relay.ended(relay.near)
        self.settle()
        self.assertTrue(app.ended)
        app.end.write(b" three")
        app.end.loseWriteConnection()
        self.settle()
        self.assertEqual(relay.near.written, b"two three")
        self.assertTrue(relay.near.ended)
        self.assertEqual(relay.told, ["accepted"])

    def test_broke(self) -> None:
        """
        An app that aborts breaks the exchange, which is reported once.
        """
        relay = self.begin()
        app = self.reactor.accept()
        app.end.abortConnection()
        self.settle()
        self.assertEqual(relay.told, ["accepted", "aborted"])
        self.assertFalse(self.isReused(once=False))

    def test_reset(self) -> None:
        """
        A reset aborts the connection to the app, and nothing more is reported.
        """
        relay = self.begin()
        app = self.reactor.accept()
        app.end.write(b"x")
        self.backend.reset()
        self.settle()
        self.assertTrue(app.end.other.aborted)
        self.assertIsNotNone(app.reason)
        self.assertEqual((relay.told, bytes(relay.near.written)), (["accepted"], b""))

    def test_close(self) -> None:
        """
        A close aborts a running exchange, and closes an idle connection.
        """
        relay = self.begin()
        app = self.reactor.accept()
        self.backend.close("the app is gone")
        self.assertEqual(relay.told, ["accepted", "aborted"])
        self.settle()
        self.assertTrue(app.end.other.lost)
        app = self.serve()
        self.backend.close("the app is gone")
        self.settle()
        self.assertTrue(app.end.other.lost)
        self.assertFalse(app.end.other.aborted)

    def test_resetIdle(self) -> None:
        """
        An app whose connection is idle sees it end properly, without a reset
        that it might log.
        """
        app = self.serve()
        self.backend.reset()
        self.settle()
        self.assertTrue(app.end.other.lost)
        self.assertFalse(app.end.other.aborted)

    def test_backpressure(self) -> None:
        """
        An app that reads no more pauses the other end until it reads again.
        """
        relay = self.begin()
        app = self.reactor.accept()
        self.assertFalse(self.backend.congested)
        relay.data(relay.near, bytes(70_000))
        self.assertTrue(self.backend.congested)
        self.assertTrue(relay.near.paused)
        app.end.deliver()
        self.assertFalse(relay.near.paused)
        self.assertFalse(self.backend.congested)

    def test_deadWhilePaused(self) -> None:
        """
        A half-close or a reset by an app that is not read from is noticed when it is read
        again, behind what came before.
        """
        relay = self.begin()
        app = self.reactor.accept()
        self.backend.pause()
        app.end.write(b"x")
        app.end.loseWriteConnection()
        self.settle()
        self.assertFalse(relay.near.ended)
        self.backend.resume()
        self.settle()
        self.assertTrue(relay.near.ended)
        self.assertEqual((relay.told, bytes(relay.near.written)), (["accepted"], b"x"))
        self.backend.done(False)
        relay = self.begin()
        app = self.reactor.accept()
        self.backend.pause()
        app.end.abortConnection()
        self.settle()
        self.assertEqual(relay.told, ["accepted"])
        self.backend.resume()
        self.settle()
        self.assertEqual(relay.told, ["accepted", "aborted"])
