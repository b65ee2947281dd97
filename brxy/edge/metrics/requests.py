"""
Counts requests, from their records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import define

from brxy.edge.exchanges.refusals import APP_NOT_STARTED, HELD_TOO_LONG
from brxy.edge.metrics import requesttable as table
from brxy.edge.metrics.labels import RouteLabels
from brxy.edge.metrics.series import Distribution, Family, Histogram, Labels, Numbers
from brxy.edge.records.record import CLIENT_GONE, FULL, WARM, Record

__all__ = ["Requests"]

# Groups that are added up at once.
_PART = 50


@define(eq=False)
class _Group:
    """
    The requests of one route that began and ended in the same way.

    @ivar labels: of their number.
    @ivar accepted: the labels of their offers.
    @ivar durations: how long they took, together with those that ended otherwise.
    @ivar unusual: how many of them were not accepted by the first instance that they were given
        to; their offers are counted apart.
    """

    labels: Labels
    accepted: Labels
    durations: Distribution
    count: int = 0
    unusual: int = 0


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
        # Of requests that were not accepted by the first instance that they were given to.
        self._offers = Numbers(table.OFFERS)
        self._retries = Numbers(table.RETRIES)
        # By the label of the route, the status and the start.
        self._groups: dict[tuple[str, int, str], _Group] = {}

    def __call__(self, records: Sequence[Record]) -> None:
        """
        Requests are over.
        """
        groups, label, route = self._groups, "", None
        for record in records:
            if record.route != route:
                route = record.route
                label = self._labels.of(route)
            start = WARM if record.held_at is None else record.start
            group = groups.get((label, record.status, start))
            if group is None:
                group = self._newGroup(label, record.status, start)
            group.count += 1
            group.durations.observe(record.ended - record.arrived)
            if record.offers != 1 or record.fates:
                group.unusual += 1
                self._countOffers(label, record)
            if start is not WARM:
                self._held.of(label, _outcome(record)).observe(record.hold)

    def exemplify(self, record: Record, moment: float) -> None:
        """
        Show the trace of a request with how long it took.

        @param moment: when it was over, in seconds since 1970.
        """
        durations = self._durations.of(self._labels.of(record.route), record.start)
        durations.exemplify(record.ended - record.arrived, record.trace_id, moment)

    def _newGroup(self, label: str, status: int, start: str) -> _Group:
        for outcome in table.OFFERS.values["outcome"]:
            self._offers.add(label, outcome, amount=0)
        for reason in table.RETRIES.values["reason"]:
            self._retries.add(label, reason, amount=0)
        labels = (label, self._code(status), start)
        group = _Group(labels, (label, "accepted"), self._durations.of(label, start))
        self._groups[label, status, start] = group
        return group

    def _countOffers(self, label: str, record: Record) -> None:
        fates, offers = record.fates, record.offers
        if offers > len(fates):
            self._offers.add(label, "accepted", amount=offers - len(fates))
        for number, fate in enumerate(fates):
            self._offers.add(label, "refused" if fate is FULL else fate)
            if number + 1 < offers:
                self._retries.add(label, fate)

    def read(self, found: list[Family]) -> Iterator[None]:
        """
        Add up a part of the requests, and yield after each.

        @param found: gets the metrics with their values when all is added up.
        """
        counts: dict[Labels, float] = {}
        offers = self._offers.series.copy()
        for number, group in enumerate(list(self._groups.values())):
            labels, accepted = group.labels, group.accepted
            counts[labels] = counts.get(labels, 0) + group.count
            offers[accepted] = offers.get(accepted, 0) + group.count - group.unusual
            if number % _PART == 0:
                yield
        found += [
            (table.REQUESTS, counts),
            (table.DURATION, self._durations.series),
            (table.HOLD, self._held.series),
            (table.OFFERS, offers),
            (table.RETRIES, self._retries.series),
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
