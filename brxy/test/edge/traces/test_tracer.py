"""
Tests of L{brxy.edge.traces.tracer}.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.records.record import CLIENT_GONE, Record
from brxy.edge.traces.environment import Sampler
from brxy.edge.traces.tracer import Tracer
from brxy.http.messages import RequestHead, requestHead

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OFF = Sampler(0.0)

_LINE = re.compile(r"\r\ntraceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])\r\n")


def head(fields: str = "") -> RequestHead:
    parsed = requestHead(f"GET /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    assert parsed is not None
    return parsed[0]


def record(fields: str = "", **others: Any) -> Record:
    found = Record("a", head(fields), "192.0.2.1", "http", 10.0, b"id", 200)
    found.matched, found.first_byte, found.ended = 10.0, 10.25, 10.5
    for name, value in others.items():
        setattr(found, name, value)
    return found


class TracerTests(SynchronousTestCase):
    """
    Tests of L{Tracer}.
    """

    def tracer(self, sampler: Sampler = OFF, slow: float = 5.0) -> Tracer:
        self.recorded: list[Record] = []
        return Tracer(sampler, slow, self.recorded.append)

    def sent(self, tracer: Tracer, found: Record) -> tuple[str, str, str]:
        """
        What the app of an exchange gets: the ids of the trace and of the span, and the flags.
        """
        assert found.head is not None
        tracer.isPlain(found.head)
        matched = _LINE.match(tracer.lines(found).decode())
        assert matched is not None
        return matched[1], matched[2], matched[3]

    def test_made(self) -> None:
        """
        A request without a trace gets one of its own, which the record keeps.
        """
        tracer, found, other = self.tracer(), record(), record()
        trace_id, span_id, flags = self.sent(tracer, found)
        self.assertEqual((found.trace_id, flags), (trace_id, "00"))
        self.assertEqual(found.app_span_id, span_id)
        self.assertEqual(len({trace_id, span_id, found.span_id}), 3)
        self.assertNotEqual(self.sent(tracer, other)[0], trace_id)
        # It is the same when the request is offered again.
        self.assertEqual(self.sent(tracer, found), (trace_id, span_id, "00"))

    def test_continued(self) -> None:
        """
        The trace of a client goes on, with its state, and its decision.
        """
        for flags in ("00", "01"):
            fields = f"traceparent: 00-{TRACE}-{SPAN}-{flags}\r\ntracestate: a=1, b=2\r\n"
            tracer, found = self.tracer(), record(fields)
            trace_id, span_id, sent = self.sent(tracer, found)
            self.assertEqual((trace_id, sent), (TRACE, flags))
            self.assertNotEqual(span_id, SPAN)
            self.assertIn(b"\r\ntracestate: a=1,b=2\r\n", tracer.lines(found))
            assert found.parent is not None
            self.assertEqual(found.parent.span_id.decode(), SPAN)
            tracer([found])
            self.assertEqual(self.recorded, [found] if flags == "01" else [])

    def test_invalidParent(self) -> None:
        """
        An invalid trace of a client is replaced.
        """
        found = record(f"traceparent: 00-{TRACE}-{'0' * 16}-01\r\ntracestate: a=1\r\n")
        trace_id, _, flags = self.sent(tracer := self.tracer(), found)
        self.assertNotEqual(trace_id, TRACE)
        self.assertEqual(flags, "00")
        self.assertNotIn(b"tracestate", tracer.lines(found))

    def test_samplerWithoutParent(self) -> None:
        """
        A sampler that is not parentbased decides by the id alone.
        """
        for ratio, flags in ((1.0, "01"), (0.0, "00")):
            other = "00" if ratio else "01"
            found = record(f"traceparent: 00-{TRACE}-{SPAN}-{other}\r\n")
            self.assertEqual(self.sent(self.tracer(Sampler(ratio, False)), found)[2], flags)

    def test_ratio(self) -> None:
        """
        The share of traces is as it should be, and those that are sent as sampled are
        recorded, and no others.
        """
        tracer = self.tracer(Sampler(0.25))
        made = [record() for _ in range(4000)]
        sampled = [each for each in made if self.sent(tracer, each)[2] == "01"]
        for each in made:
            tracer([each])
        self.assertEqual(self.recorded, sampled)
        self.assertApproximates(len(sampled) / 4000, 0.25, 0.06)

    def test_ratioOfOthers(self) -> None:
        """
        The same id is sampled by all edges with this share: those whose first 64 bits are below
        it.
        """
        for begin, ratio, flags in (
            ("3fffffffffffffff", 0.25, "01"),
            ("4000000000000000", 0.25, "00"),
            ("0000000000000000", 0.0, "00"),
            ("ffffffffffffffff", 1.0, "01"),
        ):
            found = record(f"traceparent: 00-{begin}{'1' * 16}-{SPAN}-00\r\n")
            self.assertEqual(self.sent(self.tracer(Sampler(ratio, False)), found)[2], flags)

    def test_notable(self) -> None:
        """
        Whatever the sampler says, these are recorded, with the ids that their app has seen.
        """
        for others in (
            {"held_at": 10.0, "cold": True},
            {"held_at": 10.0, "cold": True, "error": CLIENT_GONE, "status": 499},
            {"status": 500},
            {"status": 502, "error": "the app sent a response that is not valid HTTP"},
            {"error": "the app closed its connection before the response was complete"},
            {"first_byte": 15.1, "ended": 15.2},
            {"first_byte": None, "ended": 15.1, "status": 499, "error": CLIENT_GONE},
            {"head": None, "status": 0, "error": "the app can't be started now"},
            {"head": None, "status": 0, "held_at": 10.0, "matched": 15.1, "first_byte": 15.2},
        ):
            tracer, found = self.tracer(), record(**others)
            ids = found.head and self.sent(tracer, found)
            tracer([found])
            self.assertEqual(self.recorded, [found], others)
            if ids:
                self.assertEqual(found.trace_id, ids[0])
                self.assertEqual(ids[2], "01" if found.cold else "00")

    def test_unnotable(self) -> None:
        """
        These are not: what is served soon, what a client breaks off, what is refused because
        of the client, and connections on which nothing is sent for long.
        """
        for others in (
            {},
            {"held_at": 10.0, "matched": 11.0, "first_byte": 12.0},
            {"error": CLIENT_GONE, "status": 499},
            {"error": "no such app", "status": 404, "first_byte": None, "matched": None},
            {"ended": 999.0},
            {"head": None, "status": 0, "first_byte": 900.0, "ended": 999.0},
            {"head": None, "status": 400, "error": "malformed request line"},
        ):
            tracer, found = self.tracer(), record(**others)
            tracer([found])
            self.assertEqual(self.recorded, [], others)
            # The access log has its ids.
            self.assertEqual((len(found.trace_id), len(found.span_id)), (32, 16))

    def test_ids(self) -> None:
        """
        No id comes twice, and each has the digits of all others.
        """
        made = [record() for _ in range(1000)]
        tracer = self.tracer()
        ids = [self.sent(tracer, each)[:2] for each in made]
        spans = [each[1] for each in ids] + [each.span_id for each in made]
        self.assertEqual((len({each[0] for each in ids}), len(set(spans))), (1000, 2000))
        for at in range(32):
            self.assertEqual(len({each[0][at] for each in ids}), 16)
        for at in range(16):
            self.assertEqual(len({each[at] for each in spans}), 16)

    def test_sameFields(self) -> None:
        """
        What one request of a connection names does not hold for the next.
        """
        tracer = self.tracer()
        plain, traced = record(), record(f"traceparent: 00-{TRACE}-{SPAN}-01\r\n")
        for found, expected in ((plain, False), (traced, True), (record(), False)):
            self.assertEqual(self.sent(tracer, found)[0] == TRACE, expected)
