"""
Tests of L{brxy.edge.traces.spans}; L{brxy.test.programs.test_traces} has those of an edge.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.records.record import CLIENT_GONE, Record
from brxy.edge.traces.spans import Starts, spansOf
from brxy.http.tracecontext import Parent
from brxy.scaler.instance import Instance, State
from brxy.test.edge.traces.test_tracer import SPAN, TRACE, record

EPOCH = 1_796_000_000.0


def spans(found: Record, starts: Starts | None = None) -> list[dict[str, Any]]:
    found.trace = f"\r\ntraceparent: 00-{TRACE}-{'1' * 16}-00\r\n".encode()
    return [json.loads(each) for each in spansOf(found, EPOCH, starts or Starts())]


def attributes(span: dict[str, Any]) -> dict[str, str]:
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


class SpanTests(SynchronousTestCase):
    """
    Tests of L{spansOf}.
    """

    def test_warm(self) -> None:
        """
        A warm request has two spans, with its times in nanoseconds as text.
        """
        edge, app = spans(record())
        self.assertEqual((edge["traceId"], edge["spanId"]), (TRACE, "4" * 16))
        self.assertEqual((app["spanId"], app["parentSpanId"]), ("1" * 16, "4" * 16))
        times = [edge["startTimeUnixNano"], edge["endTimeUnixNano"], app["startTimeUnixNano"]]
        self.assertEqual(times, [f"1796000010{end:09}" for end in (0, 500_000_000, 0)])
        self.assertNotIn("parentSpanId", edge)
        self.assertNotIn("status", edge)

    def test_client(self) -> None:
        """
        What clients send is text, and of limited length.
        """
        found = record(f'User-Agent: "\\{"x" * 5000}\r\n')
        assert found.head is not None
        found.head.method, found.head.authority = b"BREW", b"[2001:db8::1]:8080"
        found.head.target = b"/\xe4?q"
        values = attributes(spans(found)[0])
        self.assertEqual(values["http.request.method"], "_OTHER")
        self.assertEqual(values["http.request.method_original"], "BREW")
        self.assertEqual(
            (values["server.address"], values["server.port"]), ("2001:db8::1", "8080")
        )
        self.assertEqual(values["url.path"], "/\xe4")
        self.assertEqual(values["user_agent.original"], '"\\' + "x" * 1022)

    def test_parent(self) -> None:
        """
        The edge's span is the child of the client's, which is on another machine, and all
        spans have the client's state.
        """
        parent = Parent(TRACE.encode(), SPAN.encode(), True, b"a=1")
        edge, app = spans(record(parent=parent))
        self.assertEqual((edge["parentSpanId"], edge["flags"]), (SPAN, 0x301))
        self.assertEqual(
            (app["flags"], app["traceState"], edge["traceState"]), (0x101, "a=1", "a=1")
        )

    def test_starts(self) -> None:
        """
        The start of an instance has one span, whatever waited for it; an instance that was
        ready before has none.
        """
        instance = Instance("t", "a", 1, 1, state=State.READY, ordered_at=9.0, ready_since=9.5)
        starts = Starts()
        held: dict[str, Any] = {
            "held_at": 9.25,
            "cold": True,
            "matched": 9.5,
            "instance": instance,
        }
        _, hold, start, _ = spans(record(**held), starts)
        self.assertEqual(start["parentSpanId"], hold["spanId"])
        self.assertEqual(start["startTimeUnixNano"], "1796000009000000000")
        _, other, _ = spans(record(**held), starts)
        self.assertEqual(other["links"], [{"traceId": TRACE, "spanId": start["spanId"]}])
        for others in ({"cold": False}, {"held_at": 9.75}):
            found = spans(record(**{**held, **others}), Starts())
            self.assertEqual([each["name"] for each in found], ["brxy", "brxy.hold", "brxy.app"])

    def test_failures(self) -> None:
        """
        A failure is the status of all spans that it ended.
        """
        for others, kind in (
            ({"status": 500}, "500"),
            ({"status": 502, "error": "the app sent"}, "502"),
            ({"error": "the app closed"}, "broken_off"),
        ):
            for span in spans(record(**others)):
                self.assertEqual(attributes(span)["error.type"], kind)
                self.assertEqual(span["status"], {"code": 2, "message": others.get("error", "")})
        for others in ({"status": 404}, {"status": 499, "error": CLIENT_GONE}):
            for span in spans(record(**others)):
                self.assertNotIn("status", span)
        refused = record(status=503, error="no", held_at=10.0, matched=None, first_byte=None)
        edge, hold = spans(refused)
        self.assertEqual((edge["status"]["code"], hold["status"]["code"]), (2, 2))
        left = record(status=499, error=CLIENT_GONE, held_at=10.0, matched=None, first_byte=None)
        self.assertEqual(["status" in each for each in spans(left)], [False, False])

    def test_withoutHead(self) -> None:
        """
        A TCP connection, and a head that can't be read.
        """
        tcp, _ = spans(record(head=None, status=0))
        self.assertEqual(attributes(tcp)["network.transport"], "tcp")
        bad, *_ = spans(record(head=None, status=400, error="malformed request line"))
        self.assertEqual(attributes(bad)["http.response.status_code"], "400")
