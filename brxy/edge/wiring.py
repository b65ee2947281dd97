"""
Makes the parts of an edge from its settings, and connects them.

Nothing is opened or started here: see L{brxy.edge.service}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from attrs import frozen

from brxy.broker.broker import Broker
from brxy.edge.admin.certificates import Certificates
from brxy.edge.admin.changing import Changing
from brxy.edge.admin.edgewide import EdgeWide, reloadAll
from brxy.edge.admin.following import Following
from brxy.edge.admin.journal import Journal
from brxy.edge.admin.ports import AdminAccess, AdminPorts, AdminToken
from brxy.edge.admin.printed.serving import Printing
from brxy.edge.admin.server import AdminServer
from brxy.edge.admin.showing import Showing, Subject
from brxy.edge.clients.certificates import CertificateStore
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.dispatch import Dispatch
from brxy.edge.eventlog import LogListener
from brxy.edge.events import Events
from brxy.edge.exchanges.requestbuffer import RequestBuffer
from brxy.edge.exchanges.table import Exchange
from brxy.edge.fleet.making import makeKeeper, makeScaler, makeScaling
from brxy.edge.fleet.scaling import Scaling
from brxy.edge.fleet.statefile import StateFile, StateKeeper
from brxy.edge.making.clientports import makeClientPorts
from brxy.edge.making.recording import Writer, makeRecords
from brxy.edge.metrics.edgemetrics import EdgeMetrics, makeMetrics, metricsEndpoint
from brxy.edge.metrics.state import Sources
from brxy.edge.ports import ClientPorts, NodePorts
from brxy.edge.records.records import Records
from brxy.edge.slots.access import Access
from brxy.edge.slots.node import SlotFactory
from brxy.edge.slots.tls import NodeTLS
from brxy.program.tokenfile import makeToken, readToken
from brxy.scaler.scaler import Scaler
from brxy.transport.connection import Shared
from brxy.values.routepattern import canonical

__all__ = ["Parts", "build"]


@frozen
class Parts:
    """
    What an edge is made of.

    @ivar events: where the parts report what happens.
    @ivar shared: what all connections share.
    @ivar state: what the edge remembers over a restart.
    @ivar scaler: decides which instances there are.
    @ivar dispatch: brings exchanges and slots together, as the broker decides.
    @ivar scaling: has instances started and ended, as the scaler decides.
    @ivar keeper: writes the state file when instances change.
    @ivar clients: the ports for clients.
    @ivar nodes: the ports for nodes.
    @ivar admin: the ports of the admin API.
    @ivar reloads: read files again; each raises L{brxy.errors.UsageError} if a file can't
        be used.
    @ivar writers: what writes files besides the log.
    @ivar metrics: what is counted for Prometheus; L{None} if nothing is.
    """

    events: Events
    shared: Shared
    state: StateFile
    scaler: Scaler
    dispatch: Dispatch
    scaling: Scaling
    keeper: StateKeeper
    clients: ClientPorts
    nodes: NodePorts
    admin: AdminPorts
    reloads: Sequence[Callable[[], None]]
    writers: Sequence[Writer]
    metrics: EdgeMetrics | None


@frozen
class _Files:
    """
    What depends on files, most of which the edge reads again on SIGHUP.
    """

    access: Access
    certificates: CertificateStore | None
    admin: AdminAccess
    node_tls: NodeTLS | None
    reloads: Sequence[Callable[[], None]]


def build(reactor: Any, settings: EdgeSettings) -> Parts:
    """
    Make the parts of an edge.

    @raise UsageError: the state or another file can't be used.
    """
    events = Events([LogListener(), journal := Journal()])
    shared, state = Shared(reactor), StateFile(settings.state_dir)
    files = _readFiles(settings, state, events)
    broker, named = _makeBroker(settings), _named(settings)
    scaler = makeScaler(reactor, settings, named, broker.gates.waiting)
    keeper = makeKeeper(reactor, state, scaler, events)
    records, writers = makeRecords(reactor, settings, scaler, events)
    dispatch = _makeDispatch(settings, shared, broker, events, records)
    slots = SlotFactory(shared, dispatch, events)
    nodes = NodePorts(reactor, settings, slots, files.node_tls, events)
    scaling = makeScaling(
        settings, shared, scaler, dispatch, state, files.access, keeper, nodes.dialEndpoint, events
    )
    certificates, present = files.certificates, scaler.present
    clients = makeClientPorts(reactor, settings, shared, dispatch, present, certificates, events)
    subject = Subject(events, state, settings, named, dispatch, scaler, scaling, clients, nodes)
    sources = Sources(scaler.snapshots, dispatch.snapshot, clients.countAccepted, reactor.seconds)
    metrics = makeMetrics(reactor, settings, named, sources, events, records)
    admin = _makeAdmin(shared, files, subject, journal, metrics)
    return Parts(
        events=events,
        shared=shared,
        state=state,
        scaler=scaler,
        dispatch=dispatch,
        scaling=scaling,
        keeper=keeper,
        clients=clients,
        nodes=nodes,
        admin=admin,
        reloads=files.reloads,
        writers=writers,
        metrics=metrics,
    )


def _readFiles(settings: EdgeSettings, state: StateFile, events: Events) -> _Files:
    access = Access(state.key, settings.allowed)
    reloads: list[Callable[[], None]] = []
    if settings.token_file is not None:
        makeToken(settings.token_file)
        _shareToken(access, settings.token_file)
        reloads.append(partial(_shareToken, access, settings.token_file))
    certificates: CertificateStore | None = None
    if settings.tls_certs is not None:
        certificates = CertificateStore(settings.tls_certs, events)
        reloads.append(certificates.reload)
    node_tls: NodeTLS | None = None
    if settings.node_tls is not None:
        node_tls = NodeTLS(settings.node_tls)
        reloads.append(node_tls.reload)
    token: AdminToken | None = None
    if settings.admin_token_file is not None:
        token = AdminToken(settings.admin_token_file)
        reloads.append(token.reload)
    return _Files(access, certificates, AdminAccess(token, certificates), node_tls, reloads)


def _shareToken(access: Access, path: str) -> None:
    access.share(readToken(path))


def _named(settings: EdgeSettings) -> list[str]:
    """
    The routes that the settings name.
    """
    hosts = [canonical(host, settings.default_route) for host in settings.routes]
    frontends = [name for name, _ in settings.frontends]
    return [
        settings.default_route,
        *hosts,
        *frontends,
        *(each.route for each in settings.tls_frontends),
    ]


def _makeBroker(settings: EdgeSettings) -> Broker[Exchange, Any]:
    limits = settings.limits
    return Broker(
        limits.max_held,
        settings.hold_timeout,
        max_held_total=limits.held_total,
        max_held_per_address=limits.max_held_per_address,
    )


def _makeDispatch(
    settings: EdgeSettings,
    shared: Shared,
    broker: Broker[Exchange, Any],
    events: Events,
    records: Records,
) -> Dispatch:
    return Dispatch(
        shared,
        broker,
        retries=settings.retries,
        response_timeout=settings.response_timeout,
        events=events,
        buffer=RequestBuffer(settings.limits.request_buffer, settings.limits.request_buffer_total),
        records=records,
    )


def _makeAdmin(
    shared: Shared,
    files: _Files,
    subject: Subject,
    journal: Journal,
    metrics: EdgeMetrics | None,
) -> AdminPorts:
    """
    The admin API.
    """
    reactor, events = shared.reactor, subject.events
    showing = Showing(subject, shared.seconds, lambda: ports.shown)
    changing = Changing(reactor, subject, showing, journal)
    handlers = (
        showing,
        changing,
        Following(reactor, journal),
        EdgeWide(reactor, subject, partial(reloadAll, files.reloads, events)),
        Printing.of(reactor, events, subject.settings),
        Certificates(files.admin.certificates),
    )
    endpoints = [each for some in handlers for each in some.endpoints()]
    server = AdminServer(shared, [*endpoints, metricsEndpoint(reactor, metrics)])
    leave = changing.leave
    ports = AdminPorts(reactor, subject.settings, server, files.admin, events, leave)
    return ports
