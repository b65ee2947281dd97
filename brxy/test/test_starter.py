"""
Tests of L{brxy.edge.starter}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from brxy.edge.instance import Instance
from brxy.edge.starter import Spawning, Starter
from brxy.errors import SpawnFailed
from brxy.interfaces import Address, Gone, IInstance, ISpawner, SpawnOrder


@implementer(IInstance)
class _Handle:
    """
    An instance whose fate is told by hand.
    """

    def __init__(self) -> None:
        self.ready: Deferred[Address] = Deferred()
        self.gone: Deferred[Gone] = Deferred()
        self.stops = 0

    def stop(self) -> None:
        self.stops += 1


@implementer(ISpawner)
class _Spawner:
    """
    Starts nothing.
    """

    dials_back = True

    def __init__(self) -> None:
        self.orders: list[SpawnOrder] = []
        self.handles: list[_Handle] = []
        self.error: Exception | None = None
        self.stopped: Deferred[None] = Deferred()

    def spawn(self, order: SpawnOrder) -> IInstance:
        if self.error is not None:
            raise self.error
        self.orders.append(order)
        handle: Any = _Handle()
        self.handles.append(handle)
        return handle  # type: ignore[no-any-return]

    def stop(self) -> Deferred[None]:
        return self.stopped


class StarterTests(SynchronousTestCase):
    """
    Tests of L{Starter}.
    """

    def setUp(self) -> None:
        self.spawners = [_Spawner(), _Spawner()]
        spawners: list[Any] = list(self.spawners)
        self.spawnings = [Spawning(spawners[0], 300.0, 10.0), Spawning(spawners[1], 0.5, 0.25)]
        self.told: list[tuple[Any, ...]] = []
        self.starter = self.make("secret")
        self.instance = Instance("t1", "r", 3, 7, spawner=0)

    def make(self, token: str) -> Starter:
        return Starter(
            self.spawnings,
            "tcp:127.0.0.1:9080",
            token,
            lambda *what: self.told.append(("ready", *what)),
            lambda *what: self.told.append(("gone", *what)),
            lambda *what: self.told.append(("failed", *what)),
        )

    def test_fakes(self) -> None:
        """
        The fakes here are what they stand for.
        """
        verifyObject(ISpawner, _Spawner())
        verifyObject(IInstance, _Handle())

    def test_order(self) -> None:
        """
        An order goes to the spawner it is for, with all that a node needs to
        find back.
        """
        self.starter.start(self.instance)
        [order] = self.spawners[0].orders
        self.assertEqual((order.ticket, order.route, order.capacity), ("t1", "r", 3))
        self.assertEqual(
            order.environment,
            {
                "ROUTE": "r",
                "BRXY_EDGE": "tcp:127.0.0.1:9080",
                "BRXY_TICKET": "t1",
                "BRXY_CAPACITY": "3",
                "BRXY_GENERATION": "7",
                "BRXY_IDLE_TIMEOUT": "300",
                "BRXY_OLD_IDLE_TIMEOUT": "10",
                "BRXY_TOKEN": "secret",
            },
        )
        self.assertEqual(self.told, [])

    def test_other_spawner(self) -> None:
        """
        Each spawner has its own idle times; no token is handed over where none
        is asked for.
        """
        self.instance.spawner = 1
        self.make("").start(self.instance)
        [order] = self.spawners[1].orders
        self.assertEqual(order.environment["BRXY_IDLE_TIMEOUT"], "0.5")
        self.assertEqual(order.environment["BRXY_OLD_IDLE_TIMEOUT"], "0.25")
        self.assertNotIn("BRXY_TOKEN", order.environment)

    def test_failed(self) -> None:
        """
        What can't be started is told at once, with the reason.
        """
        self.spawners[0].error = SpawnFailed("no such file: nope")
        self.starter.start(self.instance)
        self.assertEqual(self.told, [("failed", self.instance, "no such file: nope")])
        self.starter.stop(self.instance)

    def test_broken(self) -> None:
        """
        A spawner that raises anything else is broken: that is logged, and its
        order has failed.
        """
        self.spawners[0].error = ZeroDivisionError()
        self.starter.start(self.instance)
        self.assertEqual([each[0] for each in self.told], ["failed"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_ready(self) -> None:
        """
        An address is passed on, with the spawning it came of.
        """
        self.starter.start(self.instance)
        address = Address("127.0.0.1", 1)
        self.spawners[0].handles[0].ready.callback(address)
        self.assertEqual(self.told, [("ready", self.instance, address, self.spawnings[0])])

    def test_gone(self) -> None:
        """
        The end is passed on, and after it there is nothing to stop.
        """
        self.starter.start(self.instance)
        [handle] = self.spawners[0].handles
        self.starter.stop(self.instance)
        self.assertEqual(handle.stops, 1)
        gone = Gone("exit status 1")
        handle.gone.callback(gone)
        self.assertEqual(self.told, [("gone", self.instance, gone)])
        self.starter.stop(self.instance)
        self.assertEqual(handle.stops, 1)
        self.starter.forget(self.instance)

    def test_detached(self) -> None:
        """
        What lives on without its spawner can still be stopped, until it is
        forgotten.
        """
        self.starter.start(self.instance)
        [handle] = self.spawners[0].handles
        handle.gone.callback(Gone("exit status 0", detached=True))
        self.starter.stop(self.instance)
        self.assertEqual(handle.stops, 1)
        self.starter.forget(self.instance)
        self.starter.stop(self.instance)
        self.assertEqual(handle.stops, 1)

    def test_forgotten_first(self) -> None:
        """
        The end of one that was forgotten before is no error.
        """
        self.starter.start(self.instance)
        self.starter.forget(self.instance)
        self.spawners[0].handles[0].gone.callback(Gone("exit status 1"))
        self.assertEqual([each[0] for each in self.told], ["gone"])

    def test_never_ready(self) -> None:
        """
        A spawner may cancel what it will never fire; another failure is its
        bug, and logged.
        """
        self.starter.start(self.instance)
        self.spawners[0].handles[0].ready.cancel()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.starter.start(self.instance)
        self.spawners[0].handles[1].ready.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.told, [])

    def test_unknown(self) -> None:
        """
        Stopping or forgetting what was never started does nothing.
        """
        self.starter.stop(self.instance)
        self.starter.forget(self.instance)

    def test_stop_all(self) -> None:
        """
        Stopping waits for every spawner.
        """
        stopped = self.starter.stopAll()
        self.spawners[0].stopped.callback(None)
        self.assertNoResult(stopped)
        self.spawners[1].stopped.callback(None)
        self.successResultOf(stopped)
