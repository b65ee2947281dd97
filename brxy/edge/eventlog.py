"""
The log of an edge: the level and the text of each event.
"""

from __future__ import annotations

import re
from typing import Any

from attrs import asdict
from twisted.logger import Logger, LogLevel

from brxy.edge.accesslog.events import AccessLogDropped, AccessLogFailed
from brxy.edge.applogs.events import OutputLost
from brxy.edge.events import (
    BadResponse,
    CertificateExpired,
    CertificateExpires,
    ClientsFull,
    CommandEnded,
    DialledIn,
    Draining,
    DrainingEnded,
    Drains,
    Event,
    ExchangeLost,
    GivenUp,
    Gone,
    Holding,
    NodeRefused,
    NoNodeAdmitted,
    Ordered,
    Paused,
    ProxyRefused,
    Ready,
    RecoveryFailed,
    ReloadFailed,
    Reloading,
    Responsive,
    Resumed,
    Retires,
    RollFailed,
    RollStarted,
    SlotDropped,
    StartFailed,
    StateNotSaved,
    Stopped,
    Unclaimed,
    Unresponsive,
    Woken,
)
from brxy.edge.learning import CapacityLearned, CapacityUnknown
from brxy.edge.shortages import Refuses
from brxy.edge.startstop import (
    AdminListening,
    AdminUnavailable,
    CannotWatch,
    ClientsAbandoned,
    FinishingClients,
    HandedOver,
    Listening,
    NeedsRestart,
    NodesListening,
    Reloaded,
    StoppingSpawned,
    TakenOver,
    UpgradeFailed,
    Upgrading,
)
from brxy.edge.traces.events import SpansDropped, TracesExported, TraceVariableIgnored

__all__ = ["TEXTS", "LogListener", "fieldsOf", "nameOf", "textOf"]

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

#: Level and text of each event in the log; C{doc/logs.rst} explains them.
TEXTS: dict[type[Event], tuple[Any, str]] = {
    Holding: (LogLevel.info, "{route}: holding clients until an instance is ready"),
    StartFailed: (LogLevel.warn, "{route}: cannot start an instance: {reason}"),
    RollStarted: (LogLevel.info, "{route}: rolling"),
    RollFailed: (LogLevel.warn, "{route}: the roll has ended: {reason}"),
    Woken: (LogLevel.info, "{route}: woken, at least {count} ready for {seconds:g} s"),
    Paused: (LogLevel.info, "{route}: paused, for at most {seconds:g} s"),
    Stopped: (LogLevel.info, "{route}: stopped"),
    Resumed: (LogLevel.info, "{route}: resumed"),
    ExchangeLost: (LogLevel.warn, "{route}: lost an exchange: {reason}"),
    BadResponse: (LogLevel.warn, "{route}: bad response from the app: {reason}"),
    Ordered: (LogLevel.info, "{route}/{ticket}: ordered"),
    DialledIn: (LogLevel.info, "{route}/{ticket}: node {node} dialled in"),
    Ready: (LogLevel.info, "{route}/{ticket}: ready after {seconds:.3f} s"),
    CapacityLearned: (LogLevel.info, "{route}/{ticket}: learned its capacity: {capacity}"),
    CapacityUnknown: (
        LogLevel.warn,
        "{route}/{ticket}: can't learn its capacity, which counts as 1: {reason}; set capacity= "
        "to the number of exchanges that an instance takes at once",
    ),
    Drains: (LogLevel.info, "{route}/{ticket}: draining"),
    Refuses: (LogLevel.info, "{route}/{ticket}: refuses exchanges for now: {reason}"),
    Retires: (LogLevel.info, "{route}/{ticket}: retiring"),
    Unresponsive: (LogLevel.info, "{route}/{ticket}: unresponsive, gets no more exchanges"),
    Responsive: (LogLevel.info, "{route}/{ticket}: responsive again"),
    CommandEnded: (
        LogLevel.info,
        "{route}/{ticket}: its command has ended ({reason}), its node may still run",
    ),
    GivenUp: (LogLevel.info, "{route}/{ticket}: given up: {reason}"),
    Gone: (LogLevel.info, "{route}/{ticket}: gone: {reason}"),
    SlotDropped: (LogLevel.warn, "{route}/{ticket}: closed a slot: {reason}"),
    NodeRefused: (LogLevel.warn, "refused a node from {where}: {reason}"),
    NoNodeAdmitted: (LogLevel.warn, "no node can authenticate: give a --token-file"),
    ProxyRefused: (LogLevel.warn, "closed a connection from proxy {proxy}: {reason}"),
    ClientsFull: (
        LogLevel.warn,
        "{count} clients are connected, the maximum: more must wait until one leaves",
    ),
    CertificateExpires: (
        LogLevel.warn,
        "{where}: the certificate expires on {end:%Y-%m-%d}: renew it",
    ),
    CertificateExpired: (
        LogLevel.warn,
        "{where}: the certificate expired on {end:%Y-%m-%d}: renew it",
    ),
    Unclaimed: (
        LogLevel.warn,
        "no --spawn is named {spawn} any more; an earlier run left {names} of it: their nodes "
        "may dial in, and leave when idle; remove by hand what else is marked with {edge}, or "
        "stop an edge that has that --spawn again",
    ),
    RecoveryFailed: (
        LogLevel.warn,
        "{spawn} cannot find what an earlier run left: {reason}",
    ),
    Listening: (LogLevel.info, "listening on {where}"),
    NodesListening: (LogLevel.info, "nodes connect to {where}"),
    AdminListening: (LogLevel.info, "admin API on {where}"),
    AdminUnavailable: (LogLevel.warn, "no admin API: {reason}"),
    Draining: (LogLevel.info, "draining: load balancers should choose another edge"),
    DrainingEnded: (LogLevel.info, "taking clients again"),
    Reloading: (LogLevel.info, "reading certificates and tokens again"),
    ReloadFailed: (LogLevel.error, "keeping what was read before: {reason}"),
    Reloaded: (LogLevel.info, "read the settings again, {changes}, in {seconds:.3f} s"),
    CannotWatch: (
        LogLevel.error,
        "can't watch {folder} for changes, reload by SIGHUP: {reason}",
    ),
    NeedsRestart: (
        LogLevel.warn,
        "{option} has changed, which needs a restart: ignored until then",
    ),
    StateNotSaved: (LogLevel.error, "cannot write the state file: {reason}"),
    OutputLost: (LogLevel.warn, "{route}: {count} lines of its output are lost: {reason}"),
    AccessLogFailed: (LogLevel.error, "cannot write the access log: {reason}"),
    AccessLogDropped: (LogLevel.warn, "{count} lines of the access log are lost"),
    TracesExported: (LogLevel.info, "exporting traces to {where}"),
    TraceVariableIgnored: (LogLevel.warn, "ignoring {variable}: {reason}"),
    SpansDropped: (LogLevel.warn, "{count} spans are lost: {reason}"),
    Upgrading: (LogLevel.info, "upgrading: the next edge is process {pid}"),
    UpgradeFailed: (LogLevel.error, "the upgrade has failed, going on: {reason}"),
    HandedOver: (
        LogLevel.info,
        "handed over to process {pid}, brxy {version}; finishing with {clients} clients and "
        "{instances} instances, for at most {seconds:g} s",
    ),
    TakenOver: (LogLevel.info, "has taken over; former edges that serve what they had: {former}"),
    FinishingClients: (
        LogLevel.info,
        "waiting for clients to finish ({count}), for at most {seconds:g} s; a second signal "
        "(Ctrl-C) stops at once",
    ),
    ClientsAbandoned: (LogLevel.warn, "no longer waiting for clients ({count})"),
    StoppingSpawned: (
        LogLevel.info,
        "stopping what was spawned; a second signal (Ctrl-C) stops at once",
    ),
}


def nameOf(event: Event) -> str:
    """
    @return: the kind of an event: C{"roll_started"}.
    """
    return _WORD.sub("_", type(event).__name__).lower()


def fieldsOf(event: Event) -> dict[str, Any]:
    """
    @return: the values of an event, by name.
    """
    fields = asdict(event, recurse=False)
    if isinstance(event, Unclaimed):
        fields["names"] = ", ".join(event.names)
    return fields


def textOf(event: Event) -> str:
    """
    @return: an event as the log has it.
    """
    return TEXTS[type(event)][1].format(**fieldsOf(event))


class LogListener:
    """
    Writes each event to the log.
    """

    def __init__(self, log: Logger | None = None) -> None:
        self._log = Logger(namespace="brxy.edge") if log is None else log

    def __call__(self, event: Event) -> None:
        """
        Write one event.
        """
        level, text = TEXTS[type(event)]
        fields = fieldsOf(event)
        self._log.emit(level, text, **fields, event_name=nameOf(event), event_fields=fields)
