"""
The field lines by which a response says how it came about.
"""

from __future__ import annotations

from collections.abc import Sequence

from brxy.edge.records.record import Record
from brxy.http.messages import Field

__all__ = ["idLine", "receiptLines"]

_ID, _START = b"x-request-id", b"x-brxy-start"


def idLine(number: bytes) -> bytes:
    """
    The line that has the X-Request-ID of a request.
    """
    return b"X-Request-ID: %b\r\n" % number


def receiptLines(
    record: Record, now: float, fields: Sequence[Field], *, receipt: bool, shows_id: bool
) -> bytes:
    """
    The lines of a response.  What the app has sent itself is not sent twice: another edge may
    be between this one and the app.

    @param record: as far as it is known when the response begins.
    @param now: the time.
    @param fields: those of the app's response.
    @param receipt: to say how long the client was held, and for what.
    @param shows_id: to say which X-Request-ID it had.
    """
    sent = [field[0] for field in fields]
    lines = b""
    if shows_id and _ID not in sent:
        lines = idLine(record.request_id)
    if receipt and _START not in sent:
        lines += b"Server-Timing: %b\r\nX-Brxy-Start: %b\r\n" % (
            _timing(record, now).encode("ascii"),
            record.start.encode("ascii"),
        )
    return lines


def _timing(record: Record, now: float) -> str:
    hold = record.hold if record.matched is not None else now - (record.held_at or now)
    times = [
        ("hold", hold),
        ("order", record.order),
        ("boot", record.boot),
        ("app", record.app),
    ]
    return ", ".join(
        f"brxy-{name};dur={time * 1e3:.1f}" for name, time in times if time is not None
    )
