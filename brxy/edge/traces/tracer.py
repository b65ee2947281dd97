"""
Which trace each exchange belongs to, and whether it is exported.

An exchange gets its ids before its app sees it, and most are not exported: so this is made to
take little time.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable, Sequence
from os import urandom

from brxy.edge.records.record import CLIENT_GONE, Record
from brxy.edge.traces.environment import Sampler
from brxy.http.messages import RequestHead
from brxy.http.tracecontext import isPlain, readParent

__all__ = ["Tracer", "isFailure"]

_SERVER_ERROR = 500

# A line, and where its digits are: those of a trace and of a span.
_BEGIN = b"\r\ntraceparent: 00-"
_UNSAMPLED, _SAMPLED = b"-00\r\n", b"-01\r\n"
_BLANK = _BEGIN + bytes(32) + b"-" + bytes(16) + _UNSAMPLED
_DIGITS = [at for at, byte in enumerate(_BLANK) if not byte]
_SPAN = slice(_DIGITS[32], _DIGITS[-1] + 1)

# How many lines are made at once.
_LINES = 256


def newLines() -> list[bytes]:
    """
    Make lines with random ids.  To fill in one digit of all lines after the other takes a
    third of the time that it takes to make the lines one by one.
    """
    digits = hexlify(urandom(_LINES * len(_DIGITS) // 2))
    length = len(_BLANK)
    made = bytearray(_BLANK * _LINES)
    for number, at in enumerate(_DIGITS):
        made[at::length] = digits[number * _LINES : (number + 1) * _LINES]
    text = bytes(made)
    return [text[at : at + length] for at in range(0, len(text), length)]


class Tracer:
    """
    Gives exchanges their traces, and passes on the records of those that are exported.

    It is an observer of L{brxy.edge.records.records.Records}, which has to be the first.

    @ivar plain: see L{brxy.edge.records.records.Tracer}.
    """

    def __init__(self, sampler: Sampler, slow: float, export: Callable[[Record], None]) -> None:
        """
        @param slow: a response that has not begun after this number of seconds is exported.
        @param export: gets the record of each exchange whose trace is exported.
        """
        self.plain: object = None
        self._follows_parent = sampler.follows_parent
        self._bound = _bound(sampler.ratio)
        self._slow = slow
        self._export = export
        # For the next exchanges.
        self._lines: list[bytes] = []

    def isPlain(self, head: RequestHead) -> bool:
        """
        See L{brxy.edge.records.records.Tracer}.
        """
        if not isPlain(head):
            return False
        self.plain = head.fields
        return True

    def lines(self, record: Record) -> bytes:
        """
        See L{brxy.edge.records.records.Tracer}.
        """
        if record.trace:
            # It is offered again.
            return record.trace
        head = record.head
        if head is None or head.fields is not self.plain or record.cold:
            return self._begin(record)
        # What follows is _begin() for most requests.
        line = (self._lines or self._more()).pop()
        if line < self._bound:
            record.sampled = True
            line = line.replace(_UNSAMPLED, _SAMPLED)
        record.trace = line
        return line

    def _more(self) -> list[bytes]:
        self._lines = newLines()
        return self._lines

    def _begin(self, record: Record) -> bytes:
        line = (self._lines or self._more()).pop()
        record.parent = parent = None if record.head is None else readParent(record.head.fields)
        if parent is not None:
            line = b"%b%b-%b%b" % (_BEGIN, parent.trace_id, line[_SPAN], _UNSAMPLED)
        if parent is not None and self._follows_parent:
            sampled = parent.sampled
        else:
            sampled = line < self._bound
        # A cold start is exported in any case: its app may know that.
        record.sampled = sampled or record.cold
        if record.sampled:
            line = line.replace(_UNSAMPLED, _SAMPLED)
        if parent is not None and parent.state:
            line += b"tracestate: %b\r\n" % parent.state
        record.trace = line
        return line

    def __call__(self, records: Sequence[Record]) -> None:
        """
        Exchanges have ended.
        """
        for record in records:
            self._ended(record)

    def _ended(self, record: Record) -> None:
        if not record.trace:
            # It was not sent to an app, or is no request.
            self._begin(record)
        began = record.first_byte
        if (
            began is None
            or record.sampled
            or record.cold
            or record.error
            or record.status >= _SERVER_ERROR
            or began - record.arrived > self._slow
        ) and (record.sampled or self._isNotable(record)):
            record.sampled = True
            self._export(record)

    def _isNotable(self, record: Record) -> bool:
        """
        Whether an exchange is exported, whatever the sampler says: after a cold start, a
        failure of the edge or of the app, or a long wait.
        """
        if record.cold or isFailure(record):
            return True
        if record.head is None:
            # The peers of a TCP connection may be silent for as long as they want.
            return record.hold > self._slow
        return (record.first_byte or record.ended) - record.arrived > self._slow


def isFailure(record: Record) -> bool:
    """
    Whether the edge or the app has failed.  A client that leaves, or that sends what is
    refused, is no failure.
    """
    if record.status >= _SERVER_ERROR:
        return True
    refused = 400 <= record.status < _SERVER_ERROR
    return bool(record.error) and record.error != CLIENT_GONE and not refused


def _bound(ratio: float) -> bytes:
    """
    What the line of a trace that the sampler takes is below: its id is the first that differs.
    """
    bound = round(ratio * 2**64)
    # No digit is as large as "g".
    return _BEGIN + (b"g" if bound >= 2**64 else b"%016x" % bound)
