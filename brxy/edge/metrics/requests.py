"""
Counts requests, from their records.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define

from brxy.edge.exchanges.refusals import APP_NOT_STARTED, HELD_TOO_LONG
from brxy.edge.metrics import requesttable as table
from brxy.edge.metrics.labels import RouteLabels
from brxy.edge.metrics.series import Distribution, Family, Histogram, Labels
from brxy.edge.records.record import CLIENT_GONE, WARM, Record

__all__ = ["Requests"]


@define(eq=False)
class _Group:
    """
    The requests of one route that began and ended in the same way.

    @ivar labels: of their number.
    @ivar route: the label of the route alone.
    @ivar durations: how long they took, together with those that ended otherwise.
    """

    labels: Labels
    route: Labels
    durations: Distribution
    count: int = 0
    offers: int = 0
    retries: int = 0


class Requests:
    """
    An observer of records.
    """

    def __init__(self, labels: RouteLabels, codes: bool) -> None:
        """
        @param codes: requests are counted by their exact status, instead of its class.
        """
        self._labels = labels
        self._codes = codes
        self._durations = Histogram(table.DURATION)
        self._held = Histogram(table.HOLD)
        # By the label of the route, the status and the start.
        self._groups: dict[tuple[str, int, str], _Group] = {}

    def __call__(self, record: Record) -> None:
        """
        A request is over.
        """
        start = record.start
        key = (self._labels.of(record.route), record.status, start)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = self._newGroup(*key)
        group.count += 1
        group.durations.observe(record.ended - record.arrived)
        offers = record.offers
        group.offers += offers
        if offers > 1:
            group.retries += offers - 1
        if start is not WARM:
            self._held.of(key[0], _outcome(record)).observe(record.hold)

    def exemplify(self, record: Record, moment: float) -> None:
        """
        Show the trace of a request with how long it took.

        @param moment: when it was over, in seconds since 1970.
        """
        durations = self._durations.of(self._labels.of(record.route), record.start)
        durations.exemplify(record.ended - record.arrived, record.trace_id, moment)

    def _newGroup(self, label: str, status: int, start: str) -> _Group:
        labels = (label, self._code(status), start)
        return _Group(labels, (label,), self._durations.of(label, start))

    def read(self, found: list[Family]) -> Iterator[None]:
        """
        Add up a part of the requests, and yield after each.

        @param found: gets the metrics with their values when all is added up.
        """
        counts: dict[Labels, float] = {}
        offers: dict[Labels, float] = {}
        retries: dict[Labels, float] = {}
        for group in list(self._groups.values()):
            labels, route = group.labels, group.route
            counts[labels] = counts.get(labels, 0) + group.count
            offers[route] = offers.get(route, 0) + group.offers
            retries[route] = retries.get(route, 0) + group.retries
            yield
        found += [
            (table.REQUESTS, counts),
            (table.DURATION, self._durations.series),
            (table.HOLD, self._held.series),
            (table.OFFERS, offers),
            (table.RETRIES, retries),
        ]

    def _code(self, status: int) -> str:
        if not status:
            return "none"
        return str(status) if self._codes else f"{status // 100}xx"


# Of requests that were held and given to no instance, by their error.
_OUTCOMES = {
    HELD_TOO_LONG.text: "timeout",
    APP_NOT_STARTED.text: "failed",
    CLIENT_GONE: "client_gone",
}


def _outcome(record: Record) -> str:
    """
    What became of a request that was held.
    """
    if record.matched is not None:
        return "served"
    return _OUTCOMES.get(record.error, "refused")
