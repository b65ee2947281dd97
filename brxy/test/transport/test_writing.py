"""
Tests of a transport, brxy's own and Twisted's: writing, closing, and its
attributes. See also L{brxy.test.transport.test_producing}.
"""

from __future__ import annotations

import socket

from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IPushProducer,
    ISystemHandle,
    ITCPTransport,
)
from zope.interface.verify import verifyObject

from brxy.test.support.loopback.transports import (
    LITTLE,
    MUCH,
    SECURED,
    TCP,
    TCP6,
    TLS,
    UNIX,
    TransportTests,
    everywhere,
    reset,
)
from brxy.test.support.memory.recorders import HalfRecorder, Recorder, pause


@everywhere(TCP, TCP6, UNIX, TLS, SECURED)
class WritingTests(TransportTests):
    """
    Tests that written bytes arrive.
    """

    async def test_small(self) -> None:
        """
        Many small writes arrive in order, in both directions.
        """
        client, server = await self.pair()
        pieces = [b"%d, " % number for number in range(500)]
        for each in (client, server):
            for piece in pieces:
                each.transport.write(piece)
            each.transport.writeSequence([b"and", b"", b" so on"])
            each.transport.writeSequence([])
            each.transport.write(b"")
            each.transport.write(b".")
        for each in (client, server):
            await self.untilReceived(each, b"".join(pieces) + b"and so on.")

    async def test_large(self) -> None:
        """
        Large writes arrive in order, in both directions at once.
        """
        client, server = await self.pair()
        for each in (client, server):
            each.transport.write(MUCH)
            each.transport.write(LITTLE)
        for each in (client, server):
            await self.untilReceived(each, MUCH + LITTLE)

    async def test_unread(self) -> None:
        """
        Bytes that are written while the peer does not read arrive when it
        does.
        """
        client, server = await self.pair()
        pause(server)
        for data in (b"first", MUCH, b"", LITTLE, b"last"):
            client.transport.write(data)
            await self.turns()
        client.transport.writeSequence([LITTLE, b"very last"])
        self.assertEqual(server.received, b"")
        server.transport.resumeProducing()
        expected = b"".join((b"first", MUCH, LITTLE, b"last", LITTLE, b"very last"))
        await self.untilReceived(server, expected)

    async def test_sip(self) -> None:
        """
        A peer that pauses after each read gets everything.
        """
        client, server = await self.pair(server=Recorder(data=pause))
        client.transport.write(MUCH[: 2**20])
        while len(server.received) < 2**20:
            server.transport.resumeProducing()
            await self.turns(1)
        self.assertReceived(server, MUCH[: 2**20])


@everywhere(TCP, TCP6, UNIX, TLS)
class TextTests(TransportTests):
    """
    Tests of C{write} with a value of a wrong type.
    """

    async def test_text(self) -> None:
        """
        Text is refused.
        """
        client, _ = await self.pair()
        self.assertRaises(TypeError, client.transport.write, "text")


@everywhere(TCP, TCP6, UNIX, TLS, SECURED)
class ClosingTests(TransportTests):
    """
    Tests of C{loseConnection} and C{abortConnection}.
    """

    def assertDone(self, *protocols: Recorder) -> None:
        self.assertEqual([each.reason for each in protocols], [ConnectionDone] * len(protocols))

    async def test_deliversFirst(self) -> None:
        """
        All written bytes arrive before the end, however late they are read.
        """
        client, server = await self.pair()
        pause(server)
        client.transport.write(MUCH)
        client.transport.write(LITTLE)
        client.transport.loseConnection()
        await self.turns()
        self.assertEqual((client.reason, server.told[-1]), (None, self.kind.ready))
        server.transport.resumeProducing()
        await self.untilLost(client, server)
        self.assertReceived(server, MUCH + LITTLE)
        self.assertDone(client, server)

    async def test_later(self) -> None:
        """
        The protocol is notified of the loss after C{loseConnection} has
        returned.
        """
        client, server = await self.pair()
        client.transport.loseConnection()
        client.transport.loseConnection()
        self.assertIsNone(client.reason)
        await self.untilLost(client, server)
        self.assertDone(client, server)

    async def test_laterThanData(self) -> None:
        """
        A protocol that closes in C{dataReceived} is notified of the loss
        later.
        """
        reasons = []

        def lose(protocol: Recorder) -> None:
            protocol.transport.loseConnection()
            reasons.append(protocol.reason)

        client, server = await self.pair(server=Recorder(data=lose))
        client.transport.write(b"go")
        await self.untilLost(client, server)
        self.assertDone(client, server)
        self.assertEqual(reasons, [None])

    async def test_abort(self) -> None:
        """
        A protocol that aborts is notified of that later. Its peer sees a cut
        connection, not an end.
        """
        client, server = await self.pair()
        client.transport.abortConnection()
        client.transport.abortConnection()
        self.assertIsNone(client.reason)
        await self.untilLost(client, server)
        self.assertEqual((client.reason, server.reason), (self.kind.aborted, self.kind.cut))

    async def test_abortWithData(self) -> None:
        """
        A protocol that aborts in C{dataReceived} is notified of that later,
        and gets no more data.
        """
        reasons = []

        def abort(protocol: Recorder) -> None:
            protocol.transport.abortConnection()
            reasons.append(protocol.reason)

        client, server = await self.pair(server=Recorder(data=abort))
        client.transport.write(MUCH)
        await self.untilLost(client, server)
        self.assertEqual(server.reason, self.kind.aborted)
        self.assertEqual((server.told.count("data"), reasons), (1, [None]))

    async def test_abortFull(self) -> None:
        """
        Bytes that could not be sent yet are dropped.
        """
        client, server = await self.pair()
        pause(server)
        client.transport.write(MUCH)
        await self.turns()
        client.transport.loseConnection()
        await self.turns()
        client.transport.abortConnection()
        self.assertIsNone(client.reason)
        await self.untilLost(client)
        self.assertEqual(client.reason, self.kind.aborted)
        server.transport.resumeProducing()
        await self.untilLost(server)
        self.assertEqual(server.reason, self.kind.cut)
        self.assertLess(len(server.received), len(MUCH))


@everywhere(TCP, TCP6, UNIX)
class SocketTests(TransportTests):
    """
    Tests of a transport's attributes, and of what ends leave of them.
    """

    async def test_addresses(self) -> None:
        """
        Each end knows both addresses, and the factory gets the peer's.
        """
        client, server = await self.pair()
        ours, theirs = client.transport, server.transport
        for address in (ours.getHost(), ours.getPeer(), theirs.getHost(), theirs.getPeer()):
            self.assertIs(type(address), self.kind.address)
        (port,) = self.ports
        self.assertEqual(ours.getPeer(), port.getHost())
        self.assertEqual(theirs.getHost(), port.getHost())
        self.assertEqual(ours.getHost(), theirs.getPeer())
        if self.kind is UNIX:
            self.assertEqual(theirs.getPeer(), UNIXAddress(None))
        else:
            self.assertEqual(port.factory.peers, [theirs.getPeer()])
            self.assertEqual(theirs.getPeer().host, self.kind.host)
            self.assertNotEqual(theirs.getPeer().port, 0)

    async def test_options(self) -> None:
        """
        TCP options can be set and read. Unix sockets don't have the no-delay
        option.
        """
        client, server = await self.pair()
        for each in (client.transport, server.transport):
            for wanted in (True, False, True):
                each.setTcpNoDelay(wanted)
                each.setTcpKeepAlive(wanted)
                self.assertIs(each.getTcpNoDelay(), wanted and self.kind is not UNIX)
                self.assertIs(each.getTcpKeepAlive(), wanted)

    async def test_handle(self) -> None:
        """
        The handle is the socket, as long as the connection exists.
        """
        client, _ = await self.pair()
        handle = client.transport.getHandle()
        self.assertIsInstance(handle, socket.socket)
        self.assertEqual(handle.fileno(), client.transport.fileno())
        self.assertFalse(handle.getblocking())
        client.transport.abortConnection()
        await self.untilLost(client)
        self.assertEqual((handle.fileno(), client.transport.fileno()), (-1, -1))

    async def test_interfaces(self) -> None:
        """
        Both ends provide their interfaces.
        """
        for each in await self.pair():
            for interface in (ITCPTransport, IPushProducer, IConsumer, ISystemHandle):
                self.assertTrue(verifyObject(interface, each.transport))

    async def test_states(self) -> None:
        """
        A transport reports whether it is connected, and whether it is closing.
        """
        client, _ = await self.pair()

        def states() -> tuple[bool, bool]:
            return bool(client.transport.connected), bool(client.transport.disconnecting)

        self.assertEqual(states(), (True, False))
        client.transport.loseConnection()
        self.assertEqual(states(), (True, True))
        await self.untilLost(client)
        self.assertFalse(client.transport.connected)

    async def test_afterwards(self) -> None:
        """
        All methods are ignored once the connection is lost.
        """
        client, server = await self.pair()
        client.transport.loseConnection()
        await self.untilLost(client, server)
        for each in (client.transport, server.transport):
            each.write(b"too late")
            each.writeSequence([b"too", b"late"])
            each.pauseProducing()
            each.resumeProducing()
            each.loseConnection()
            each.abortConnection()
        await self.turns()
        self.assertEqual((client.told, server.told), (["made", "lost"], ["made", "lost"]))

    async def test_nothingMoreRead(self) -> None:
        """
        A transport that closes reads nothing more, even if closing takes long.
        """
        client, server = await self.pair()
        pause(server)
        client.transport.write(MUCH)
        client.transport.loseConnection()
        server.transport.write(b"ignored")
        await self.turns()
        client.transport.resumeProducing()
        await self.turns()
        self.assertEqual(client.told, ["made"])

    async def test_stopProducing(self) -> None:
        """
        C{stopProducing} closes the connection.
        """
        client, server = await self.pair()
        client.transport.write(LITTLE)
        client.transport.stopProducing()
        await self.untilLost(client, server)
        self.assertReceived(server, LITTLE)
        self.assertEqual((client.reason, server.reason), (ConnectionDone, ConnectionDone))

    async def test_writeWhileClosing(self) -> None:
        """
        Bytes that are written before the connection is lost are still sent.
        """
        client, server = await self.pair()
        client.transport.write(b"one ")
        client.transport.loseConnection()
        client.transport.write(b"two")
        await self.untilLost(client, server)
        self.assertReceived(server, b"one two")

    async def test_peerGone(self) -> None:
        """
        A write to a peer that has reset the connection loses it.
        """
        sock, server = await self.dialled()
        pause(server)
        server.transport.write(b"unread")
        await self.turns()
        reset(sock)
        await self.turns()
        self.assertEqual(server.told, ["made"])
        server.transport.write(b"lost")
        self.assertIsNone(server.reason)
        await self.untilLost(server)
        self.assertEqual(server.reason, ConnectionLost)

    async def test_peerGoneFull(self) -> None:
        """
        A reset while bytes wait to be sent loses the connection, whether the
        transport is paused, closing or neither.
        """
        sock, server = await self.dialled()
        pause(server)
        server.transport.write(MUCH)
        server.transport.loseConnection()
        await self.turns()
        reset(sock)
        await self.untilLost(server)
        self.assertEqual(server.reason, ConnectionLost)


@everywhere(TCP, TCP6, UNIX, SECURED)
class HalfClosingTests(TransportTests):
    """
    Tests of C{loseWriteConnection}, and of a peer that ends.
    """

    async def test_oneWay(self) -> None:
        """
        The peer is notified of the end after all bytes, and can still answer.
        """
        client, server = await self.pair(HalfRecorder(), HalfRecorder())
        client.transport.write(MUCH)
        client.transport.loseWriteConnection()
        self.assertEqual(client.told, ["made"])
        await self.until(lambda: "readEnded" in server.told)
        self.assertReceived(server, MUCH)
        self.assertEqual(server.told[-1], "readEnded")
        self.assertEqual(client.told, ["made", "writeEnded"])
        server.transport.write(MUCH)
        server.transport.loseConnection()
        await self.until(lambda: "readEnded" in client.told)
        self.assertReceived(client, MUCH)
        self.assertEqual((client.reason, server.reason), (None, ConnectionDone))

    async def test_nothingAfterEnd(self) -> None:
        """
        What is written after the end is ignored.
        """
        client, server = await self.pair(HalfRecorder(), HalfRecorder())
        client.transport.loseWriteConnection()
        await self.until(lambda: "writeEnded" in client.told)
        client.transport.write(b"too late")
        client.transport.writeSequence([b"too", b"late"])
        server.transport.write(b"go on")
        await self.untilReceived(client, b"go on")
        self.assertEqual(server.told, ["made", "readEnded"])

    async def test_whole(self) -> None:
        """
        A protocol that does not support half-closes loses the connection at
        the peer's end.
        """
        client, server = await self.pair()
        client.transport.write(LITTLE)
        client.transport.loseWriteConnection()
        await self.untilLost(client, server)
        self.assertReceived(server, LITTLE)
        self.assertEqual((client.reason, server.reason), (ConnectionDone, ConnectionDone))

    async def test_closeAsItEnds(self) -> None:
        """
        A protocol may close when it is notified of the peer's end.
        """

        def lose(protocol: Recorder) -> None:
            protocol.transport.write(b"bye")
            protocol.transport.loseConnection()
            self.assertIsNone(protocol.reason)

        client, server = await self.pair(HalfRecorder(), HalfRecorder(readEnded=lose))
        client.transport.loseWriteConnection()
        await self.untilReceived(client, b"bye")
        await self.untilLost(server)
        self.assertEqual(server.told, ["made", "readEnded", "lost"])
        self.assertEqual(server.reason, ConnectionDone)


@everywhere(TCP, TCP6, UNIX)
class HalfClosingSocketTests(TransportTests):
    """
    Tests of half-closes whose results are less exact under TLS.
    """

    async def test_slowReader(self) -> None:
        """
        The end is sent after the bytes that wait to be sent.
        """
        client, server = await self.pair(HalfRecorder(), HalfRecorder())
        pause(server)
        client.transport.write(MUCH)
        client.transport.loseWriteConnection()
        client.transport.write(LITTLE)
        await self.turns()
        self.assertEqual((client.told, server.told), (["made"], ["made"]))
        server.transport.resumeProducing()
        await self.until(lambda: "readEnded" in server.told)
        self.assertReceived(server, MUCH + LITTLE)
        self.assertEqual(client.told, ["made", "writeEnded"])

    async def test_bothWays(self) -> None:
        """
        When both have ended, the protocol still has to close the connection.
        """
        client, server = both = await self.pair(HalfRecorder(), HalfRecorder())
        for each in both:
            each.transport.write(b"all")
            each.transport.loseWriteConnection()
        await self.until(lambda: all("readEnded" in each.told for each in both))
        await self.turns()
        for each in both:
            self.assertEqual(sorted(each.told), ["data", "made", "readEnded", "writeEnded"])
            self.assertEqual(each.told[-1], "readEnded")
        for each in both:
            each.transport.loseConnection()
        await self.untilLost(*both)
        self.assertEqual((client.reason, server.reason), (ConnectionDone, ConnectionDone))


@everywhere(TCP, TCP6, SECURED)
class CutTests(TransportTests):
    """
    Tests of a reset, which is different from an end.
    """

    async def test_reset(self) -> None:
        """
        A reset is reported as a loss, never as a half-close.
        """
        client, server = await self.pair(server=HalfRecorder())
        client.transport.abortConnection()
        await self.untilLost(server)
        self.assertEqual((server.told, server.reason), (["made", "lost"], ConnectionLost))

    async def test_resetWhilePaused(self) -> None:
        """
        A paused protocol is not notified of a reset. After it resumes, the
        earlier bytes are delivered first.
        """
        client, server = await self.pair()
        pause(server)
        client.transport.write(LITTLE)
        await self.turns()
        client.transport.abortConnection()
        await self.untilLost(client)
        await self.turns()
        self.assertEqual(server.told, ["made"])
        server.transport.resumeProducing()
        await self.untilLost(server)
        self.assertReceived(server, LITTLE)
        self.assertEqual(server.reason, ConnectionLost)
