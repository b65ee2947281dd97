"""
The lines of the access log.

What a client has sent is escaped: it can neither begin a line of its own nor end a field.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring_ascii
from math import floor

from brxy.edge.records.record import TRACE_ID, Record
from brxy.http.messages import Field

__all__ = ["FORMATS", "Format", "combinedLines", "jsonLines", "timestamp"]

#: Makes the lines of records.  The second argument is what time 0 of the records is in seconds
#: since 1970.
Format = Callable[[Sequence[Record], float], str]

_quoted: Callable[[str], str] = encode_basestring_ascii


class _Seconds:
    """
    The text of a second, made once for all exchanges of that second.
    """

    def __init__(self, make: Callable[[int], str]) -> None:
        self._make = make
        self._second = -1
        self._text = ""

    def __call__(self, second: int) -> str:
        """
        @param second: since 1970.
        """
        if second != self._second:
            self._second, self._text = second, self._make(second)
        return self._text


_utc = _Seconds(lambda second: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))


def _clock(second: int) -> str:
    local = time.localtime(second)
    # As it is in English, whatever the locale.
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[3 * local.tm_mon - 3 :][:3]
    return time.strftime(f"%d/{month}/%Y:%H:%M:%S %z", local)


_local = _Seconds(_clock)


def timestamp(milliseconds: int) -> str:
    """
    A time as in RFC 3339, in UTC.

    @param milliseconds: since 1970.
    """
    return f"{_utc(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


# Most requests are not held and given to one instance, without a body, and are answered soon.
# These parts of their lines are made once: by the status, and by the hundredths of a millisecond.
_STATUSES = tuple(f'","status":{number},"bytes_in":0,"bytes_out":' for number in range(1000))
_USUAL = ',"offers":1,"hold_ms":0,"start":"warm"'
_SOON = 2000
_TIMES = tuple(f',"ms":{number / 100:.2f}{_USUAL},"request_id":"' for number in range(_SOON))

_END = '"}\n'

# What requests of one client have in common.
_common: dict[tuple[object, ...], str] = {}
_MOST_COMMON = 1024


def jsonLines(records: Sequence[Record], epoch: float) -> str:
    """
    One JSON object for each record.  What is not known of an exchange is left out.

    Each request pays for this: what others have, too, is not made once more.
    """
    lines, since, until, begin = [], 0.0, 0.0, ""
    paths = _escapedAll([b"" if each.head is None else each.head.target for each in records])
    numbers = _escapedAll([each.request_id for each in records])
    for record, path, number in zip(records, paths, numbers, strict=True):
        arrived, head, instance = record.arrived, record.head, record.instance
        if not since <= arrived < until:
            milliseconds = int((arrived + epoch) * 1000)
            since, until = milliseconds / 1000 - epoch, (milliseconds + 1) / 1000 - epoch
            begin = f'{{"ts":"{timestamp(milliseconds)}"'
        took = floor((record.ended - arrived) * 1e5)
        if head is None:
            lines.append(f"{begin}{_withoutHead(record, took)}}}\n")
            continue
        ticket = None if instance is None else instance.ticket
        about = record.client, record.scheme, record.route, ticket
        common = _common.get((head.authority, head.method, head.http11, about))
        if common is None:
            common = _remembered((head.authority, head.method, head.http11, about), record)
        unusual = record.bytes_in or took >= _SOON or record.offers != 1 or record.error
        if unusual or record.held_at is not None:
            status = f'","status":{record.status},"bytes_in":{record.bytes_in},"bytes_out":'
            times = f',"ms":{took / 100:.2f}{_rest(record)},"request_id":"'
        else:
            status, times = _STATUSES[record.status], _TIMES[took]
        end = _END if not record.trace else _traceIDs(record)
        lines.append(f"{begin}{common}{path}{status}{record.bytes_out}{times}{number}{end}")
    return "".join(lines)


def _traceIDs(record: Record) -> str:
    trace = record.trace.decode("ascii")
    if not record.sampled:
        # That span is not exported.
        return f'","trace_id":"{trace[TRACE_ID]}"}}\n'
    return f'","trace_id":"{trace[TRACE_ID]}","span_id":"{record.span_id}"}}\n'


def _escapedAll(texts: Sequence[bytes]) -> list[str]:
    """
    What stands between the quotes of JSON strings.
    """
    # Neither a path nor an X-Request-ID has a space.
    found = b" ".join(texts).decode("latin-1")
    split = found.split(" ")
    is_plain = found.isascii() and found.isprintable() and '"' not in found
    if is_plain and "\\" not in found and len(split) == len(texts):
        return split
    return [_quoted(each.decode("latin-1"))[1:-1] for each in texts]


def _remembered(key: tuple[object, ...], record: Record) -> str:
    if len(_common) >= _MOST_COMMON:
        _common.clear()
    values = {"host": record.host, "method": record.method, "http": record.version}
    text = _common[key] = f'{_about(record, values)},"path":"'
    return text


def _withoutHead(record: Record, took: int) -> str:
    values: dict[str, str | int | float] = {
        "status": record.status,
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
        "ms": took / 100,
    }
    if record.request_id:
        values["request_id"] = record.request_id.decode("latin-1")
    if record.trace:
        values |= {"trace_id": record.trace_id, "span_id": record.span_id}
    return _about(record, values) + _rest(record)


def _about(record: Record, values: Mapping[str, str | int | float]) -> str:
    """
    Some members of the object, behind those that all exchanges have.
    """
    values = {"route": record.route, "client": record.client, "tls": record.tls, **values}
    if record.instance is not None:
        values |= {"instance": record.ticket, "generation": record.generation}
    return f",{json.dumps(values, separators=(',', ':'))[1:-1]}"


def _rest(record: Record) -> str:
    if record.held_at is None and record.offers == 1 and not record.error:
        return _USUAL
    times = {"hold_ms": record.hold, "order_ms": record.order, "boot_ms": record.boot}
    parts = [
        f',"{name}":{seconds * 1e3:.3f}' for name, seconds in times.items() if seconds is not None
    ]
    if record.error:
        parts.append(f',"error":{_quoted(record.error)}')
    return f',"offers":{record.offers},"start":"{record.start}"{"".join(parts)}'


# As nginx: a quote, a backslash, and what is not printable ASCII.
_UNSAFE = re.compile(r'["\\\x00-\x1f\x7f-\xff]')


def _escaped(text: str) -> str:
    return _UNSAFE.sub(lambda found: f"\\x{ord(found[0]):02X}", text)


def combinedLines(records: Sequence[Record], epoch: float) -> str:
    """
    Lines of the combined format.
    """
    return "".join([_combinedLine(each, each.arrived + epoch) for each in records])


def _combinedLine(record: Record, moment: float) -> str:
    head = record.head
    request = referer = agent = "-"
    if head is not None:
        request = _escaped(f"{record.method} {record.path} HTTP/{record.version}")
        referer, agent = _value(head.fields, b"referer"), _value(head.fields, b"user-agent")
    return (
        f"{record.client or '-'} - - [{_local(int(moment))}] "
        f'"{request}" {record.status:03} {record.bytes_out} "{referer}" "{agent}"\n'
    )


def _value(fields: Sequence[Field], name: bytes) -> str:
    for lower, _, value in fields:
        if lower == name:
            return _escaped(value.decode("latin-1")) or "-"
    return "-"


#: By the values of C{--access-log-format}.
FORMATS: dict[str, Format] = {"json": jsonLines, "combined": combinedLines}
