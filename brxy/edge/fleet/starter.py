"""
Starting and ending instances by their spawners.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, gatherResults, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.edge.config.settings import Spawning
from brxy.edge.events import Events, Ordered
from brxy.edge.fleet.recovery import Recovery, labelOf
from brxy.edge.fleet.spawnings import Spawnings, outlives
from brxy.errors import EXHAUSTED, SpawnFailed
from brxy.interfaces import Address, Gone, IInstance, ILeaving, IRecovering, ISpawner, SpawnOrder
from brxy.reactor.turns import TurnQueue
from brxy.scaler.instance import Instance, State
from brxy.values.capacity import AUTO

__all__ = ["Owner", "Starter"]


class Owner(Protocol):
    """
    What a L{Starter} needs of its owner: it reports there.
    """

    def fronted(
        self, instance: Instance, handle: IInstance, address: Address, spawning: Spawning
    ) -> None:
        """
        An instance can be reached at an address: the edge fronts it.
        """

    def gone(self, instance: Instance, gone: Gone) -> None:
        """
        An instance has ended.
        """

    def failed(self, instance: Instance, reason: str) -> None:
        """
        An instance could not even be started.
        """

    def unfound(self, instance: Instance) -> None:
        """
        It can't be found out what became of an instance of an earlier run.
        """

    def withdrawn(self, instance: Instance) -> None:
        """
        Something other than this edge is ending an instance.
        """


class Starter:
    """
    Performs the orders of the scaler, and reports what becomes of them.

    @ivar turns: the orders that are not performed yet.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        spawnings: Mapping[str, Spawning],
        owner: Owner,
        *,
        endpoint: Callable[[ISpawner], str],
        token: Callable[[str, str], str],
        edge_id: str,
        events: Events,
    ) -> None:
        """
        @param spawnings: by the names of the spawns.
        @param endpoint: where the nodes of a spawner dial the edge, as a Twisted client
            endpoint.
        @param token: makes what they bring, for a route and a ticket.
        @param edge_id: the name of the edge.
        """
        self._clock = clock
        self._spawnings = Spawnings(spawnings)
        self._owner = owner
        self._endpoint = endpoint
        self._token = token
        self._edge_id = edge_id
        self._events = events
        self._handles: dict[Instance, IInstance] = {}
        self._recoveries: dict[str, Recovery] = {}
        # Starting a process and logging it takes about a millisecond.
        self.turns = TurnQueue(clock, self._spawn)
        self._handed_over = self._stopping = False

    # What an earlier run has left

    def recover(self, remembered: Iterable[Instance]) -> None:
        """
        Have each spawner find what an earlier run of the edge has left, if it can.  Until
        it has, its orders wait.

        @param remembered: the instances that there were.
        """
        sought = list(remembered)
        for name, spawning in self._spawnings.current.items():
            if not IRecovering.providedBy(spawning.spawner):
                continue
            mine = [each for each in sought if each.spawn == name]
            recovery = self._recoveries[name] = Recovery(name, self._events)
            recovery.over.addCallback(self._recovered, name, mine, spawning)
            recovery.over.addErrback(lambda failure: self._log.failure("after recovery", failure))
            orders = [self._order(each, spawning) for each in mine]
            recovery.begin(
                IRecovering(spawning.spawner), labelOf(self._edge_id, name), orders, self._clock
            )

    def _recovered(
        self,
        found: Mapping[str, IInstance] | None,
        name: str,
        sought: Sequence[Instance],
        spawning: Spawning,
    ) -> None:
        waiting = self._recoveries.pop(name).waiting
        for instance in sought:
            handle = None if found is None else found.get(instance.ticket)
            if handle is not None:
                self._watch(instance, handle, spawning)
                if instance.retired or instance.state is State.GONE:
                    handle.stop()
            elif found is None:
                self._owner.unfound(instance)
            else:
                # An instance whose node has dialled in is there nevertheless.
                self._owner.gone(instance, Gone("not found again", detached=instance.slots > 0))
        for instance in waiting:
            if not self._stopping:
                self.start(instance)
        self._stopFormer()

    # Changes of the settings

    def adopt(self, spawnings: Mapping[str, Spawning], changed: Iterable[str]) -> None:
        """
        Start instances in other ways from now on.  What has started others before is kept
        until they are gone.

        @param changed: the names of the spawns that start other ones than before, or none.
        """
        self._spawnings.adopt(spawnings, changed)
        self._stopFormer()

    def spawning(self, instance: Instance) -> Spawning | None:
        """
        How the instances of the spawn of an instance are started now.
        """
        return self._spawnings.current.get(instance.spawn or "")

    def _stopFormer(self) -> None:
        for name, spawner in self._spawnings.idle():
            if name not in self._recoveries and not self._stopping:
                self._spawnings.drop(spawner)
                stopped = maybeDeferred(spawner.stop)
                stopped.addErrback(
                    lambda failure: self._log.failure("at a spawner's end", failure)
                )

    # Orders

    def start(self, instance: Instance) -> None:
        """
        Start an instance, in a turn of its own.
        """
        assert instance.spawn is not None, "an order without a spawn"
        if instance.spawn in self._recoveries:
            self._recoveries[instance.spawn].waiting[instance] = None
        else:
            self.turns.add(instance)

    def _spawn(self, instance: Instance) -> None:
        spawning = self.spawning(instance)
        if spawning is None:
            self._owner.gone(instance, Gone("its spawn is not configured any more"))
            return
        self._events.emit(Ordered(instance.route, instance.ticket))
        try:
            handle = spawning.spawner.spawn(self._order(instance, spawning))
            if any(handle is each for each in self._handles.values()):
                raise SpawnFailed("its spawner returned the instance of another order")
        except SpawnFailed as error:
            self._owner.failed(instance, str(error))
            return
        except OSError as error:
            if error.errno not in EXHAUSTED:
                self._broken(instance)
            else:
                self._owner.failed(instance, str(error.strerror))
            return
        except Exception:
            self._broken(instance)
            return
        self._watch(instance, handle, spawning)

    def _broken(self, instance: Instance) -> None:
        self._log.failure("the spawner of {route} is broken", route=instance.route)
        self._owner.failed(instance, "its spawner is broken")

    def _order(self, instance: Instance, spawning: Spawning) -> SpawnOrder:
        assert instance.spawn is not None, "an order without a spawn"
        return SpawnOrder(
            instance.ticket,
            instance.route,
            AUTO if instance.learns else instance.capacity,
            self._environment(instance, spawning),
            labelOf(self._edge_id, instance.spawn),
            instance.max_capacity,
        )

    def _watch(self, instance: Instance, handle: IInstance, spawning: Spawning) -> None:
        self._handles[instance] = handle
        self._spawnings.use(instance, spawning.spawner)
        handle.ready.addCallbacks(
            lambda address: self._owner.fronted(instance, handle, address, spawning), self._unready
        )
        handle.gone.addCallback(lambda gone: self._ended(instance, gone))
        heard: list[Deferred[Any]] = [handle.ready, handle.gone]
        if ILeaving.providedBy(handle):
            handle.leaving.addCallback(lambda _: self._owner.withdrawn(instance))
            heard.append(handle.leaving)
        for each in heard:
            each.addErrback(lambda failure: self._log.failure("after a spawner's word", failure))

    def _environment(self, instance: Instance, spawning: Spawning) -> dict[str, str]:
        environment = {
            "ROUTE": instance.route,
            "BRXY_EDGE": self._endpoint(spawning.spawner),
            "BRXY_TICKET": instance.ticket,
            "BRXY_TOKEN": self._token(instance.route, instance.ticket),
            "BRXY_CAPACITY": "auto" if instance.learns else str(instance.capacity),
            "BRXY_GENERATION": str(instance.generation),
            "BRXY_IDLE_TIMEOUT": f"{spawning.idle_timeout:g}",
            "BRXY_OLD_IDLE_TIMEOUT": f"{spawning.old_idle_timeout:g}",
        }
        if instance.learns:
            environment["BRXY_MAX_CAPACITY"] = str(instance.max_capacity)
        if spawning.send_proxy:
            environment["BRXY_SEND_PROXY"] = spawning.send_proxy
        if spawning.speaks_first != "client":
            environment["BRXY_SPEAKS_FIRST"] = spawning.speaks_first
        return environment

    def _unready(self, failure: Failure) -> None:
        # A spawner may cancel what it will never fire.
        failure.trap(CancelledError)

    def _ended(self, instance: Instance, gone: Gone) -> None:
        if not gone.detached:
            self.forget(instance)
        self._owner.gone(instance, gone)

    def stop(self, instance: Instance) -> None:
        """
        End an instance, if its spawner can.
        """
        handle = self._handles.get(instance)
        if handle is not None:
            handle.stop()
        elif self.turns.drop(instance):
            self._owner.gone(instance, Gone("not started"))
        elif any(instance in each.waiting for each in self._recoveries.values()):
            for each in self._recoveries.values():
                each.waiting.pop(instance, None)
            self._owner.gone(instance, Gone("not started"))

    def lacking(self, instance: Instance) -> str:
        """
        @return: more about why an instance that has never been reached is not ready.
        """
        spawning = self.spawning(instance)
        if spawning is None or not spawning.spawner.dials_back:
            return ""
        where = self._endpoint(spawning.spawner)
        return (
            f": no node has dialled in at {where}; the command must run "
            "'twistd -n brxy-node -- COMMAND' in the end, and reach the edge there"
        )

    @property
    def handles(self) -> Mapping[Instance, IInstance]:
        """
        The instances that this edge has to end, and what their spawners have returned.
        """
        return self._handles

    def letGo(self, instance: Instance, reached: bool) -> bool:
        """
        Another edge takes over what can outlive this one, and what it can find.

        @param reached: the instance is there.
        @return: whether it goes to that edge.
        """
        self._handed_over = True
        spawner = self._spawnings.spawner(instance)
        if spawner is not None and not outlives(spawner, reached):
            return False
        self._handles.pop(instance, None)
        return True

    def forget(self, instance: Instance) -> None:
        """
        An instance is gone that its spawner had detached.
        """
        self._handles.pop(instance, None)
        self._spawnings.forget(instance)
        self._stopFormer()

    def stopAll(self) -> Deferred[Any]:
        """
        End everything that was started, but for what another edge has taken over.

        @return: fires when all of it is gone.
        """
        self._stopping = True
        self.turns.stop()
        return gatherResults(
            [
                Deferred.fromCoroutine(self._stopSpawner(name, spawner))
                for name, spawner in self._spawnings.all()
                if not (self._handed_over and outlives(spawner, True))
            ]
        )

    async def _stopSpawner(self, name: str, spawner: ISpawner) -> None:
        if name in self._recoveries:
            # Only instances that were found can be stopped.
            await self._recoveries[name].over
        await spawner.stop()
