"""
Makes the parts of an edge from its settings, and connects them.

Nothing is opened or started here: see L{brxy.edge.service}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import frozen

from brxy.broker.broker import Broker
from brxy.edge.admin.certificates import Certificates
from brxy.edge.admin.changing import Changing
from brxy.edge.admin.dashboard.serving import Dashboard
from brxy.edge.admin.edgewide import EdgeWide
from brxy.edge.admin.following import Following
from brxy.edge.admin.history.serving import History
from brxy.edge.admin.journal import Journal
from brxy.edge.admin.ports import AdminAccess, AdminPorts, AdminToken
from brxy.edge.admin.printed.serving import Printing
from brxy.edge.admin.server import AdminServer
from brxy.edge.admin.showing import Showing, Subject
from brxy.edge.admin.state.configuration import Configuration
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
from brxy.edge.making.clientports import makeClients
from brxy.edge.making.recording import Recording, makeRecording
from brxy.edge.metrics.edgemetrics import EdgeMetrics, makeMetrics, metricsEndpoint
from brxy.edge.metrics.state import Sources
from brxy.edge.nodeports import NodePorts
from brxy.edge.ports import ClientPorts
from brxy.edge.records.records import Records
from brxy.edge.reload.reloader import Reader, Reloader, Running
from brxy.edge.reload.watching import Watching
from brxy.edge.routing.holdtimes import HoldTimes
from brxy.edge.slots.access import Access
from brxy.edge.slots.node import SlotFactory
from brxy.edge.slots.tls import NodeTLS
from brxy.edge.upgrade.former import Inheritance
from brxy.edge.upgrade.upgrader import Upgrader
from brxy.program.tokenfile import makeToken, readTokens
from brxy.scaler.scaler import Scaler
from brxy.transport.connection import Shared

__all__ = ["Around", "Parts", "build"]


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
    @ivar reloader: reads files and settings again.
    @ivar watching: reloads when configuration files change.
    @ivar recording: records exchanges.
    @ivar metrics: what is counted for Prometheus; L{None} if nothing is.
    @ivar upgrader: has another edge take the place of this one.
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
    reloader: Reloader
    watching: Watching
    recording: Recording
    metrics: EdgeMetrics | None
    upgrader: Upgrader


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


@frozen
class Around:
    """
    What an edge is given besides its settings.

    @ivar read: reads the settings again; L{None} if they can't change.
    @ivar environ: the environment, which says what becomes of traces.
    @ivar given: what a former edge has handed over.
    """

    read: Reader | None
    environ: Mapping[str, str]
    given: Inheritance


def build(reactor: Any, settings: EdgeSettings, around: Around) -> Parts:
    """
    Make the parts of an edge, or raise a C{UsageError} if the state or a file can't be used.
    """
    events, given = Events([LogListener(), journal := Journal()]), around.given
    shared, state = Shared(reactor), StateFile(settings.state_dir, given.state)
    files, broker = _readFiles(settings, state, events), _makeBroker(settings)
    scaler = makeScaler(reactor, settings, broker.gates.waiting)
    keeper = makeKeeper(reactor, state, scaler, events)
    made = makeRecording(reactor, settings, scaler, events, around.environ)
    dispatch = _makeDispatch(settings, shared, broker, events, made.records)
    nodes = _makeNodes(shared, settings, dispatch, files, events, given)
    scaling = makeScaling(
        settings, shared, scaler, dispatch, state, files.access, keeper, nodes.dialEndpoint, events
    )
    clients = makeClients(shared, settings, dispatch, scaler, files.certificates, events, given)
    running = Running(scaler, broker, dispatch, scaling, files.access, clients, nodes)
    reloader = Reloader(reactor, settings, running, events, files.reloads, around.read)
    subject = Subject(events, state, reloader, dispatch, scaler, scaling, clients.ports, nodes)
    upgrader = Upgrader(subject, shared, given.sockets, keeper)
    metrics = _makeMetrics(shared, settings, subject, made)
    return Parts(
        events=events,
        shared=shared,
        state=state,
        scaler=scaler,
        dispatch=dispatch,
        scaling=scaling,
        keeper=keeper,
        clients=clients.ports,
        nodes=nodes,
        admin=_makeAdmin(shared, files, subject, journal, metrics, upgrader),
        reloader=reloader,
        watching=Watching(reactor, reloader, events),
        recording=made,
        metrics=metrics,
        upgrader=upgrader,
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
    access.share(*readTokens(path))


def _makeBroker(settings: EdgeSettings) -> Broker[Exchange, Any]:
    limits = settings.limits
    return Broker(
        limits.max_held,
        settings.hold_timeout,
        max_held_total=limits.held_total,
        max_held_per_address=limits.max_held_per_address,
        own_timeouts=HoldTimes(settings.default_route, settings.routed).find,
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


def _makeNodes(
    shared: Shared,
    settings: EdgeSettings,
    dispatch: Dispatch,
    files: _Files,
    events: Events,
    given: Inheritance,
) -> NodePorts:
    slots = SlotFactory(shared, dispatch, events)
    return NodePorts(shared.reactor, settings, slots, files.node_tls, events, given.sockets)


def _makeMetrics(
    shared: Shared, settings: EdgeSettings, subject: Subject, made: Recording
) -> EdgeMetrics | None:
    sources = Sources(
        subject.scaler.snapshots,
        subject.dispatch.snapshot,
        subject.clients.countAccepted,
        shared.seconds,
    )
    reloader, events = subject.reloader, subject.events
    records, traces = made.records, made.traces
    return makeMetrics(shared.reactor, settings, reloader, sources, events, records, traces)


def _makeAdmin(
    shared: Shared,
    files: _Files,
    subject: Subject,
    journal: Journal,
    metrics: EdgeMetrics | None,
    upgrader: Upgrader,
) -> AdminPorts:
    """
    The admin API.
    """
    reactor, events = shared.reactor, subject.events
    printing = Printing.of(reactor, events, subject.reloader.settings)
    history = History(reactor, subject, printing.tails.lastLine)
    store = files.admin.certificates
    showing = Showing(reactor, subject, lambda: ports.shown, history, store)
    changing = Changing(reactor, subject, showing, journal)
    handlers = (
        showing,
        changing,
        Following(reactor, journal),
        EdgeWide(reactor, subject, upgrader),
        printing,
        history,
        Certificates(store),
        Configuration(subject.reloader),
        Dashboard(),
    )
    endpoints = [each for some in handlers for each in some.endpoints()]
    server = AdminServer(shared, [*endpoints, metricsEndpoint(reactor, metrics)])

    def leave() -> None:
        changing.leave()
        history.leave()

    settings, sockets = subject.reloader.settings, upgrader.sockets
    begin = history.begin
    ports = AdminPorts(reactor, settings, server, files.admin, events, begin, leave, sockets)
    return ports
