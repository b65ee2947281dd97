"""
Tests of L{brxy.transport.buffering}: limits on what connections buffer.
"""

from __future__ import annotations

from brxy.test.support.loopback.transports import TCP, UNIX
from brxy.test.support.memory.recorders import Recorder, pause
from brxy.test.transport.test_producing import PIECE, FillingTests, Push
from brxy.transport.buffering import WriteBuffer


class WriteBufferTests(FillingTests):
    """
    Tests of L{WriteBuffer}.
    """

    async def limited(self, limits: WriteBuffer | None) -> tuple[Recorder, Recorder, Push]:
        """
        @return: both ends of a connection whose peer does not read, and its producer.
        """
        client, server = await self.pair()
        pause(server)
        producer = Push(client.transport)
        client.transport.registerProducer(producer, True)
        if limits is not None:
            client.transport.limitBuffer(limits)
        return client, server, producer

    async def test_each(self) -> None:
        """
        A producer is paused when more is buffered than one connection may, and not before;
        when all is sent, nothing counts.
        """
        for each in (PIECE // 2, 5 * PIECE):
            limits = WriteBuffer(each, 100 * PIECE)
            _, server, producer = await self.limited(limits)
            written = await self.fill(producer)
            self.assertTrue(each < limits.size <= each + PIECE, limits.size)
            server.transport.resumeProducing()
            await self.untilReceived(server, written)
            while producer.told[-1] != "resume":
                await self.turns(1)
            self.assertEqual(limits.size, 0)

    async def test_total(self) -> None:
        """
        When all connections together have more than they may, each is paused as soon as it
        buffers anything.
        """
        limits = WriteBuffer(5 * PIECE, 4 * PIECE)
        _, server, first = await self.limited(limits)
        written = await self.fill(first)
        self.assertTrue(4 * PIECE < limits.size <= 5 * PIECE, limits.size)
        before = limits.size
        _, _, second = await self.limited(limits)
        await self.fill(second)
        self.assertLessEqual(limits.size - before, PIECE)
        server.transport.resumeProducing()
        await self.untilReceived(server, written)
        self.assertLessEqual(limits.size, PIECE)

    async def test_lost(self) -> None:
        """
        What was buffered for a connection does not count when it is lost.
        """
        limits = WriteBuffer(PIECE, 100 * PIECE)
        for abort in (True, False):
            client, server, producer = await self.limited(limits)
            await self.fill(producer)
            self.assertGreater(limits.size, 0)
            (client if abort else server).transport.abortConnection()
            await self.untilLost(client)
            self.assertEqual(limits.size, 0)

    async def test_late(self) -> None:
        """
        What a connection has buffered before counts, too.
        """
        client, server, producer = await self.limited(None)
        await self.fill(producer)
        limits = WriteBuffer(PIECE, PIECE)
        client.transport.limitBuffer(limits)
        self.assertGreater(limits.size, 0)
        server.transport.resumeProducing()
        await self.until(lambda: limits.size == 0)

    async def test_pauseIfBehind(self) -> None:
        """
        A producer can be paused at once, if the peer is behind, and is resumed when all is
        sent.
        """
        limits = WriteBuffer(100 * PIECE, 100 * PIECE)
        client, server, producer = await self.limited(limits)
        client.transport.pauseIfBehind()
        self.assertEqual(producer.told, [])
        written = b""
        while not limits.size:
            client.transport.write(bytes(PIECE))
            written += bytes(PIECE)
            await self.turns(1)
        self.assertEqual(producer.told, [])
        client.transport.pauseIfBehind()
        client.transport.pauseIfBehind()
        self.assertEqual(producer.told, ["pause"])
        server.transport.resumeProducing()
        await self.untilReceived(server, written)
        await self.until(lambda: producer.told == ["pause", "resume"])

    async def test_fits(self) -> None:
        """
        What fits depends on both limits; without any, nothing does.
        """
        client, _ = await self.pair()
        self.assertFalse(client.transport.fits(1))
        limits = WriteBuffer(100, 150)
        client.transport.limitBuffer(limits)
        self.assertTrue(client.transport.fits(100))
        self.assertFalse(client.transport.fits(101))
        limits.size = 60
        self.assertTrue(client.transport.fits(90))
        self.assertFalse(client.transport.fits(91))
        limits.size = 0


class WriteBufferTestsUNIX(WriteBufferTests):
    """
    The same on Unix sockets.
    """

    kind: type[TCP] = UNIX
