"""
Tests of L{brxy.edge.accesslog.formats}.
"""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.accesslog.formats import combinedLines, jsonLines, timestamp
from brxy.edge.records.record import CLIENT_GONE, Record
from brxy.http.messages import requestHead
from brxy.scaler.instance import Instance
from brxy.test.support.memory.examples import bounded

#: At 10, when most exchanges of these tests arrive, it is 2026-11-30T18:07:23.355Z.
EPOCH = 1796062033.3555

_COMBINED = re.compile(
    r'192\.0\.2\.1 - - \[\d\d/Nov/2026:\d\d:\d\d:23 [+-]\d{4}\] "([^"]*)" (\d{3}) (\d+) '
    r'"([^"]*)" "([^"]*)"\n'
)


def _record(fields: bytes = b"", target: bytes = b"/x?y=1", **others: Any) -> Record:
    parsed = requestHead(b"GET %b HTTP/1.1\r\nHost: A:80\r\n%b\r\n" % (target, fields))
    assert parsed is not None
    record = Record("a", parsed[0], "192.0.2.1", "https", 10.0, b"id-1", 200, 3, 5, ended=10.25)
    for name, value in others.items():
        setattr(record, name, value)
    return record


def _json(*records: Record) -> str:
    return jsonLines(records, EPOCH)


def _combined(record: Record) -> str:
    return combinedLines([record], EPOCH)


class JSONTests(SynchronousTestCase):
    """
    Tests of L{jsonLines}.
    """

    def test_warm(self) -> None:
        """
        A request that was not held.
        """
        instance = Instance("t1", "a", 1, 7)
        record = _record(instance=instance, matched=10.0, first_byte=10.2, offers=1)
        line = _json(record)
        self.assertTrue(line.endswith("}\n"))
        self.assertEqual(
            json.loads(line),
            {
                "ts": "2026-11-30T18:07:23.355Z",
                "route": "a",
                "host": "A:80",
                "method": "GET",
                "path": "/x?y=1",
                "http": "1.1",
                "status": 200,
                "bytes_in": 3,
                "bytes_out": 5,
                "ms": 250.0,
                "hold_ms": 0.0,
                "start": "warm",
                "offers": 1,
                "client": "192.0.2.1",
                "tls": True,
                "request_id": "id-1",
                "instance": "t1",
                "generation": 7,
            },
        )

    def test_cold(self) -> None:
        """
        A cold start has its parts, which lie within the hold.
        """
        instance = Instance("t1", "a", 1, 7, ordered_at=10.0625)
        instance.serves(10.125)
        record = _record(instance=instance, held_at=10.0, cold=True, matched=10.1875)
        line = json.loads(_json(record))
        self.assertEqual(
            [line[name] for name in ("start", "hold_ms", "order_ms", "boot_ms")],
            ["cold", 187.5, 62.5, 62.5],
        )

    def test_traced(self) -> None:
        """
        The trace is named if there is one, and its span if that is exported.
        """
        ids = b"%032x-%016x" % (1, 2)
        for sampled, names in ((False, {"trace_id"}), (True, {"trace_id", "span_id"})):
            record = _record(trace=b"\r\ntraceparent: 00-%b-00\r\n" % ids, sampled=sampled)
            line = json.loads(_json(record))
            self.assertEqual(line["trace_id"], f"{1:032x}")
            self.assertEqual(line.get("span_id", record.span_id), record.span_id)
            self.assertEqual({"trace_id", "span_id"} & set(line), names)

    def test_failed(self) -> None:
        """
        What is not known is left out.
        """
        record = Record("t", None, "", "tcp", 10.0, held_at=10.0, ended=11.0, error=CLIENT_GONE)
        line = json.loads(_json(record))
        self.assertEqual((line["error"], line["hold_ms"]), (CLIENT_GONE, 1000.0))
        self.assertEqual(line["start"], "queued")
        self.assertEqual(set(line) & {"host", "path", "instance", "request_id", "boot_ms"}, set())

    @bounded(50)
    @given(st.text(max_size=20), st.binary(max_size=20))
    def test_escaped(self, client: str, number: bytes) -> None:
        """
        Whatever text there is, a line is one line, of ASCII, and has it.
        """
        record = _record(client=client, request_id=b"x" + number)
        line = _json(record)
        self.assertTrue(line.isascii())
        self.assertEqual(line.splitlines(), [line[:-1]])
        found = json.loads(line)
        self.assertEqual(found["client"], client)
        self.assertEqual(found["request_id"], "x" + number.decode("latin-1"))

    def test_timestamp(self) -> None:
        """
        Milliseconds have three digits.
        """
        self.assertEqual(timestamp(1796062043005), "2026-11-30T18:07:23.005Z")


class CombinedTests(SynchronousTestCase):
    """
    Tests of L{combinedLines}.
    """

    def test_line(self) -> None:
        """
        It has the fields of Apache and nginx.
        """
        line = _combined(_record(b"Referer: http://b/\r\nUser-Agent: me/1 (x)\r\n"))
        found = _COMBINED.fullmatch(line)
        assert found is not None, line
        self.assertEqual(
            found.groups(), ("GET /x?y=1 HTTP/1.1", "200", "5", "http://b/", "me/1 (x)")
        )

    def test_escaped(self) -> None:
        """
        Quotes, backslashes, control characters and bytes beyond ASCII are escaped as by nginx.
        """
        line = _combined(_record(b'User-Agent: a"b\\c\t\xe9\r\n', b'/"'))
        found = _COMBINED.fullmatch(line)
        assert found is not None, line
        self.assertEqual(found[1], r"GET /\x22 HTTP/1.1")
        self.assertEqual(found[5], r"a\x22b\x5Cc\x09\xE9")

    def test_withoutRequest(self) -> None:
        """
        A TCP connection.
        """
        record = Record("t", None, "192.0.2.1", "tcp", 10.0, bytes_out=7)
        found = _COMBINED.fullmatch(_combined(record))
        assert found is not None
        self.assertEqual(found.groups(), ("-", "000", "7", "-", "-"))
