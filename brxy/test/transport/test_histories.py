"""
Tests with random histories of a connection: no byte is lost, and no end gets
stuck, whatever the ends do.
"""

from __future__ import annotations

from random import Random

from brxy.test.support.loopback.transports import MUCH, TCP, UNIX, TransportTests, everywhere
from brxy.test.support.memory.recorders import HalfRecorder, Recorder


class End(HalfRecorder):
    """
    An end that acts at random: it writes, is its own producer, and pauses and
    resumes reading.

    @ivar written: all bytes that it wrote.
    """

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random
        self.written = b""
        self.full = False
        self.hooks["data"] = self.react

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.registerProducer(self, True)

    def pauseProducing(self) -> None:
        self.full = True

    def resumeProducing(self) -> None:
        self.full = False

    def stopProducing(self) -> None:
        self.full = True

    def react(self, protocol: Recorder) -> None:
        """
        Act at random when data arrive.
        """
        if self.random.random() < 0.3:
            self.act()

    def act(self) -> None:
        """
        Do one thing.
        """
        chance = self.random.random()
        if chance < 0.3:
            self.transport.pauseProducing()
        elif chance < 0.6:
            self.transport.resumeProducing()
        elif not self.full or chance < 0.65:
            data = MUCH[: int(10 ** self.random.uniform(0, 5.5))]
            self.written += data
            self.transport.write(data)


@everywhere(TCP, UNIX)
class HistoryTests(TransportTests):
    """
    Tests of the results.
    """

    async def play(self, random: Random) -> None:
        """
        Have two ends act, and then close the connection.
        """
        ends = End(random), End(random)
        await self.pair(*ends)
        for _ in range(random.randrange(60)):
            random.choice(ends).act()
            await self.turns(random.choice((0, 0, 1, 3)))
        for end in ends:
            end.hooks.clear()
            end.transport.resumeProducing()
        await self.until(lambda: not any(end.full for end in ends))
        for end in ends:
            end.transport.unregisterProducer()
            end.transport.loseWriteConnection()
        await self.until(lambda: all("readEnded" in end.told for end in ends))
        for one, other in (ends, ends[::-1]):
            self.assertReceived(one, other.written)
            self.assertEqual(one.told.count("writeEnded"), 1)
            one.transport.loseConnection()
        await self.untilLost(*ends)

    async def test_everythingArrives(self) -> None:
        """
        All bytes that each end wrote have arrived at the other in order. Both
        ends have room again, and both are notified of the loss once.
        """
        for seed in range(25):
            try:
                await self.play(Random(seed))
            except Exception as error:
                raise AssertionError(f"with seed {seed}") from error
