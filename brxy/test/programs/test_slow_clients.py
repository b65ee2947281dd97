"""
Tests with slowhttptest of an edge before an app that takes one request at a time: slow
clients hold no instance.
"""

from __future__ import annotations

import shutil
import signal
import sys

from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from brxy.test.programs.test_floods import PATIENT, FloodTests, descriptors
from brxy.test.support.loopback.leftovers import onBothTransports


@onBothTransports
class SlowClientTests(FloodTests):
    """
    Tests of one client beside many slow ones.
    """

    timeout = 120

    SLOW = 50
    REQUESTS = 40

    def setUp(self) -> None:
        if shutil.which("slowhttptest") is None:
            raise SkipTest("needs slowhttptest (apt-get install slowhttptest)")
        super().setUp()

    async def attack(self, most: int, mode: str, path: str, *arguments: str) -> None:
        """
        Have many slow clients, and another one whose requests are all answered meanwhile, by
        the same instance.

        @param most: how many instances there may be.
        """
        app = f"app: max={most} capacity=1 -- {sys.executable} -I -S {PATIENT}"
        edge = await self.launch("--hold-timeout", "20", "--spawn", app)
        other = await self.client("127.0.0.2")
        self.assertEqual(await self.ask(other), 200)
        before = descriptors(edge.pid)
        slow = self.start(
            *("slowhttptest", mode, "-c", str(self.SLOW), "-r", str(self.SLOW), "-l", "60"),
            *("-p", "30", *arguments, "-u", f"http://127.0.0.1:{self.port.port}{path}"),
        )
        while descriptors(edge.pid) < before + self.SLOW:
            await deferLater(self.reactor, 0.05)
        for _ in range(self.REQUESTS):
            self.assertEqual(await self.ask(other, "/100"), 200)
            await deferLater(self.reactor, 0.01)
        self.assertIsNone(slow.status)
        self.assertGreaterEqual(descriptors(edge.pid), before + self.SLOW)
        self.assertEqual(edge.out.count(": ordered"), 1)
        slow.signal(signal.SIGKILL)
        await self.stopped(edge)
        self.assertNotIn("Traceback", edge.out)

    async def test_bodies(self) -> None:
        """
        Clients whose bodies come a few bytes at a time.
        """
        await self.attack(3, "-B", "/", "-i", "1", "-x", "8", "-s", "8192")

    async def test_readers(self) -> None:
        """
        Clients that send requests ahead, which are a demand like any other, and read a few
        bytes of their responses at a time.
        """
        await self.attack(
            1, "-X", "/50000", "-n", "1", "-z", "8", "-w", "8", "-y", "64", "-k", "3"
        )
