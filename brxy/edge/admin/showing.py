"""
The part of the admin API that shows what there is, and changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from time import time
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.task import deferLater

from brxy import __version__
from brxy.edge.admin.messages import Request, Response, asJSON
from brxy.edge.admin.queries import checkQuery, choice, covered, hostOf, pageOf
from brxy.edge.admin.state.problems import edgeProblems, problem, routeProblems, shortened
from brxy.edge.admin.state.usage import Usage, localPids
from brxy.edge.admin.table import Endpoint
from brxy.edge.admin.views import STATES, instanceView, routeView
from brxy.edge.clients.certificates import CertificateStore
from brxy.edge.dispatch import Dispatch, DispatchSnapshot
from brxy.edge.events import Events
from brxy.edge.fleet.scaling import Scaling
from brxy.edge.fleet.statefile import StateFile
from brxy.edge.nodeports import NodePorts
from brxy.edge.ports import ClientPorts
from brxy.edge.reload.reloader import Reloader
from brxy.errors import BadRequest
from brxy.scaler.instance import State
from brxy.scaler.scaler import Scaler
from brxy.scaler.snapshot import RouteSnapshot

__all__ = ["Showing", "Subject"]

# Routes that are read in one turn of the reactor.
_AT_ONCE = 50

_STATES = tuple(state.name.lower() for state in State if state is not State.GONE)


@frozen
class Subject:
    """
    The edge that the API is about.

    @ivar events: where what is changed is reported.
    @ivar state: has its name.
    @ivar reloader: has the settings that hold.
    """

    events: Events
    state: StateFile
    reloader: Reloader
    dispatch: Dispatch
    scaler: Scaler
    scaling: Scaling
    clients: ClientPorts
    nodes: NodePorts


class Start(Protocol):
    """
    The start of an instance.
    """

    def view(self) -> dict[str, Any]: ...


class Past(Protocol):
    """
    What has been recorded.

    @ivar denied: how many clients were denied the start of an app in the last ten minutes.
    """

    @property
    def denied(self) -> int: ...

    def starts(self, route: str) -> Sequence[Start]: ...


class Showing:
    """
    The handlers.
    """

    def __init__(
        self,
        reactor: Any,
        subject: Subject,
        ports: Callable[[], list[str]],
        past: Past,
        store: CertificateStore | None,
    ) -> None:
        """
        @param ports: the admin ports as people know them.
        @param past: has the last starts of each route.
        @param store: the certificates for clients.
        """
        self._reactor = reactor
        self._subject = subject
        self._seconds = reactor.seconds
        self._ports = ports
        self._past = past
        self._store = store
        self._usage = Usage(reactor, lambda: localPids(subject.scaling.starter.handles))
        self._began = self._seconds()

    def endpoints(self) -> Sequence[Endpoint]:
        """
        What answers which request.
        """
        return [
            Endpoint("GET", "/healthz", self.health, is_open=True),
            Endpoint("GET", "/readyz", self.readiness, is_open=True),
            Endpoint("GET", "/v1/status", self.status),
            Endpoint("GET", "/v1/routes", self.routes),
            Endpoint("GET", "/v1/routes/{host}", self.route),
            Endpoint("GET", "/v1/instances", self.instances),
            Endpoint("GET", "/v1/instances/{ticket}", self.instance),
        ]

    # Health

    def health(self, request: Request) -> Response:
        """
        The process runs.
        """
        return asJSON({"status": "ok"})

    def readiness(self, request: Request) -> Response:
        """
        The edge takes new clients.
        """
        if self._subject.dispatch.leaving:
            return asJSON({"status": "draining"}, 503)
        return asJSON({"status": "ready"})

    # The edge

    async def status(self, request: Request) -> Response:
        """
        The edge as a whole.
        """
        checkQuery(request, ())
        subject = self._subject
        counts, problems = await self._survey()
        done = subject.dispatch.snapshot()
        uptime = self._seconds() - self._began
        return asJSON(
            {
                "version": __version__,
                "edge": subject.state.edge_id,
                "pid": os.getpid(),
                "started": round(time() - uptime, 3),
                "uptime": round(uptime, 3),
                "state": "draining" if subject.dispatch.leaving else "ready",
                "ports": {
                    "clients": subject.clients.shown,
                    "nodes": subject.nodes.shown,
                    "admin": self._ports(),
                },
                "clients": subject.clients.count(),
                "held": sum(done.held.values()),
                "routes": len(self._hosts()),
                "instances": {
                    **counts,
                    "total": subject.scaler.total(),
                    "max": subject.reloader.settings.max_total,
                },
                "totals": _totals(done),
                "problems": problems,
            }
        )

    # Routes

    async def routes(self, request: Request) -> Response:
        """
        A page of the routes that are known.
        """
        checkQuery(request, ("host", "state", "limit", "after"))
        page, state = pageOf(request), choice(request, "state", STATES)
        hosts = covered(self._hosts(), request.query.get("host", ""))
        found: list[dict[str, Any]] = []
        async for host in self._inTurns(each for each in hosts if each > page.after):
            view = self._view(host, self._read(host))
            if not state or view["state"] == state:
                found.append(view)
            if len(found) > page.limit:
                break
        shown = found[: page.limit]
        more = len(found) > page.limit
        return asJSON({"routes": shown, "next": page.next([each["host"] for each in shown], more)})

    async def route(self, request: Request) -> Response:
        """
        One route, with its instances and its last starts.
        """
        checkQuery(request, ())
        return asJSON(await self.one(self.known(request)))

    def known(self, request: Request) -> str:
        """
        @return: the route in the path of a request.
        @raise BadRequest: the edge does not serve it.
        """
        host = hostOf(request)
        subject = self._subject
        if (
            host in subject.reloader.named
            or subject.scaler.knows(host)
            or subject.scaler.snapshots.maximum(host)
            or subject.dispatch.held(host)
            or subject.dispatch.gates.state(host)
        ):
            return host
        raise BadRequest(404, f"nothing is known of the route {host}")

    async def one(self, host: str) -> dict[str, Any]:
        """
        @return: a route with its instances and its last starts.
        """
        used = await self._usage.measure()
        found = self._read(host)
        instances = [
            instanceView(host, each, used.get(each.ticket))
            for each in (() if found is None else found.instances)
        ]
        starts = [each.view() for each in self._past.starts(host)]
        return {**self._view(host, found), "instance_list": instances, "starts": starts}

    def _hosts(self) -> set[str]:
        dispatch = self._subject.dispatch
        known, held = self._subject.scaler.snapshots.routes(), dispatch.snapshot().held
        return {*known, *self._subject.reloader.named, *held, *dispatch.gates.closed}

    def _read(self, host: str) -> RouteSnapshot | None:
        return self._subject.scaler.snapshots.route(host, self._seconds())

    async def _inTurns(self, hosts: Iterable[str]) -> AsyncIterator[str]:
        """
        With a thousand routes, a loop over them would take too long for one turn.
        """
        for number, host in enumerate(hosts, 1):
            yield host
            if not number % _AT_ONCE:
                await deferLater(self._reactor, 0)

    async def _survey(self) -> tuple[dict[str, int], list[dict[str, Any]]]:
        """
        @return: the number of instances by state, and what is wrong.
        """
        subject = self._subject
        reloader = subject.reloader
        late = () if self._store is None else self._store.late()
        counts = dict.fromkeys(_STATES, 0)
        problems = [*edgeProblems(reloader.problems, reloader.restart, late, self._past.denied)]
        async for host in self._inTurns(subject.scaler.snapshots.routes()):
            found = self._read(host)
            if found is not None:
                for each in found.instances:
                    counts[each.state.name.lower()] += 1
                problems += [problem("route", text, host) for text in routeProblems(found)]
        return counts, shortened(problems)

    def _view(self, host: str, found: RouteSnapshot | None) -> dict[str, Any]:
        dispatch = self._subject.dispatch
        return routeView(host, found, dispatch.held(host), dispatch.gates.state(host))

    # Instances

    async def instances(self, request: Request) -> Response:
        """
        A page of the instances.
        """
        checkQuery(request, ("host", "state", "limit", "after"))
        page, state = pageOf(request), choice(request, "state", _STATES)
        known = self._subject.scaler.snapshots.routes()
        found: list[dict[str, Any]] = []
        used = await self._usage.measure()
        async for host in self._inTurns(covered(known, request.query.get("host", ""))):
            route = self._read(host)
            for each in () if route is None else route.instances:
                if each.ticket > page.after and (not state or each.state.name.lower() == state):
                    found.append(instanceView(host, each, used.get(each.ticket)))
        found.sort(key=lambda view: str(view["ticket"]))
        shown = found[: page.limit]
        tickets = [str(each["ticket"]) for each in shown]
        more = len(found) > page.limit
        return asJSON({"instances": shown, "next": page.next(tickets, more)})

    async def instance(self, request: Request) -> Response:
        """
        One instance.
        """
        checkQuery(request, ())
        ticket = request.parts["ticket"]
        instance = self._subject.scaler.snapshots.instance(ticket)
        if instance is not None:
            for each in (await self.one(instance.route))["instance_list"]:
                if each["ticket"] == ticket:
                    return asJSON(each)
        raise BadRequest(404, "there is no instance with this ticket")


def _totals(done: DispatchSnapshot) -> dict[str, Any]:
    return {
        "matched": done.total_matched,
        "held": done.total_held,
        "offered_again": done.total_requeued,
        "lost": done.total_lost,
        "rejected": sum(done.total_rejected.values()),
        "rejected_by_reason": dict(done.total_rejected),
    }
