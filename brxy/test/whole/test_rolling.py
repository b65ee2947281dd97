"""
Tests of rolls with real nodes, under load.
"""

from __future__ import annotations

import os
import signal

from brxy.test.support.loopback.crowds import get
from brxy.test.support.loopback.storms import StormTests, nodeOf


class RollingTests(StormTests):
    """
    Tests of SIGHUP to a node: newer instances take over, and all older ones
    leave.
    """

    async def roll(self, number: int, clients: int) -> None:
        """
        Roll this many instances.
        """
        self.launchNodes({"capacity": 2, "max_instances": number}, retries=0)
        self.customers.come(clients, lambda: get("/30"))
        self.customers.come(1, self.customers.post)
        await self.serving(number)
        older = set(self.running())
        self.assertEqual(len(older), 2 * number)
        os.kill(nodeOf(self.alive()[0]), signal.SIGHUP)
        await self.until(lambda: not older & set(self.running()))
        # A node and its app for each instance.
        self.assertEqual(len(self.running()), 2 * number)
        self.customers.pids.clear()
        await self.serving(1)
        await self.customers.leave()
        self.assertEqual(set(self.customers.answers), {200})
        self.assertEqual(set(self.posts().values()), {1})

    async def test_one(self) -> None:
        """
        Clients notice nothing, even with a maximum of one instance.
        """
        await self.roll(1, 4)

    async def test_three(self) -> None:
        """
        All of three instances are replaced.
        """
        await self.roll(3, 9)
