"""
Tests of L{brxy.transport.connection}.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from brxy.test.support.memory.network import TCP_ADDRESS, FakeReactor, connect, settle
from brxy.test.support.memory.recorders import HalfRecorder
from brxy.transport.connection import CLOSE_LEAST, CLOSE_TIMEOUT, Connection, Shared
from brxy.transport.holding import HOLD_PEER

HOLD_OTHER = 2


class _Connection(Connection):
    """
    A connection that records its events.
    """

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.received = b""
        self.told: list[str] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def filled(self) -> None:
        self.told.append("filled")

    def emptied(self) -> None:
        self.told.append("emptied")

    def hungUp(self, broken: bool) -> None:
        self.told.append(f"hung up {broken}")

    def closed(self, reason: Failure) -> None:
        self.told.append("closed")


class ConnectionTests(SynchronousTestCase):
    """
    Tests of L{Connection}.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.dial()

    def dial(self) -> None:
        self.connection = _Connection(self.reactor.shared)
        self.peer = HalfRecorder()
        self.end, self.peer_end = connect(self.reactor, self.connection, self.peer, TCP_ADDRESS)

    def settle(self) -> None:
        settle(self.reactor, lambda: [self.end, self.peer_end])

    def test_interface(self) -> None:
        """
        A connection is half-closeable, and a producer.
        """
        verifyObject(IHalfCloseableProtocol, self.connection)
        verifyObject(IPushProducer, self.connection)

    def test_link(self) -> None:
        """
        For a link that is watched the kernel sends keepalives, on TCP only.
        """
        self.assertEqual(self.end.options, [])
        self.connection.watchLink()
        self.assertIn((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), self.end.options)
        self.assertIn((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10), self.end.options)
        unix = _Connection(self.reactor.shared)
        end, _ = connect(self.reactor, unix, HalfRecorder())
        unix.watchLink()
        self.assertEqual(end.options, [])

    # Reading

    def test_holds(self) -> None:
        """
        Reading resumes when no reason to hold it is left. The same reason
        given twice counts once.
        """
        for why in (HOLD_PEER, HOLD_OTHER, HOLD_PEER):
            self.connection.hold(why)
        self.peer_end.write(b"x")
        self.settle()
        self.assertEqual(self.connection.received, b"")
        self.connection.resume()
        self.settle()
        self.assertEqual(self.connection.received, b"")
        self.connection.release(HOLD_OTHER)
        self.settle()
        self.assertEqual(self.connection.received, b"x")

    def test_releaseOfNothing(self) -> None:
        """
        To release a reason that was not held changes nothing.
        """
        self.connection.hold(HOLD_OTHER)
        self.connection.release(HOLD_PEER)
        self.assertFalse(self.end.reading)
        self.connection.release(HOLD_PEER | HOLD_OTHER)
        self.assertTrue(self.end.reading)

    def test_hungUp(self) -> None:
        """
        While nothing is read a hang-up is reported, once.
        """
        self.connection.pause()
        self.peer_end.write(b"x")
        self.peer_end.loseWriteConnection()
        self.settle()
        self.assertEqual(self.connection.told, ["hung up False"])
        self.assertEqual(self.connection.received, b"")
        self.connection.resume()
        self.settle()
        self.assertEqual(self.connection.received, b"x")
        self.assertTrue(self.connection.read_ended)

    def test_broken(self) -> None:
        """
        While nothing is read a hang-up that broke the connection is reported.
        """
        self.connection.pause()
        self.peer_end.abortConnection()
        self.settle()
        self.assertEqual(self.connection.told, ["hung up True"])

    def test_notWatched(self) -> None:
        """
        A connection that reads, or that is closed, is not watched.
        """
        watched = self.reactor.hangups
        self.connection.pause()
        self.assertEqual(len(watched), 1)
        self.connection.resume()
        self.assertEqual(watched, {})
        leaves: list[Callable[[], None]] = [
            lambda: self.connection.close(),
            lambda: self.connection.abort(),
            lambda: self.connection.linger(),
        ]
        for leave in leaves:
            self.dial()
            self.connection.pause()
            leave()
            self.assertEqual(watched, {})
            self.connection.pause()
            self.connection.resume()
            self.assertEqual(watched, {})

    def test_endSeenOnce(self) -> None:
        """
        After the peer's end, a hold and a release do not start reading again.
        """
        self.peer_end.loseWriteConnection()
        self.patch(_Connection, "peerEnded", lambda self: self.told.append("ended"))
        self.settle()
        self.connection.pause()
        self.assertEqual(self.reactor.hangups, {})
        self.end.reading = False
        self.connection.resume()
        self.assertFalse(self.end.reading)
        self.assertEqual(self.connection.told, ["ended"])

    # Writing

    def test_congested(self) -> None:
        """
        The connection reports that its buffer is full, and that it is empty
        again.
        """
        self.connection.write(bytes(65_536))
        self.assertFalse(self.connection.congested)
        self.connection.write(b"x")
        self.assertTrue(self.connection.congested)
        self.peer_end.deliver(65_536)
        self.assertTrue(self.connection.congested)
        self.peer_end.deliver()
        self.assertFalse(self.connection.congested)
        self.assertEqual(self.connection.told, ["filled", "emptied"])

    def test_end(self) -> None:
        """
        A half-close is sent after all bytes. The other direction stays open
        until it ends as well.
        """
        self.connection.write(b"all")
        self.connection.end()
        self.settle()
        self.assertEqual((bytes(self.peer.received), self.peer.ended), (b"all", True))
        self.peer_end.write(b"answer")
        self.settle()
        self.assertEqual(self.connection.received, b"answer")
        self.assertTrue(self.connection.alive)
        self.peer_end.loseWriteConnection()
        self.settle()
        self.assertEqual(self.connection.told, ["closed"])
        self.assertTrue(self.end.lost)

    def test_endWhenFull(self) -> None:
        """
        After a half-close of a full connection the other end may continue,
        because nothing more will be written.
        """
        self.connection.write(bytes(70_000))
        self.connection.end()
        self.assertEqual(self.connection.told, ["filled", "emptied"])
        self.settle()
        self.assertEqual((len(self.peer.received), self.peer.ended), (70_000, True))

    def test_bothEnded(self) -> None:
        """
        When the peer has ended first, our own end closes the connection.
        """
        self.patch(_Connection, "peerEnded", lambda self: None)
        self.peer_end.loseWriteConnection()
        self.settle()
        self.assertTrue(self.connection.alive)
        self.connection.write(b"bye")
        self.connection.end()
        self.settle()
        self.assertEqual(self.peer.received, b"bye")
        self.assertTrue(self.end.lost)

    # Closing

    def test_close(self) -> None:
        """
        To close waits for what was written, and leaves no timer running.
        """
        self.connection.write(b"all")
        self.connection.close()
        self.assertFalse(self.connection.alive)
        self.settle()
        self.assertEqual((bytes(self.peer.received), self.peer.ended), (b"all", True))
        self.assertEqual(self.connection.told, ["closed"])
        self.assertEqual(len(self.reactor.shared.closing), 0)

    def test_closeWhenFull(self) -> None:
        """
        To close waits also for more bytes than the buffer should hold.
        """
        self.connection.write(bytes(70_000))
        self.connection.close()
        self.settle()
        self.assertEqual((len(self.peer.received), self.peer.ended), (70_000, True))
        self.assertTrue(self.end.lost)
        self.assertFalse(self.end.aborted)

    def test_peerDoesNotRead(self) -> None:
        """
        A peer that does not read what was written is cut off after a while,
        whichever way the connection is closed.
        """
        leaves: list[Callable[[], None]] = [
            lambda: self.connection.close(),
            lambda: self.connection.linger(),
        ]
        for leave in leaves:
            self.dial()
            self.connection.write(b"all")
            leave()
            self.reactor.pump([CLOSE_TIMEOUT * 0.11] * 9)
            self.assertFalse(self.end.aborted)
            self.reactor.pump([CLOSE_TIMEOUT * 0.1] * 4)
            self.assertTrue(self.end.aborted)
            self.reactor.advance(0)
            self.assertEqual(self.connection.told, ["closed"])
        self.assertEqual(len(self.reactor.shared.closing), 0)

    def test_peerReadsSlowly(self) -> None:
        """
        A peer that reads slowly is waited for as long as it reads some bytes.
        """
        taken = 7
        self.patch(Connection, "countTaken", lambda connection: taken)
        self.connection.write(b"all")
        self.connection.close()
        for _ in range(50):
            taken += CLOSE_LEAST // 2
            self.reactor.advance(CLOSE_TIMEOUT / 5)
        self.assertFalse(self.end.aborted)
        self.reactor.pump([CLOSE_TIMEOUT * 0.1] * 13)
        self.assertTrue(self.end.aborted)

    def test_peerCloses(self) -> None:
        """
        By default the connection is closed when the peer closes.
        """
        self.peer_end.loseConnection()
        self.settle()
        self.assertEqual(self.connection.told, ["closed"])
        self.assertTrue(self.end.lost)

    def test_linger(self) -> None:
        """
        A lingering close continues to read, even if reading was held, so that
        the peer gets all that was written. It ends when the peer closes.
        """
        for held in (False, True):
            self.dial()
            if held:
                self.connection.pause()
            self.connection.write(b"413")
            self.connection.linger()
            self.peer_end.write(bytes(100_000))
            self.settle()
            self.assertEqual((bytes(self.peer.received), self.peer.ended), (b"413", True))
            self.assertFalse(self.end.lost)
            self.assertEqual(self.peer_end.other.pending(), b"")
            self.assertIsNone(self.peer.reason)
            self.peer_end.loseConnection()
            self.settle()
            self.assertTrue(self.end.lost)
            self.assertFalse(self.end.aborted)

    def test_lingerAfterEnd(self) -> None:
        """
        When the peer has ended, a lingering close does not wait.
        """
        self.patch(_Connection, "peerEnded", lambda self: None)
        self.peer_end.loseWriteConnection()
        self.settle()
        self.connection.write(b"413")
        self.connection.linger()
        self.settle()
        self.assertEqual(self.peer.received, b"413")
        self.assertTrue(self.end.lost)

    def test_abort(self) -> None:
        """
        An abort takes effect at once, and is reported once, in a later turn.
        """
        self.connection.write(b"x")
        self.connection.abort()
        self.connection.abort()
        self.connection.close()
        self.connection.linger()
        self.assertEqual(self.connection.told, [])
        self.settle()
        self.assertEqual(self.connection.told, ["closed"])
        self.assertEqual(self.peer.received, b"")
        self.assertIsNotNone(self.peer.reason)
        self.assertEqual(len(self.reactor.shared.closing), 0)

    def test_abortUnconnected(self) -> None:
        """
        An abort has no effect before there is a connection.
        """
        _Connection(self.reactor.shared).abort()

    def test_noDelay(self) -> None:
        """
        The kernel does not delay small writes on TCP.
        """
        asked: list[Any] = []
        self.patch(type(self.end), "setTcpNoDelay", lambda end, on: asked.append(on))
        self.dial()
        connect(self.reactor, _Connection(self.reactor.shared), HalfRecorder())
        self.assertEqual(asked, [True])

    def test_stop(self) -> None:
        """
        After a stop no timer is left.
        """
        self.connection.write(b"x")
        self.connection.close()
        self.assertEqual(self.reactor.timers(), 1)
        self.reactor.shared.stop()
        self.assertEqual(self.reactor.timers(), 0)
