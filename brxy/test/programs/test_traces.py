"""
Tests of the traces of an edge that runs as users run it, with a real app, before a collector
that reads them by OpenTelemetry's own messages.
"""

from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
from twisted.internet.defer import Deferred, gatherResults

from brxy.test.support.loopback.collectors import Collector, attributesOf
from brxy.test.support.processes.programs import ANYWHERE, TWISTD, Answer, Program, ProgramTests

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

_APP = """
import socketserver, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers["Upgrade"]:
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(self.rfile.readline())
            self.close_connection = True
            return
        if self.path == "/slow":
            time.sleep(0.5)
        fields = [self.headers["traceparent"] or "", self.headers["tracestate"] or ""]
        body = "|".join(fields).encode()
        self.send_response(500 if self.path == "/fail" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())
if sys.argv[2:]:
    socketserver.TCPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

_OFF = "parentbased_always_off"


class _Tests(ProgramTests):
    def setUp(self) -> None:
        super().setUp()
        (self.folder / "app.py").write_text(_APP)
        self.collector = Collector()

    async def launch(self, *arguments: str, collects: bool = True, **environ: str) -> Program:
        """
        Start an edge, and the collector unless the environment names one.
        """
        if collects:
            environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = self.collector.listen(self.reactor)
            self.addCleanup(self.collector.stop)
        self.program = self.start(
            *(TWISTD, "-n", "brxy-edge", *self.on, "--port", ANYWHERE),
            *("--spawn", "app: route=localhost capacity=1 max=1 -- python app.py {port}"),
            *arguments,
            **{"OTEL_BSP_SCHEDULE_DELAY": "50", **environ},
        )
        self.at = await self.address(self.program)
        return self.program

    async def request(self, path: str = "/", *fields: str) -> list[str]:
        """
        Make a request.

        @return: the traceparent that the app got, in its parts, and the tracestate.
        """
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close", *fields, "", ""]
        answer: Answer = await self.talk(self.at, "\r\n".join(lines).encode())
        parent, _, state = answer.body.partition("|")
        return [*parent.split("-"), state]

    async def spans(self, number: int) -> list[Any]:
        """
        @return: the spans that the collector has taken, once there are this many.
        """
        await self.until(lambda: len(self.collector.spans) >= number)
        self.assertEqual(len(self.collector.spans), number)
        return self.collector.spans


class TraceTests(_Tests):
    """
    Tests of what is exported.
    """

    async def test_coldAndWarm(self) -> None:
        """
        A cold start has four spans, a warm request two, which the app's own continue.
        """
        await self.launch(
            OTEL_EXPORTER_OTLP_HEADERS="api-key=my%20key",
            OTEL_SERVICE_NAME="front",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test",
        )
        sent = await self.request("/x?secret=1", "User-Agent: me")
        edge, hold, start, app = await self.spans(4)
        self.assertEqual(
            [each.name for each in self.collector.spans],
            ["brxy", "brxy.hold", "brxy.start", "brxy.app"],
        )
        self.assertEqual({each.trace_id.hex() for each in self.collector.spans}, {sent[1]})
        self.assertEqual(len({each.span_id for each in self.collector.spans}), 4)
        self.assertEqual(sent, ["00", app.trace_id.hex(), app.span_id.hex(), "01", ""])
        self.assertEqual(
            [each.parent_span_id for each in (edge, hold, start, app)],
            [b"", edge.span_id, hold.span_id, edge.span_id],
        )
        self.assertEqual([each.kind for each in (edge, hold, start, app)], [2, 1, 1, 3])
        times = [hold.start_time_unix_nano, hold.end_time_unix_nano]
        self.assertLessEqual(edge.start_time_unix_nano, times[0])
        self.assertLess(times[0], times[1])
        self.assertLessEqual(times[1], app.start_time_unix_nano)
        self.assertLessEqual(app.end_time_unix_nano, edge.end_time_unix_nano)
        self.checkAttributes(edge, start)
        warm = await self.request()
        _, app = (await self.spans(6))[4:]
        self.assertEqual(app.span_id.hex(), warm[2])
        self.assertEqual([each.name for each in self.collector.spans[4:]], ["brxy", "brxy.app"])
        self.assertEqual(set(self.collector.paths), {"/v1/traces"})
        self.assertEqual(self.collector.fields[0]["api-key"], "my key")
        resource = {k: v for k, v in self.collector.resources[0].items() if "version" not in k}
        self.assertEqual(resource, {"service.name": "front", "deployment.environment": "test"})
        await self.stopped(self.program)

    def checkAttributes(self, edge: Any, start: Any) -> None:
        found = attributesOf(edge)
        expected = {
            "brxy.route": "default",
            "brxy.start": "cold",
            "brxy.spawner": "app",
            "client.address": "127.0.0.1",
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "network.protocol.version": "1.1",
            "server.address": "localhost",
            "url.path": "/x",
            "url.scheme": "http",
            "user_agent.original": "me",
        }
        self.assertEqual({name: found.get(name) for name in expected}, expected)
        self.assertEqual(attributesOf(start)["brxy.instance"], found["brxy.instance"])
        self.assertNotIn("secret", str(edge))

    async def test_always(self) -> None:
        """
        If the sampler takes nothing, cold starts, failures and slow requests are exported all
        the same, with the ids that the app has seen; others are not, though their apps get
        ids.
        """
        await self.launch("--trace-slow", "0.3", OTEL_TRACES_SAMPLER=_OFF)
        cold, warm = await self.request(), await self.request()
        failed, slow = await self.request("/fail"), await self.request("/slow")
        await self.spans(8)
        flags = [each[3] for each in (cold, warm, failed, slow)]
        self.assertEqual(flags, ["01", "00", "00", "00"])
        apps = self.collector.named("brxy.app")
        self.assertEqual(
            [(each.trace_id.hex(), each.span_id.hex()) for each in apps],
            [(each[1], each[2]) for each in (cold, failed, slow)],
        )
        self.assertNotIn(warm[1], [cold[1], failed[1], slow[1], "0" * 32])
        edges = self.collector.named("brxy")
        self.assertEqual([each.status.code for each in edges], [0, 2, 0])
        self.assertEqual(attributesOf(edges[1])["error.type"], "500")

    async def test_queued(self) -> None:
        """
        Of a request that waits for a busy instance the hold is a span.
        """
        await self.launch()
        await self.request()
        await self.spans(4)
        await gatherResults([self.begin(self.request("/slow")) for _ in range(2)])
        found = await self.spans(9)
        (hold,) = [each for each in found[4:] if each.name == "brxy.hold"]
        self.assertEqual(attributesOf(hold)["brxy.start"], "queued")

    def begin(self, request: Coroutine[Any, Any, list[str]]) -> Deferred[list[str]]:
        """
        Make a request in the background.
        """
        return Deferred.fromCoroutine(request)

    async def test_coldTogether(self) -> None:
        """
        A start has one span, however many requests waited for it: the others are linked to it.
        """
        await self.launch()
        await gatherResults([self.begin(self.request()) for _ in range(3)])
        await self.spans(10)
        (start,) = self.collector.named("brxy.start")
        holds = self.collector.named("brxy.hold")
        links = [(each.trace_id, each.span_id) for hold in holds for each in hold.links]
        self.assertEqual(links, [(start.trace_id, start.span_id)] * 2)
        self.assertIn(start.parent_span_id, [each.span_id for each in holds])

    async def test_parents(self) -> None:
        """
        The trace of a client goes on, and its decision holds; an invalid one is replaced.
        """
        await self.launch(OTEL_TRACES_SAMPLER=_OFF)
        await self.request()
        await self.spans(4)
        state = "tracestate: vendor=1"
        on = await self.request("/on", f"traceparent: 00-{TRACE}-{SPAN}-01", state)
        off = await self.request("/off", f"traceparent: 00-{TRACE}-{SPAN}-00", state)
        bad = await self.request("/bad", f"traceparent: 00-{TRACE}-{'0' * 16}-01", state)
        edge, app = (await self.spans(6))[4:]
        self.assertEqual((edge.trace_id.hex(), edge.parent_span_id.hex()), (TRACE, SPAN))
        self.assertEqual((edge.trace_state, attributesOf(edge)["url.path"]), ("vendor=1", "/on"))
        self.assertEqual(on, ["00", TRACE, app.span_id.hex(), "01", "vendor=1"])
        self.assertEqual((off[1], off[3:]), (TRACE, ["00", "vendor=1"]))
        self.assertNotIn(off[2], (SPAN, on[2]))
        self.assertNotEqual(bad[1], TRACE)
        self.assertEqual(bad[3:], ["00", ""])

    async def test_changed(self) -> None:
        """
        The app of a route that changes requests gets the trace all the same.
        """
        (self.folder / "brxy.toml").write_text(
            '[route.other]\nheaders.request.set = {X-A = "1"}\n'
            '[[route.other.spawn]]\nkind = "app"\ncommand = ["python", "app.py", "{port}"]\n'
        )
        await self.launch("--config", "brxy.toml")
        line = f"traceparent: 00-{TRACE}-{SPAN}-01"
        request = f"GET / HTTP/1.1\r\nHost: other\r\nConnection: close\r\n{line}\r\n\r\n"
        answer = await self.talk(self.at, request.encode())
        (app,) = (await self.spans(4))[3:]
        self.assertEqual(answer.body, f"00-{TRACE}-{app.span_id.hex()}-01|")

    async def test_refused(self) -> None:
        """
        What the edge answers itself is one span.
        """
        await self.launch()
        await self.talk(self.at, b"GET / HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n")
        (edge,) = await self.spans(1)
        self.assertEqual(edge.status.code, 0)
        self.assertEqual(attributesOf(edge)["http.response.status_code"], 404)

    async def test_failedStart(self) -> None:
        """
        A start that fails has a span of its own, next to those of the request.
        """
        await self.launch("--spawn", "app: route=bad -- python -c exit(3)")
        request = b"GET / HTTP/1.1\r\nHost: bad\r\nConnection: close\r\n\r\n"
        self.assertEqual((await self.talk(self.at, request)).status, 503)
        await self.spans(3)
        (start,) = self.collector.named("brxy.start")
        self.assertEqual(start.parent_span_id, b"")
        self.assertEqual((start.status.code, attributesOf(start)["brxy.route"]), (2, "bad"))
        self.assertEqual(start.status.message, "exit status 3")
        (edge,), (hold,) = self.collector.named("brxy"), self.collector.named("brxy.hold")
        self.assertEqual((edge.status.code, hold.status.code), (2, 2))
        self.assertEqual(edge.status.message, "the app can't be started now")

    async def test_webSocket(self) -> None:
        """
        A WebSocket is a request, which ends when the connection does.
        """
        await self.launch()
        fields = b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello\n"
        answer = await self.talk(self.at, b"GET / HTTP/1.1\r\n" + fields)
        self.assertEqual((answer.status, answer.body), (101, "hello\n"))
        edge, *_ = await self.spans(4)
        found = attributesOf(edge)
        self.assertEqual((found["http.response.status_code"], found["brxy.bytes_out"]), (101, 6))

    async def test_tcp(self) -> None:
        """
        A TCP connection has spans without attributes of HTTP.
        """
        spawn = "app: route=t -- python app.py {port} echo"
        await self.launch("--spawn", spawn, "--tcp", f"t={ANYWHERE}")
        found = await self.said(self.program, r"TCPFactory starting on (\d+)\n")
        await self.talk(f"tcp:127.0.0.1:{found[1]}", b"hello\n")
        edge, *others = await self.spans(4)
        self.assertEqual([each.name for each in others], ["brxy.hold", "brxy.start", "brxy.app"])
        attributes = attributesOf(edge)
        self.assertEqual((attributes["brxy.route"], attributes["network.transport"]), ("t", "tcp"))
        self.assertEqual([name for name in attributes if name.startswith(("http", "url"))], [])

    async def test_accessLog(self) -> None:
        """
        The access log has the ids.
        """
        await self.launch("--access-log", "access.log")
        await self.request()
        edge, *_ = await self.spans(4)
        path = self.folder / "access.log"
        await self.until(lambda: path.exists() and path.read_text().endswith("\n"))
        line = json.loads(path.read_text())
        self.assertEqual(line["trace_id"], edge.trace_id.hex())
        self.assertEqual(line["span_id"], edge.span_id.hex())

    async def test_metrics(self) -> None:
        """
        The metrics of OpenMetrics have the traces that are exported as exemplars.
        """
        await self.launch("--metrics", "--state-dir", "state")
        cold = await self.request()
        admin = f"unix:{self.folder}/state/admin.sock"
        accept = "Accept: application/openmetrics-text"
        request = f"GET /metrics HTTP/1.0\r\nHost: localhost\r\n{accept}\r\n\r\n"
        answer = await self.talk(admin, request.encode())
        exemplars = [
            sample.exemplar.labels
            for family in parse(answer.body)
            for sample in family.samples
            if sample.exemplar and sample.name == "brxy_request_duration_seconds_bucket"
        ]
        self.assertEqual(exemplars, [{"trace_id": cold[1]}])
        self.assertIn("\nbrxy_spans_dropped_total 0\n", answer.body)


class CollectorTests(_Tests):
    """
    Tests of collectors that do not take everything at once.
    """

    async def test_atTheEnd(self) -> None:
        """
        An edge that stops sends what waits.
        """
        await self.launch(OTEL_BSP_SCHEDULE_DELAY="60000")
        await self.request()
        self.assertEqual(self.collector.spans, [])
        await self.stopped(self.program)
        await self.spans(4)

    async def test_busy(self) -> None:
        """
        A collector that is busy gets the spans again, when it wants to.
        """
        self.collector.answers = [(503, ""), (429, "1"), (502, "")]
        await self.launch()
        await self.request()
        await self.spans(4)
        self.assertEqual(len(self.collector.paths), 4)
        await self.stopped(self.program)
        self.assertNotIn("spans are lost", self.program.out)

    async def test_silent(self) -> None:
        """
        A collector that does not answer in time gets the spans again.
        """
        self.collector.answers = [None]
        await self.launch(OTEL_EXPORTER_OTLP_TIMEOUT="200")
        await self.request()
        await self.spans(4)

    async def test_refuses(self) -> None:
        """
        What a collector refuses for good is lost, and one line says so.
        """
        self.collector.answers = [(400, "")]
        await self.launch()
        await self.request()
        await self.said(self.program, "4 spans are lost: the collector answered 400")
        await self.request()
        await self.spans(2)

    async def test_down(self) -> None:
        """
        Without a collector clients are served, the queue has its end, and the log says how
        many spans are lost.
        """
        await self.launch(
            collects=False,
            OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
            OTEL_BSP_MAX_QUEUE_SIZE="4",
            OTEL_BSP_EXPORT_TIMEOUT="1",
        )
        for _ in range(5):
            self.assertEqual((await self.request())[3], "01")
        await self.said(self.program, r"\d+ spans are lost: the collector: Connection refused")
        await self.stopped(self.program)

    async def test_ignored(self) -> None:
        """
        A variable that can't be used is named, and without an endpoint nothing is done.
        """
        await self.launch(OTEL_TRACES_SAMPLER="xray", OTEL_SDK_DISABLED="false")
        await self.said(self.program, "ignoring OTEL_TRACES_SAMPLER: there is no sampler 'xray'")
        await self.said(self.program, r"exporting traces to http://127\.0\.0\.1:\d+/v1/traces")

    async def test_off(self) -> None:
        """
        Without an endpoint nothing is added to requests, and what clients send goes on as it
        is.
        """
        await self.launch(collects=False)
        self.assertEqual(await self.request(), ["", ""])
        self.assertEqual(await self.request("/", "traceparent: x", "tracestate: y"), ["x", "y"])
