"""
Tests of L{brxy.edge.fleet.starter}.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from brxy.edge.config.settings import Spawning
from brxy.edge.events import Event, Events, RecoveryFailed
from brxy.edge.fleet.starter import Starter
from brxy.errors import SpawnFailed
from brxy.interfaces import Address, Gone, IInstance, ILeaving, IRecovering, ISpawner, SpawnOrder
from brxy.scaler.instance import Change, Instance


@implementer(IInstance)
class _Handle:
    """
    An instance whose fate the test decides.
    """

    def __init__(self) -> None:
        self.ready: Deferred[Address] = Deferred()
        self.gone: Deferred[Gone] = Deferred()
        self.stops = 0

    def stop(self) -> None:
        self.stops += 1


@implementer(ILeaving)
class _LeavingHandle(_Handle):
    """
    One that others can have ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.leaving: Deferred[None] = Deferred()


@implementer(ISpawner)
class _Spawner:
    """
    Starts nothing.
    """

    dials_back = True

    def __init__(self) -> None:
        self.orders: list[SpawnOrder] = []
        self.handles: list[_Handle] = []
        self.makes: type[_Handle] = _Handle
        self.error: Exception | None = None
        self.stopped: Deferred[None] = Deferred()
        self.stops = 0

    def spawn(self, order: SpawnOrder) -> IInstance:
        if self.error is not None:
            raise self.error
        self.orders.append(order)
        handle: Any = self.makes()
        self.handles.append(handle)
        return handle  # type: ignore[no-any-return]

    def stop(self) -> Deferred[None]:
        self.stops += 1
        return self.stopped


class _Owner:
    """
    Writes down what a starter reports.
    """

    def __init__(self, told: list[tuple[Any, ...]]) -> None:
        self._told = told

    def fronted(
        self, instance: Instance, handle: IInstance, address: Address, spawning: Spawning
    ) -> None:
        self._told.append(("ready", instance, address, spawning))

    def gone(self, instance: Instance, gone: Gone) -> None:
        self._told.append(("gone", instance, gone))

    def failed(self, instance: Instance, reason: str) -> None:
        self._told.append(("failed", instance, reason))

    def unfound(self, instance: Instance) -> None:
        self._told.append(("unfound", instance))

    def withdrawn(self, instance: Instance) -> None:
        self._told.append(("leaving", instance))


class StarterTests(SynchronousTestCase):
    """
    Tests of L{Starter}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.spawners = [_Spawner(), _Spawner()]
        spawners: list[Any] = list(self.spawners)
        self.spawnings = {
            "one": Spawning(spawners[0], 300.0, 10.0),
            "two": Spawning(spawners[1], 0.5, 0.25, speaks_first="server"),
        }
        self.told: list[tuple[Any, ...]] = []
        self.starter = self.make()
        self.instance = Instance("t1", "r", 3, 7, spawn="one")

    def make(self) -> Starter:
        return Starter(
            self.clock,
            self.spawnings,
            _Owner(self.told),
            endpoint=lambda spawner: "tcp:127.0.0.1:9080",
            token=lambda route, ticket: f"token of {route} and {ticket}",
            edge_id="",
            events=Events(),
        )

    def test_fakes(self) -> None:
        """
        The fakes here are what they stand for.
        """
        verifyObject(ISpawner, _Spawner())
        verifyObject(IInstance, _LeavingHandle())
        verifyObject(ILeaving, _LeavingHandle())

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
                "BRXY_TOKEN": "token of r and t1",
            },
        )
        self.assertEqual(self.told, [])

    def test_learns(self) -> None:
        """
        The order of an instance whose capacity is learned says so, and its maximum.
        """
        learns = Instance("t1", "r", 1, 7, spawn="one", learns=True, max_capacity=20)
        self.starter.start(learns)
        [order] = self.spawners[0].orders
        self.assertEqual((order.capacity, order.max_capacity), (0, 20))
        self.assertEqual(order.environment["BRXY_CAPACITY"], "auto")
        self.assertEqual(order.environment["BRXY_MAX_CAPACITY"], "20")

    def test_withheld(self) -> None:
        """
        Orders that are put off are performed later, unless they are taken back.
        """
        self.starter.turns.withhold()
        other = Instance("t2", "r", 3, 8, spawn="one")
        for each in (self.instance, other):
            self.starter.start(each)
            self.clock.advance(0)
        self.assertEqual(self.spawners[0].orders, [])
        self.starter.stop(other)
        self.assertEqual([kind for kind, *_ in self.told], ["gone"])
        self.starter.turns.goOn()
        self.clock.advance(0)
        self.assertEqual([each.ticket for each in self.spawners[0].orders], ["t1"])

    def adopt(self, **spawners: Any) -> None:
        """
        Start instances by these spawners from now on.
        """
        self.starter.adopt(
            {name: Spawning(spawner, 1.0, 1.0) for name, spawner in spawners.items()},
            ["one"],
        )

    def test_adopted(self) -> None:
        """
        After a change instances come from other spawners.  One from before is stopped when
        its last instance is gone; one that is still in use is not.
        """
        first, second = self.spawners
        self.starter.start(self.instance)
        other = _Spawner()
        self.adopt(one=other, two=second)
        self.assertEqual(first.stops, 0)
        self.clock.advance(0)
        self.starter.start(Instance("t2", "r", 3, 8, spawn="one"))
        self.assertEqual((len(first.orders), len(other.orders)), (1, 1))
        first.handles[0].gone.callback(Gone("over"))
        self.assertEqual((first.stops, other.stops, second.stops), (1, 0, 0))

    def test_unused(self) -> None:
        """
        One that has no instance is stopped at once.
        """
        self.adopt(two=self.spawners[1])
        self.assertEqual(self.spawners[0].stops, 1)

    def test_removed(self) -> None:
        """
        An order whose spawn is removed before it is started is gone.
        """
        self.starter.start(Instance("t0", "r", 3, 6, spawn="one"))
        self.starter.start(self.instance)
        self.adopt(two=self.spawners[1])
        self.clock.advance(0)
        self.assertEqual(
            self.told, [("gone", self.instance, Gone("its spawn is not configured any more"))]
        )

    def test_stopAllFormer(self) -> None:
        """
        In the end, spawners from before are stopped as well.
        """
        self.starter.start(self.instance)
        self.adopt(one=_Spawner())
        self.assertEqual(self.spawners[0].stops, 0)
        self.starter.stopAll()
        self.assertEqual(self.spawners[0].stops, 1)

    def test_otherSpawner(self) -> None:
        """
        Each spawner has its own idle times, and its own kind of app.
        """
        self.instance.spawn = "two"
        self.starter.start(self.instance)
        [order] = self.spawners[1].orders
        self.assertEqual(order.environment["BRXY_IDLE_TIMEOUT"], "0.5")
        self.assertEqual(order.environment["BRXY_OLD_IDLE_TIMEOUT"], "0.25")
        self.assertEqual(order.environment["BRXY_SPEAKS_FIRST"], "server")

    def test_failed(self) -> None:
        """
        A failure to start is reported at once, with the reason.
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

    def test_exhausted(self) -> None:
        """
        A spawner that has met the end of a resource is not broken: its order has failed, with
        the kernel's reason. With any other error of the kernel it is.
        """
        for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EAGAIN):
            self.told.clear()
            self.spawners[0].error = OSError(number, os.strerror(number))
            self.starter.start(self.instance)
            self.clock.advance(0)
            self.assertEqual(self.told, [("failed", self.instance, os.strerror(number))])
        self.spawners[0].error = PermissionError(errno.EPERM, "no")
        self.starter.start(self.instance)
        self.clock.advance(0)
        self.assertEqual(self.told[-1], ("failed", self.instance, "its spawner is broken"))
        self.assertEqual(len(self.flushLoggedErrors(PermissionError)), 1)

    def test_ready(self) -> None:
        """
        An address is passed on, with the spawning it came of.
        """
        self.starter.start(self.instance)
        address = Address("127.0.0.1", 1)
        self.spawners[0].handles[0].ready.callback(address)
        self.assertEqual(self.told, [("ready", self.instance, address, self.spawnings["one"])])

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

    def test_leaving(self) -> None:
        """
        That others have it ended is passed on.
        """
        self.spawners[0].makes = _LeavingHandle
        self.starter.start(self.instance)
        [handle] = self.spawners[0].handles
        assert isinstance(handle, _LeavingHandle)
        handle.leaving.callback(None)
        self.assertEqual(self.told, [("leaving", self.instance)])

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

    def test_forgottenFirst(self) -> None:
        """
        The end of one that was forgotten before is no error.
        """
        self.starter.start(self.instance)
        self.starter.forget(self.instance)
        self.spawners[0].handles[0].gone.callback(Gone("exit status 1"))
        self.assertEqual([each[0] for each in self.told], ["gone"])

    def test_neverReady(self) -> None:
        """
        A spawner may cancel what it will never fire; another failure is its
        bug, and logged.
        """
        self.starter.start(self.instance)
        self.spawners[0].handles[0].ready.cancel()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.clock.advance(0)
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

    def test_stopAll(self) -> None:
        """
        Stopping waits for every spawner.
        """
        stopped = self.starter.stopAll()
        self.spawners[0].stopped.callback(None)
        self.assertNoResult(stopped)
        self.spawners[1].stopped.callback(None)
        self.successResultOf(stopped)


@implementer(IRecovering)
class _Recovering(_Spawner):
    """
    Is asked for what is left, and has not answered yet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, list[SpawnOrder]]] = []
        self.answer: Deferred[dict[str, IInstance]] = Deferred()

    def recover(self, edge: str, orders: Sequence[SpawnOrder]) -> Deferred[dict[str, IInstance]]:
        self.asked.append((edge, list(orders)))
        return self.answer


class RecoverTests(SynchronousTestCase):
    """
    Tests of what L{Starter} does with what an earlier run has left.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.spawner, self.other = _Recovering(), _Spawner()
        self.told: list[tuple[Any, ...]] = []
        self.events: list[Event] = []
        spawners: list[Any] = [self.other, self.spawner]
        self.starter = Starter(
            self.clock,
            {"one": Spawning(spawners[0], 1.0, 1.0), "two": Spawning(spawners[1], 1.0, 1.0)},
            _Owner(self.told),
            endpoint=lambda spawner: "tcp:127.0.0.1:9080",
            token=lambda route, ticket: "",
            edge_id="e",
            events=Events([self.events.append]),
        )
        self.one, self.two = (Instance(each, "r", 1, 7, spawn="two") for each in ("t1", "t2"))

    def recover(self, *instances: Instance) -> None:
        """
        Have the spawner asked for these.
        """
        self.starter.recover(instances)

    def failures(self) -> list[Event]:
        """
        @return: what was reported of spawners that can't find anything.
        """
        return [each for each in self.events if isinstance(each, RecoveryFailed)]

    def test_fakes(self) -> None:
        """
        The fake here is what it stands for.
        """
        verifyObject(IRecovering, self.spawner)

    def test_asked(self) -> None:
        """
        A spawner that can find instances gets one request, with the orders that were its
        own, as they were.
        """
        self.recover(self.one, Instance("t3", "r", 1, 7, spawn="one"))
        [(edge, [order])] = self.spawner.asked
        self.assertEqual(edge, "e-two")
        self.spawner.answer.callback({})
        self.starter.start(self.one)
        self.assertEqual(self.spawner.orders, [order])
        self.clock.advance(0)
        self.starter.start(Instance("t4", "r", 1, 7, spawn="one"))
        self.assertEqual([each.edge for each in self.other.orders], ["e-one"])

    def test_adopted(self) -> None:
        """
        What was found is watched; what was not is gone, but for one whose node
        is here.
        """
        dialled = Instance("t3", "r", 1, 7, spawn="two", slots=1)
        self.recover(self.one, self.two, dialled)
        handle: Any = _Handle()
        self.spawner.answer.callback({"t1": handle})
        self.assertEqual(
            self.told,
            [
                ("gone", self.two, Gone("not found again")),
                ("gone", dialled, Gone("not found again", detached=True)),
            ],
        )
        handle.ready.callback(Address("127.0.0.1", 1))
        self.starter.stop(self.one)
        handle.gone.callback(Gone("stopped"))
        self.assertEqual(
            [each[:2] for each in self.told[2:]], [("ready", self.one), ("gone", self.one)]
        )
        self.assertEqual(handle.stops, 1)

    def test_givenUp(self) -> None:
        """
        What was given up meanwhile is stopped once it is found.
        """
        self.recover(self.one)
        self.one.change(Change.RETIRED)
        self.starter.stop(self.one)
        handle: Any = _Handle()
        self.spawner.answer.callback({"t1": handle})
        self.assertEqual(handle.stops, 1)

    def test_ordersWait(self) -> None:
        """
        Orders wait for the answer, and can be taken back until then; those of
        other spawners don't.
        """
        self.recover()
        self.starter.start(self.one)
        self.starter.start(self.two)
        self.starter.start(Instance("t3", "r", 1, 7, spawn="one"))
        self.assertEqual([len(each.orders) for each in (self.spawner, self.other)], [0, 1])
        self.starter.stop(self.one)
        self.assertEqual(self.told, [("gone", self.one, Gone("not started"))])
        self.clock.advance(0)
        self.spawner.answer.callback({})
        self.assertEqual([each.ticket for each in self.spawner.orders], ["t2"])

    def test_paced(self) -> None:
        """
        Each order has a turn of the reactor to itself, and can be taken back
        until then.
        """
        self.starter.start(Instance("t3", "r", 1, 7, spawn="one"))
        self.starter.start(self.one)
        self.starter.start(self.two)
        self.assertEqual([len(each.orders) for each in (self.spawner, self.other)], [0, 1])
        self.starter.stop(self.one)
        self.assertEqual(self.told, [("gone", self.one, Gone("not started"))])
        self.clock.advance(0)
        self.assertEqual([each.ticket for each in self.spawner.orders], ["t2"])

    def test_fails(self) -> None:
        """
        A failure is reported, and the edge goes on.
        """
        self.recover(self.one)
        self.starter.start(self.two)
        self.spawner.answer.errback(OSError("no\nsocket"))
        self.assertEqual(self.told, [("unfound", self.one)])
        self.assertEqual([each.ticket for each in self.spawner.orders], ["t2"])
        self.assertEqual(
            self.failures(),
            [RecoveryFailed("two", "OSError: no socket")],
        )

    def test_late(self) -> None:
        """
        So is no answer within 30 s; then the edge goes on without.
        """
        cancelled: list[Any] = []
        self.spawner.answer = Deferred(cancelled.append)
        self.recover(self.one)
        self.clock.advance(29.9)
        self.assertEqual(self.told, [])
        self.clock.advance(0.2)
        self.assertEqual(self.told, [("unfound", self.one)])
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(
            self.failures(),
            [RecoveryFailed("two", "no answer within 30 s")],
        )

    def test_stopAll(self) -> None:
        """
        Stopping waits for the answer, so that what is found is stopped too;
        what was ordered meanwhile is not started.
        """
        self.recover(self.one)
        self.starter.start(self.two)
        stopped = self.starter.stopAll()
        self.other.stopped.callback(None)
        self.spawner.stopped.callback(None)
        self.assertNoResult(stopped)
        self.spawner.answer.callback({})
        self.successResultOf(stopped)
        self.assertEqual(self.spawner.orders, [])
