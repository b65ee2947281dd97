"""
Tests of apps that don't take up, or seem to, what they get, with a capacity that is learned.
See L{brxy.test.apps.grudging}.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, LogLevel, capturedLogs, formatEvent

import brxy
from brxy.interfaces import Address
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import DIES_WITH_US, onBothTransports
from brxy.test.support.loopback.peers import answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner
from brxy.values.capacity import AUTO

SCRIPT = str(Path(brxy.__file__).parent / "test" / "apps" / "grudging.py")

POST = b"POST /%d HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n"
OTHER = b"GET / HTTP/1.1\r\nHost: b.example\r\n\r\n"

# Kinds of apps that never answer.
SILENT = {"unread", "byte", "deaf"}

# Seconds for an answer of the others, on a machine that may be busy.
PATIENT = 30.0

# Clients that come at once.
CLIENTS = 6


@onBothTransports
class GrudgingTests(EdgeTests):
    """
    Tests with one such app, reached by the edge.
    """

    def setUp(self) -> None:
        super().setUp()
        self.statuses: dict[int, int] = {}

    def launchScript(self, kind: str) -> None:
        """
        Start an edge for one such app, and for one of another route that works.
        """
        self.script = subprocess.Popen(
            [*DIES_WITH_US, sys.executable, "-I", "-S", SCRIPT, kind], stdout=subprocess.PIPE
        )
        self.addCleanup(self.end)
        assert self.script.stdout is not None
        app = Address("127.0.0.1", int(self.script.stdout.readline()))
        good = self.startApp(webApp(answer(b"good")))
        self.launch(
            lambda order: app if order.route == "a.example" else good,
            {"capacity": AUTO, "max_instances": 1},
            hold_timeout=2.0 if kind in SILENT else PATIENT,
            response_timeout=0.6 if kind in SILENT else PATIENT,
        )

    def end(self) -> Counter[str]:
        """
        End the app.

        @return: what it has printed since it started.
        """
        if self.script.returncode is None:
            self.script.kill()
            self.printed = Counter(self.script.communicate()[0].decode().split())
        return self.printed

    async def post(self, number: int) -> None:
        """
        Have a client send a POST of its own.
        """
        peer = await self.connect()
        peer.write(POST % number)
        self.statuses[number] = (await peer.answer(b"POST")).status

    async def crowd(self) -> Counter[int]:
        """
        Have clients come at once, and others of another route meanwhile.

        @return: how many got each status.
        """
        before = len(self.statuses)
        numbers = range(before, before + CLIENTS)
        clients = [Deferred.fromCoroutine(self.post(number)) for number in numbers]
        for _ in range(5):
            self.assertEqual((await self.ask(OTHER)).body, b"good")
            await deferLater(self.reactor, 0.02)
        await gatherResults(clients)
        return Counter(self.statuses[number] for number in numbers)

    async def check(self, kind: str, *expected: int, told: int = 0) -> Counter[int]:
        """
        Check what becomes of the clients of an app.

        @param expected: the statuses that they may get.
        @param told: how many lines are logged about the capacity.
        """
        with capturedLogs() as events:
            self.launchScript(kind)
            statuses = await self.crowd()
        self.assertEqual(set(statuses) - set(expected), set(), statuses)
        self.checkRuns()
        self.assertEqual(len(_reports(events)), told)
        return statuses

    def checkRuns(self) -> None:
        """
        Check what has run at the app.
        """
        printed = self.end()
        for number, status in self.statuses.items():
            ran = printed[f"/{number}"]
            self.assertLessEqual(ran, 1)
            if status == 200:
                self.assertEqual(ran, 1)
            elif status == 503:
                self.assertEqual(ran, 0)
        # It has not been flooded with connections.
        self.assertLess(printed["+"], 20 * len(self.statuses))

    async def test_unread(self) -> None:
        """
        An app that accepts and never reads has one request, and no other is lost to it.
        """
        statuses = await self.check("unread", 503, 504)
        self.assertGreaterEqual(statuses[503], 1)

    async def test_byte(self) -> None:
        """
        An app that reads one byte of each seems to take all of them up.
        """
        await self.check("byte", 503, 504)

    async def test_jealous(self) -> None:
        """
        An app that closes every connection beside another one is found out: from then on it
        serves one request after the other.
        """
        with capturedLogs() as events:
            self.launchScript("jealous")
            while not _reports(events):
                statuses = await self.crowd()
                self.assertEqual(set(statuses) - {200, 502}, set())
            self.assertEqual(await self.crowd(), {200: CLIENTS})
        self.assertEqual(len(_reports(events)), 1)
        self.checkRuns()

    async def test_peek(self) -> None:
        """
        An app that peeks does not seem to take a second one up.
        """
        self.assertEqual(await self.check("peek", 200), {200: CLIENTS})

    async def checkParts(self, kind: str) -> None:
        """
        Check that an app which takes a part of a request for all of it is found out: from then
        on it gets whole ones only.

        An exchange that gets the app's answer to its first byte was taken up, as the kernel shows,
        before the app answered.  It is the last one, or the last but one if another exchange ended
        before the answer, so that there was one more probe.
        """
        with capturedLogs() as events:
            self.launchScript(kind)
            early = await self.crowd()
            self.assertEqual(set(early) - {200, 400}, set(), early)
            self.assertLessEqual(early[400], 2)
            self.assertEqual(len(_reports(events)), 1)
            self.assertEqual(await self.crowd(), {200: CLIENTS})
        self.assertEqual(len(_reports(events)), 1)
        self.checkRuns()

    async def test_hasty(self) -> None:
        """
        An app that takes one byte for a request is found out by its answer, which does not reach
        a client, unless there was a look between its reading the byte and its answer: some
        microseconds, or longer on a busy machine.
        """
        await self.checkParts("hasty")

    async def test_slow(self) -> None:
        """
        If it works on that byte for a while, there is a look in every case, and then the first
        such answer finds it out.
        """
        await self.checkParts("slow")

    async def test_deaf(self) -> None:
        """
        An app that never accepts has what its kernel has; the others are held until their time
        is over.
        """
        await self.check("deaf", 503, 504)

    async def test_single(self) -> None:
        """
        An app that serves one connection until it ends serves two clients in turn, without
        waiting for one.
        """
        self.launchScript("single")
        peers = [await self.connect() for _ in range(2)]

        async def client(first: int) -> None:
            peer = peers[first]
            for number in range(first, 20, 2):
                peer.write(POST % number)
                self.statuses[number] = (await peer.answer(b"POST")).status

        await gatherResults([Deferred.fromCoroutine(client(first)) for first in range(2)])
        self.assertEqual(Counter(self.statuses.values()), {200: 20})
        self.assertEqual({self.end()[f"/{number}"] for number in range(20)}, {1})


def _reports(events: Sequence[LogEvent]) -> list[str]:
    """
    @return: what was logged about a capacity that can't be learned.
    """
    texts = [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn]
    return [text for text in texts if "capacity" in text]


@onBothTransports
class NodeGrudgingTests(GrudgingTests):
    """
    Tests with one such app, reached by a node.
    """

    spawner_type = NodeSpawner
