"""
Changes the parts of an edge that runs to other settings.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Generator, Sequence
from typing import Any, Protocol

from attrs import asdict, frozen
from twisted.internet.defer import Deferred, DeferredLock

from brxy.broker.broker import Broker
from brxy.edge.clients.admission import Admission, clientsAllowed
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.dispatch import Dispatch
from brxy.edge.events import Events, ReloadFailed, Reloading
from brxy.edge.exchanges.refusals import NO_SUCH_APP
from brxy.edge.fleet.scaling import Scaling
from brxy.edge.nodeports import NodePorts
from brxy.edge.ports import ClientPorts
from brxy.edge.reload.changes import Changes
from brxy.edge.reload.plan import Plan, makePlan
from brxy.edge.reload.portset import PortSet
from brxy.edge.routes import RouteTable
from brxy.edge.slots.access import Access
from brxy.edge.startstop import NeedsRestart, Reloaded
from brxy.errors import UsageError
from brxy.reactor.slices import inSlices
from brxy.scaler.scaler import Scaler

__all__ = ["Outcome", "Previewer", "Reader", "Reading", "Reloader", "Running"]


@frozen
class Reading:
    """
    Settings that were read again.

    @ivar settings: the settings; of what can't be used, those that held before.
    @ivar problems: what can't be used, one line each.
    """

    settings: EdgeSettings
    problems: Sequence[str] = ()


#: Reads the settings again, given those that hold; raises L{UsageError} if nothing of them can
#: be used.
Reader = Callable[[EdgeSettings], Awaitable[Reading]]

#: Reads them likewise, but from this file, if it is given in place of the edge's own; what was
#: read is not used.
Previewer = Callable[[EdgeSettings, str | None], Awaitable[Reading]]


@frozen
class Outcome:
    """
    What a reload has done.

    @ivar changes: what differed from before.
    @ivar problems: what could not be used, one line each; it stays as it was.
    """

    changes: Changes
    problems: Sequence[str] = ()

    def plain(self) -> dict[str, Any]:
        """
        The same as plain values for JSON.
        """
        changes = asdict(self.changes, recurse=False)
        changes["replaced"] = {name: on.value for name, on in self.changes.replaced.items()}
        return {"errors": list(self.problems), **changes}


class ClientSide(Protocol):
    """
    What clients connect to.

    @ivar routes: finds the route of a host.
    @ivar made: makes the ports.
    @ivar admission: limits the number of clients.
    @ivar ports: the ports.
    """

    @property
    def routes(self) -> RouteTable: ...

    @property
    def made(self) -> PortSet: ...

    @property
    def admission(self) -> Admission: ...

    @property
    def ports(self) -> ClientPorts: ...


@frozen
class Running:
    """
    The parts of an edge that a reload changes.
    """

    scaler: Scaler
    broker: Broker[Any, Any]
    dispatch: Dispatch
    scaling: Scaling
    access: Access
    clients: ClientSide
    nodes: NodePorts


class Reloader:
    """
    Reads files and settings again, compares the settings with those that hold, and applies what
    differs.  What does not differ is not touched.

    @ivar settings: those that hold.
    @ivar problems: what could not be used at the last reload, one line each.
    @ivar restart: the options that have changed and are ignored until the edge is restarted.
    """

    def __init__(
        self,
        reactor: Any,
        settings: EdgeSettings,
        running: Running,
        events: Events,
        files: Sequence[Callable[[], None]] = (),
        read: Reader | None = None,
    ) -> None:
        """
        @param files: read files again that the settings name; each raises L{UsageError} if a
            file can't be used.
        @param read: reads the settings; L{None} if they can't change.
        """
        self._files = files
        self._read = read
        self._preview: Previewer | None = None
        self._reactor = reactor
        self.settings = settings
        self.problems: Sequence[str] = ()
        self.restart: Sequence[str] = ()
        self._running = running
        self._events = events
        self._lock = DeferredLock()
        self._followers: list[Callable[[EdgeSettings], object]] = []

    @property
    def named(self) -> Collection[str]:
        """
        The routes that the settings name.  The default route has its name in any case.
        """
        named, default = self._running.scaler.book.named, self.settings.default_route
        return named if self._running.clients.routes.serves(default) else named - {default}

    def follow(self, follower: Callable[[EdgeSettings], object]) -> None:
        """
        Have something called with the settings that hold, each time they have changed.
        """
        self._followers.append(follower)

    def keepSettings(self) -> None:
        """
        Read only files again from now on: another edge has taken the place of this one.
        """
        self._read = None

    def reload(self) -> Deferred[Outcome]:
        """
        Read the files that may change while the edge runs, and the settings.  What can't be
        used stays as it was.  A reload that is requested during another one follows it.

        @return: fires with what has changed when all of it is done; a roll that was begun goes
            on.
        """
        return self._lock.run(lambda: Deferred.fromCoroutine(self._reload()))

    def previewBy(self, preview: Previewer) -> None:
        """
        Read the settings by this function when only a preview is wanted.
        """
        self._preview = preview

    async def preview(
        self, file: str | None = None
    ) -> tuple[EdgeSettings, Changes, Sequence[str]]:
        """
        Find out what a reload would change.

        @param file: in place of the edge's configuration file.
        @return: the settings that would hold, how they differ from those that hold, and what
            can't be used, one line each.
        @raise UsageError: nothing can be used.
        """
        if self._preview is None:
            return self.settings, Changes(), ()
        reading = await self._preview(self.settings, file)
        plan = await inSlices(
            self._reactor,
            makePlan(self.settings, reading.settings, self._running.scaler.present),
        )
        # Also what would need a restart is shown with its value.
        return reading.settings, plan.changes, reading.problems

    async def _reload(self) -> Outcome:
        self._events.emit(Reloading())
        self.problems = ()
        for read in (*self._files, self._running.clients.made.reloadPages):
            try:
                read()
            except UsageError as error:
                self._failed(error)
        changes = Changes()
        if self._read is not None:
            try:
                reading = await self._read(self.settings)
                self._failed(*reading.problems)
                if reading.settings is not self.settings:
                    changes = await self._apply(reading.settings)
            except UsageError as error:
                self._failed(*str(error).splitlines())
        return Outcome(changes, self.problems)

    def _failed(self, *problems: object) -> None:
        for each in problems:
            self._events.emit(ReloadFailed(str(each)))
            self.problems = (*self.problems, str(each))

    async def _apply(self, settings: EdgeSettings) -> Changes:
        """
        Change to these settings.

        @raise UsageError: a port can't be opened; nothing has changed then.
        """
        began = self._reactor.seconds()
        present = self._running.scaler.present
        plan = await inSlices(self._reactor, makePlan(self.settings, settings, present))
        if plan.changes:
            self._openPorts(plan.settings)
            await inSlices(self._reactor, self._review(plan, *self._commit(plan)))
        self._report(plan.changes, self._reactor.seconds() - began)
        return plan.changes

    def _openPorts(self, settings: EdgeSettings) -> None:
        clients = self._running.clients
        undo = self._running.nodes.extend(settings)
        try:
            clients.ports.change(clients.made.ports(settings))
        except UsageError:
            undo()
            raise

    def _commit(self, plan: Plan) -> tuple[Any, RouteTable]:
        """
        From now on the new settings hold.  Nothing here can fail or takes long.
        """
        running, settings = self._running, plan.settings
        limits = settings.limits
        self.settings = settings
        book = running.scaler.book.adopt(plan.book)
        table = running.clients.routes.adopt(plan.routes)
        changes = plan.changes
        changed = (*changes.removed, *changes.replaced)
        running.scaling.starter.adopt(plan.spawnings, changed)
        running.scaling.wake_limits.adopt(limits)
        running.dispatch.retries = settings.retries
        running.broker.setLimits(
            limits.max_held,
            limits.held_total,
            settings.hold_timeout,
            self._reactor.seconds(),
            plan.hold_times.find,
        )
        running.dispatch.deadlineChanged()
        running.access.allow(settings.allowed)
        running.clients.admission.setLimits(
            limits.max_connections,
            lambda files: clientsAllowed(files, settings.max_total, plan.slots),
        )
        running.clients.made.route(plan.router)
        running.clients.made.show(settings.error_pages)
        for each in running.clients.made.listeners:
            each.max_body, each.max_requests = limits.max_body, limits.max_requests
        return book, table

    def _review(self, plan: Plan, book: Any, table: RouteTable) -> Generator[None, None, None]:
        """
        Go through the routes, and do for each what follows from the change.
        """
        running, changes = self._running, plan.changes
        scaler, scaling, seconds = running.scaler, running.scaling, self._reactor.seconds
        adjusted = frozenset(changes.adjusted)
        routes = dict.fromkeys([*scaler.reviews.routes(), *running.dispatch.snapshot().held])
        for route in routes:
            was_served = book.serves(route) and table.serves(route)
            # Another node may serve a route for which there is no spawn.
            served = running.clients.routes.serves(route) and (
                scaler.book.serves(route) or not was_served
            )
            scaling.perform(scaler.reviews.review(route, changes.replaced, served, seconds()))
            if adjusted:
                self._setTimeouts(route, adjusted)
            if was_served and not served and not scaler.present(route):
                running.dispatch.reject(route, NO_SUCH_APP)
            yield
        scaling.perform(scaler.reviews.finish(seconds()))
        for follower in self._followers:
            yield
            follower(plan.settings)
        yield
        # To free what held before takes long, too.
        del table
        yield

    def _setTimeouts(self, route: str, adjusted: frozenset[str]) -> None:
        for instance in self._running.scaler.instances(route):
            if instance.spawn in adjusted:
                scaling = self._running.scaling
                scaling.reaches.setTimeouts(instance, scaling.starter.spawning(instance))

    def _report(self, changes: Changes, took: float) -> None:
        self._events.emit(
            Reloaded(
                str(changes),
                changes.added,
                changes.removed,
                changes.adjusted,
                tuple(changes.replaced),
                changes.settings,
                took,
            )
        )
        self.restart = changes.restart
        for option in changes.restart:
            self._events.emit(NeedsRestart(option))
