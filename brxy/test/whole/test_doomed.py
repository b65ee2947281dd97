"""
Tests of instances that can't be started, with a complete edge in memory.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.interfaces import Address
from brxy.test.support.loopback.crowds import MemoryClient, MemoryEdge
from brxy.test.support.loopback.edges import spawnRule
from brxy.test.support.loopback.peers import answer
from brxy.test.support.loopback.spawning import FrontedSpawner, TestSpawner
from brxy.test.support.memory.network import FakeReactor


class DoomedTests(SynchronousTestCase):
    """
    Tests of failing orders: the edge does not repeat them for long, and does
    not hold clients for them.
    """

    def launch(self, **rule: Any) -> None:
        """
        Start an edge in memory.
        """
        self.reactor = FakeReactor()
        self.spawner: TestSpawner = FrontedSpawner(
            self.reactor, lambda order: Address("127.0.0.1", 1)
        )
        self.edge = MemoryEdge(self.reactor, spawnRule(self.spawner, **rule))
        self.addCleanup(self.edge.service.stopService)

    def serve(self) -> None:
        """
        Let the instances become ready, and serve the held requests.
        """
        self.edge.turn()
        while self.reactor.dialling():
            self.reactor.accept()
        self.edge.turn()
        for app in self.reactor.apps:
            if app.received:
                app.received.clear()
                app.end.write(answer())
        self.edge.turn()

    def test_allAtOnce(self) -> None:
        """
        When the last order has failed, the edge rejects all held clients in
        the same turn of the reactor, with a time after which to try again.
        """
        self.launch(capacity=50)
        self.spawner.holding = True
        clients = [self.edge.ask() for _ in range(500)]
        self.edge.turn()
        self.assertEqual(len(self.spawner.instances), 10)
        for instance in self.spawner.instances[:-1]:
            instance.end("exit status 1")
        self.edge.turn()
        self.assertEqual({client.status for client in clients}, {0})
        self.spawner.instances[-1].end("exit status 1")
        self.edge.deliver()
        self.assertEqual({client.status for client in clients}, {503})
        self.assertEqual({client.retry_after for client in clients}, {1})
        self.assertEqual(len(self.spawner.orders), 10)

    def ordered(self, seconds: int) -> list[float]:
        """
        Let time pass, with a client every tenth of a second.

        @return: the times of the orders.
        """
        times: list[float] = []
        for _ in range(10 * seconds):
            before = len(self.spawner.orders)
            client = self.edge.ask()
            self.assertEqual(client.status, 503)
            self.assertGreaterEqual(client.retry_after, 1)
            times += [self.reactor.seconds()] * (len(self.spawner.orders) - before)
            self.edge.forget()
            self.reactor.advance(0.1)
        return times

    def test_pauses(self) -> None:
        """
        The pauses between orders double from a second to a minute, however
        many clients come.
        """
        self.launch()
        self.spawner.failure = "no such thing"
        times = self.ordered(200)
        pauses = [after - before for before, after in zip(times, times[1:], strict=False)]
        self.assertEqual([round(pause) for pause in pauses], [1, 2, 4, 8, 16, 32, 60, 60])

    def test_recovers(self) -> None:
        """
        Once starts succeed again, a client that comes after the pause is
        served, and then there are as many instances as are needed.
        """
        self.launch()
        self.spawner.failure = "no such thing"
        self.ordered(5)
        client = self.edge.ask()
        self.spawner.failure = None
        self.reactor.advance(client.retry_after)
        orders = len(self.spawner.orders)
        clients = [self.edge.ask() for _ in range(5)]
        self.assertEqual(len(self.spawner.orders), orders + 1)
        self.serve()
        # One client was answered, and the next is being served.
        self.assertEqual(len(self.spawner.orders), orders + 4)
        self.serve()
        self.assertEqual([client.status for client in clients], [200] * 5)

    def test_oneAlive(self) -> None:
        """
        As long as one instance serves, no client is rejected, and failing
        orders are not made more often.
        """
        self.launch()
        busy: list[MemoryClient] = [self.edge.ask()]
        self.edge.turn()
        self.reactor.accept()
        self.reactor.advance(1.0)
        self.spawner.failure = "no such thing"
        for _ in range(590):
            busy.append(self.edge.ask())
            self.reactor.advance(0.1)
        # The one that serves, one failure that it makes up for, one that opens the breaker, and
        # those after 1, 2, 4, 8 and 16 seconds.
        self.assertEqual(len(self.spawner.orders), 3 + 5)
        self.assertEqual({client.status for client in busy[100:]}, {0})
