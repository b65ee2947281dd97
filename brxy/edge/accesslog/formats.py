"""
The lines of the access log.

What a client has sent is escaped: it can neither begin a line of its own nor end a field.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii

from brxy.edge.records.record import Record
from brxy.http.messages import Field, RequestHead

__all__ = ["FORMATS", "Format", "combinedLine", "jsonLine", "timestamp", "tracedLine"]

#: Makes a line, with its end, of a record and of the time at which its exchange arrived
#: (seconds since 1970).
Format = Callable[[Record, float], str]

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


def timestamp(moment: float) -> str:
    """
    A time as in RFC 3339, in UTC and with milliseconds.

    @param moment: seconds since 1970.
    """
    milliseconds = int(moment * 1000)
    return f"{_utc(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


def jsonLine(record: Record, moment: float) -> str:
    """
    One JSON object.  What is not known of an exchange is left out.
    """
    head, instance = record.head, record.instance
    number = record.request_id
    return (
        f'{{"ts":"{timestamp(moment)}","route":{_remembered(record.route)}'
        f"{'' if head is None else _request(head)}"
        f',"status":{record.status},"bytes_in":{record.bytes_in},"bytes_out":{record.bytes_out},'
        f'"ms":{(record.ended - record.arrived) * 1e3:.3f}{_hold(record)},'
        f'"offers":{record.offers},"client":{_remembered(record.client)},'
        f'"tls":{"true" if record.tls else "false"}'
        f"{_number(number) if number else ''}"
        f"{'' if instance is None else _instance(instance.ticket, instance.generation)}"
        f"{_rest(record) if record.cold or record.error else ''}}}\n"
    )


# What is the same for many exchanges is made once.
_remembered = lru_cache(1024)(_quoted)


@lru_cache(1024)
def _instance(ticket: str, generation: int) -> str:
    return f',"instance":{_quoted(ticket)},"generation":{generation}'


@lru_cache(1024)
def _named(authority: bytes, method: bytes) -> str:
    host = _quoted(authority.decode("latin-1"))
    return f',"host":{host},"method":"{method.decode("latin-1")}","path":'


def _request(head: RequestHead) -> str:
    named = _named(head.authority, head.method)
    version = "1.1" if head.http11 else "1.0"
    return f'{named}{_quoted(head.target.decode("latin-1"))},"http":"{version}"'


def _number(number: bytes) -> str:
    return f',"request_id":{_quoted(number.decode("latin-1"))}'


def _hold(record: Record) -> str:
    if record.held_at is None:
        return ',"hold_ms":0,"start":"warm"'
    return f',"hold_ms":{record.hold * 1e3:.3f},"start":"{record.start}"'


def _rest(record: Record) -> str:
    parts = []
    if record.cold:
        for name, seconds in (("order_ms", record.order), ("boot_ms", record.boot)):
            if seconds is not None:
                parts.append(f',"{name}":{seconds * 1e3:.3f}')
    if record.error:
        parts.append(f',"error":{_quoted(record.error)}')
    return "".join(parts)


# As nginx: a quote, a backslash, and what is not printable ASCII.
_UNSAFE = re.compile(r'["\\\x00-\x1f\x7f-\xff]')


def _escaped(text: str) -> str:
    return _UNSAFE.sub(lambda found: f"\\x{ord(found[0]):02X}", text)


def combinedLine(record: Record, moment: float) -> str:
    """
    A line of the combined format.
    """
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


def tracedLine(record: Record, moment: float) -> str:
    """
    The same object as L{jsonLine}, with the ids of the trace.
    """
    ids = f'"trace_id":"{record.trace_id}","span_id":"{record.span_id}"'
    return f"{jsonLine(record, moment)[:-2]},{ids}}}\n"


#: By the values of C{--access-log-format}; C{traced} is C{json} while there are traces.
FORMATS: dict[str, Format] = {"json": jsonLine, "combined": combinedLine, "traced": tracedLine}
