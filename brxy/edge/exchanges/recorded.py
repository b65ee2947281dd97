"""
Carriers that record their exchanges.

They are used in place of the others while something observes exchanges, so that these pay
nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from brxy.edge.exchanges.carrier import Carrier
from brxy.edge.exchanges.ends import Client, Dispatcher, HTTPClientEnd, SlotEnd
from brxy.edge.exchanges.http import HTTPCarrier
from brxy.edge.exchanges.postgres import RequestingCarrier
from brxy.edge.exchanges.table import OVER, Action, Input
from brxy.edge.exchanges.tcp import TCPCarrier
from brxy.edge.records.receipt import receiptLines
from brxy.edge.records.record import CLIENT_CLOSED, CLIENT_GONE, FULL, LOST, REFUSED, Record
from brxy.edge.records.records import Records
from brxy.http.body import LengthBody
from brxy.http.messages import Field, RequestHead
from brxy.wire.frames import NOT_TAKEN_UP

__all__ = ["RecordedHTTP", "RecordedRequesting", "RecordedTCP"]

# Looking up a member in its class takes ten times as long.
_MATCHED = Input.MATCHED
_FAIL, _CUT, _NEXT, _LINGER, _CLOSE = _ENDS = (
    Action.FAIL,
    Action.CUT,
    Action.NEXT,
    Action.LINGER,
    Action.CLOSE,
)
_TAKEN = Action.TAKEN


def _noting(action: Action, perform: Callable[[Any], None]) -> Callable[[Any], None]:
    def performed(carrier: Any) -> None:
        carrier.note(action)
        perform(carrier)

    return performed


class _Recorded(Carrier):
    """
    What the recorded carriers have in common.

    What each warm request goes through names its base classes: C{super} takes longer.
    """

    _record: Record
    _records: Records
    _gone = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        performers = list(cls.performers)
        for action in (*_ENDS, _TAKEN):
            performers[action] = _noting(action, performers[action])
        performers[_NEXT] = cls._next
        cls.performers = tuple(performers)

    def held(self) -> None:
        """
        See L{Carrier}.
        """
        record = self._record
        record.matched = None
        if record.held_at is None:
            record.held_at = self._records.seconds()
            record.cold = not self._records.hasReady(record.route)

    def matched(self, slot: SlotEnd, event: Input = _MATCHED) -> None:
        """
        See L{Carrier}.
        """
        record = self._record
        record.offers += 1
        record.instance = slot.instance
        record.matched = self._records.seconds()
        # As Carrier does.
        self.far = slot
        self._perform(event)

    def refused(self, reason: str) -> None:
        """
        See L{Carrier}.
        """
        self._record.fates += (FULL if reason == NOT_TAKEN_UP else REFUSED,)
        super().refused(reason)

    def _lost(self, reason: str) -> None:
        self._record.fates += (LOST,)
        super()._lost(reason)

    def received(self, data: bytes) -> None:
        """
        See L{Carrier}.
        """
        self._record.bytes_in += len(data)
        super().received(data)

    def hangup(self) -> None:
        """
        See L{Carrier}.
        """
        self._gone = True
        super().hangup()

    def note(self, action: Action) -> None:
        """
        An action of L{_ENDS} is about to be performed, or TAKEN.
        """
        record = self._record
        now = record.ended or self._records.seconds()
        if action is _TAKEN:
            # Until then it was held, or may have been.
            record.matched = now
            return
        if action is _CLOSE or self._gone:
            record.error = CLIENT_GONE
        elif action is _FAIL or action is _CUT:
            record.error = self._refusal.text
        record.ended = now
        self._conclude(record, action)
        self._records.ended(record)

    def _next(self) -> None:
        # As note() does, but nothing has failed.
        record = self._record
        if not record.ended:
            record.ended = self._records.seconds()
            self._conclude(record, _NEXT)
        self._records.ended(record)
        self.near.next()

    def _conclude(self, record: Record, action: Action) -> None:
        """
        Complete the record.
        """


class RecordedHTTP(_Recorded, HTTPCarrier):
    """
    An L{HTTPCarrier} that records its exchange.
    """

    def __init__(
        self,
        client: HTTPClientEnd,
        dispatcher: Dispatcher,
        route: str,
        head: RequestHead,
        request_id: bytes,
    ) -> None:
        HTTPCarrier.__init__(self, client, dispatcher, route, head, request_id)
        self._records = records = dispatcher.records
        self._record = Record(
            route,
            head,
            client.client,
            "https" if client.scheme == b"https" else "http",
            records.seconds(),
            head.request_id or request_id,
        )

    def _passTunnel(self, data: bytes) -> None:
        self._record.bytes_out += len(data)
        super()._passTunnel(data)

    def _passBody(self, data: bytes) -> None:
        self._record.bytes_out += len(data)
        super()._passBody(data)

    def _answer(self) -> None:
        record, response = self._record, self._response
        assert response is not None, "answering without a response"
        records = self._records
        record.first_byte = now = records.seconds()
        if self.exchange.progress is OVER:
            record.ended = now
        record.status = response.status
        first, self._inbox = self._inbox, b""
        record.bytes_out += len(first)
        if record.cold or records.receipts:
            self._add(now, response.fields)
        elif records.shows_ids and (response is records.plain or records.isPlain(response)):
            # Joining takes less than formatting.
            self._added = b"X-Request-ID: " + record.request_id + b"\r\n"
        # As HTTPCarrier does.
        self.exchange.copy = None
        self.near.answer(response, first, self._added)

    def _add(self, now: float, fields: Sequence[Field]) -> None:
        records, record = self._records, self._record
        receipt = records.receipts or record.cold and self.near.is_trusted
        if receipt or records.shows_ids:
            self._added = receiptLines(
                record, now, fields, receipt=receipt, shows_id=records.shows_ids
            )

    def _conclude(self, record: Record, action: Action) -> None:
        move, body = self._move, self._body
        if move is not None and isinstance(body, LengthBody):
            record.bytes_out += body.remaining - move.count
        if action is _FAIL:
            record.status = self._refusal.status
            self._add(record.ended, ())
        elif action is _CLOSE and record.first_byte is None:
            record.status = CLIENT_CLOSED


class _RecordedConnection(_Recorded):
    """
    What those of TCP connections have in common.
    """

    def _begin(self, client: Client, dispatcher: Dispatcher, route: str) -> None:
        self._records = records = dispatcher.records
        scheme = "tls" if client.encrypted else "tcp"
        self._record = Record(route, None, client.client, scheme, records.seconds())

    def data(self, source: object, data: bytes) -> None:
        """
        See L{brxy.transport.relay.Relay}.
        """
        record = self._record
        if record.first_byte is None:
            record.first_byte = self._records.seconds()
        record.bytes_out += len(data)
        super().data(source, data)


class RecordedTCP(_RecordedConnection, TCPCarrier):
    """
    A L{TCPCarrier} that records its exchange.
    """

    def __init__(self, client: Client, dispatcher: Dispatcher, route: str) -> None:
        self._begin(client, dispatcher, route)
        super().__init__(client, dispatcher, route)


class RecordedRequesting(_RecordedConnection, RequestingCarrier):
    """
    A L{RequestingCarrier} that records its exchange.
    """

    def __init__(
        self, client: Client, dispatcher: Dispatcher, route: str, granted: Callable[[], None]
    ) -> None:
        self._begin(client, dispatcher, route)
        super().__init__(client, dispatcher, route, granted)
