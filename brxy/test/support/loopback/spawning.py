"""
Spawners for tests, whose instances are apps in the process of the test run:
fronted by the edge, or behind a node that runs in the same process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall
from zope.interface import directlyProvides, implementer, providedBy

from brxy.errors import SpawnFailed
from brxy.interfaces import Address, Gone, IInstance, ISpawner, SpawnOrder
from brxy.node.service import NodeService
from brxy.node.settings import NodeSettings
from brxy.values.capacity import AUTO

__all__ = [
    "FrontedInstance",
    "FrontedSpawner",
    "NodeInstance",
    "NodeSpawner",
    "PatientInstance",
    "PatientSpawner",
    "TestInstance",
    "TestSpawner",
]


class TestInstance:
    """
    One instance, whose app runs already.

    @ivar order: the order that it was started for.
    @ivar app: the address of its app.
    @ivar stops: how often it was stopped.
    @ivar is_gone: nothing is left of it.
    @ivar over: fires when it is gone.
    """

    def __init__(self, reactor: Any, order: SpawnOrder, app: Address) -> None:
        self.reactor = reactor
        self.order = order
        self.app = app
        self.stops = 0
        self.is_gone = False
        self.ready: Deferred[Address] = Deferred()
        self.gone: Deferred[Gone] = Deferred()
        self.over: Deferred[None] = Deferred()

    def start(self) -> None:
        """
        Start serving.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """
        See L{IInstance}.
        """
        raise NotImplementedError

    def end(self, reason: str) -> None:
        """
        End for a reason, without a notice before.
        """
        if not self.is_gone:
            self.is_gone = True
            self.gone.callback(Gone(reason))
            self.over.callback(None)


@implementer(IInstance)
class FrontedInstance(TestInstance):
    """
    An instance that the edge fronts.
    """

    _starting: IDelayedCall | None = None

    def start(self) -> None:
        """
        Become ready, in a later turn.
        """
        self._starting = self.reactor.callLater(0, self._started)

    def _started(self) -> None:
        self._starting = None
        self.ready.callback(self.app)

    def stop(self) -> None:
        """
        See L{IInstance}.
        """
        self.stops += 1
        if self.stops == 1:
            self.reactor.callLater(0, self.end, "stopped")

    def end(self, reason: str) -> None:
        """
        End, and cut what runs.
        """
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None
        super().end(reason)


class _NodeReactor:
    """
    The reactor as a node sees it: its C{stop} ends that node alone.
    """

    def __init__(self, reactor: Any, stop: Callable[[], None]) -> None:
        self._reactor = reactor
        self.stop = stop
        directlyProvides(self, providedBy(reactor))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


@implementer(IInstance)
class NodeInstance(TestInstance):
    """
    An instance with a node of its own.

    @ivar service: the node, once it was started.
    """

    #: How long it continues with running exchanges when it is stopped.
    drain_timeout = 0.0

    service: NodeService | None = None

    def start(self) -> None:
        """
        Start the node.
        """
        environment = self.order.environment
        learns = environment["BRXY_CAPACITY"] == "auto"
        settings = NodeSettings(
            edge=environment["BRXY_EDGE"],
            route=environment["ROUTE"],
            capacity=AUTO if learns else int(environment["BRXY_CAPACITY"]),
            app=self.app,
            ticket=environment["BRXY_TICKET"],
            token=environment.get("BRXY_TOKEN", ""),
            generation=int(environment["BRXY_GENERATION"]),
            idle_timeout=float(environment["BRXY_IDLE_TIMEOUT"]),
            old_idle_timeout=float(environment["BRXY_OLD_IDLE_TIMEOUT"]),
            send_proxy=environment.get("BRXY_SEND_PROXY"),
            drain_timeout=self.drain_timeout,
        )
        reactor = _NodeReactor(self.reactor, self.stop)
        self.service = NodeService(reactor, settings, lambda status: None)
        self.service.startService()

    def stop(self) -> None:
        """
        See L{IInstance}.
        """
        self.stops += 1
        if self.stops > 1:
            return
        if self.service is None:
            self.reactor.callLater(0, self.end, "stopped")
        else:
            stopped = self.service.stopService()
            stopped.addCallback(lambda _: self.end("exit status 0"))


class TestSpawner:
    """
    Records its instances, and fails or waits if a test requests that.

    @param apps: returns the address of an order's app.
    @ivar orders: all orders so far, also failed ones.
    @ivar instances: all instances so far.
    @ivar failure: spawning fails with this.
    @ivar holding: instances are not started before L{release}.
    """

    dials_back: bool
    kind: type[TestInstance]

    def __init__(self, reactor: Any, apps: Callable[[SpawnOrder], Address]) -> None:
        self._reactor = reactor
        self._apps = apps
        self.orders: list[SpawnOrder] = []
        self.instances: list[TestInstance] = []
        self.failure: str | None = None
        self.holding = False
        self._held: list[TestInstance] = []

    @property
    def alive(self) -> list[TestInstance]:
        """
        The instances that are not gone.
        """
        return [each for each in self.instances if not each.is_gone]

    def spawn(self, order: SpawnOrder) -> IInstance:
        """
        See L{ISpawner}.
        """
        self.orders.append(order)
        if self.failure is not None:
            raise SpawnFailed(self.failure)
        instance = self.kind(self._reactor, order, self._apps(order))
        self.instances.append(instance)
        if self.holding:
            self._held.append(instance)
        else:
            instance.start()
        return IInstance(instance)

    def release(self) -> None:
        """
        Start what was held, and whatever is spawned from now on.
        """
        self.holding = False
        held, self._held = self._held, []
        for instance in held:
            if not instance.stops:
                instance.start()

    def stop(self) -> Deferred[Any]:
        """
        See L{ISpawner}.
        """
        alive = self.alive
        for instance in alive:
            instance.stop()
        return gatherResults([each.over for each in alive])


@implementer(ISpawner)
class FrontedSpawner(TestSpawner):
    """
    A spawner for one hop: the edge fronts the apps.
    """

    dials_back = False
    kind = FrontedInstance


@implementer(ISpawner)
class NodeSpawner(TestSpawner):
    """
    A spawner for two hops: a node stands beside each app.
    """

    dials_back = True
    kind = NodeInstance


class PatientInstance(NodeInstance):
    """
    An instance whose node finishes running exchanges when it stops.
    """

    drain_timeout = 25.0


class PatientSpawner(NodeSpawner):
    """
    A spawner of instances whose nodes finish running exchanges.
    """

    kind = PatientInstance
