"""
Tests that clients notice nothing when instances are killed and stopped all the
time.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Callable

from brxy.test.support.loopback.crowds import get
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.storms import StormTests, nodeOf


class KillTests(StormTests):
    """
    Tests of instances that are killed by SIGKILL while clients send requests.
    """

    async def storm(self, kills: int, pause: float, victimOf: Callable[[int], int]) -> None:
        """
        Kill an instance that has answered, several times.

        @param pause: seconds between two kills.
        @param victimOf: returns the process to kill for an app's.
        """
        chance = random.Random(kills)
        for _ in range(kills):
            await self.pause(pause)
            await self.serving(1)
            with contextlib.suppress(OSError):
                os.kill(victimOf(chance.choice(self.alive())), signal.SIGKILL)

    async def check(self) -> None:
        """
        Check that all GETs were answered, and that a POST reached an app at
        most once.
        """
        await self.answered(100)
        await self.customers.leave()
        posted = self.customers.posted
        posts = self.posts()
        self.assertEqual(set(posts.values()), {1})
        self.assertEqual(set(posts) - set(posted), set())
        self.assertEqual(
            {target for target, status in posted.items() if status == 200} - set(posts), set()
        )
        failed = self.customers.answers - Counter({200: self.customers.answers[200]})
        self.assertEqual(failed, Counter(status for status in posted.values() if status != 200))
        self.assertLessEqual(set(failed), {502})

    async def test_apps(self) -> None:
        """
        Ten apps a second are killed for ten seconds.
        """
        self.launchApps({"capacity": 8, "max_instances": 4}, retries=10)
        self.customers.come(26, lambda: get("/50"))
        self.customers.come(6, self.customers.post)
        await self.serving(4)
        await self.storm(100, 0.1, lambda pid: pid)
        await self.check()

    async def test_nodes(self) -> None:
        """
        Two nodes a second are killed for twelve seconds.
        """
        self.launchNodes({"capacity": 8, "max_instances": 4}, retries=10)
        self.customers.come(26, lambda: get("/50"))
        self.customers.come(6, self.customers.post)
        await self.serving(4)
        await self.storm(24, 0.5, nodeOf)
        await self.check()


@onBothTransports
class StopTests(StormTests):
    """
    Tests of a node that is stopped by SIGSTOP: it does nothing, and its
    connections stay.
    """

    def stuck(self, since: int) -> int:
        """
        @return: how many clients sent their request before this number of
            answers was reached, and still wait.
        """
        return sum(asked <= since for asked in self.customers.waiting.values())

    async def test_swallows(self) -> None:
        """
        A stopped node keeps at most its capacity of requests waiting. Requests
        that it did not accept go to other nodes, and another instance is
        ordered in its place. When it continues, each client gets an answer,
        and the node serves again.
        """
        self.launchNodes({"capacity": 2, "max_instances": 4})
        customers = self.customers
        customers.come(6, lambda: get("/50"))
        await self.serving(3)
        victim = self.alive()[-1]
        os.kill(nodeOf(victim), signal.SIGSTOP)
        self.addCleanup(self._goOn, nodeOf(victim))
        # More requests than the others can serve.
        customers.come(2, lambda: get("/50"))
        stopped_at = customers.answers.total()
        await self.answered(200)
        self.assertLessEqual(self.stuck(stopped_at), 2)
        await self.until(lambda: len(self.alive()) == 4)
        os.kill(nodeOf(victim), signal.SIGCONT)
        await self.until(lambda: not self.stuck(stopped_at))
        # The node is the only one left, and so gets requests again.
        del customers.pids[victim]
        for pid in self.alive():
            os.kill(nodeOf(pid), signal.SIGKILL)
        await self.until(lambda: victim in customers.pids)
        await customers.leave()
        self.assertEqual(set(customers.answers), {200})

    async def test_idle(self) -> None:
        """
        A stopped node that was idle accepts nothing: another node answers the
        requests that were offered to it, before it continues.
        """
        self.launchNodes({"capacity": 2, "max_instances": 2})
        customers = self.customers
        customers.come(1, lambda: get("/20"))
        await self.serving(1)
        [victim] = self.alive()
        await customers.leave()
        os.kill(nodeOf(victim), signal.SIGSTOP)
        self.addCleanup(self._goOn, nodeOf(victim))
        peers = await self.crowd(6)
        for peer in peers:
            peer.write(get("/20"))
        answers = await self.answers(peers)
        self.assertEqual({answer.status for answer in answers}, {200})
        self.assertNotIn(b"%d" % victim, {answer.body for answer in answers})

    def _goOn(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
