"""
Tests of L{brxy.ctl.dashboard.relay}, on loopback.
"""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.ctl.asking.client import Edge
from brxy.ctl.dashboard.relay import ADDRESS, Relay
from brxy.ctl.exitstatus import Failure

__all__ = ["RelayTests"]

_TOKEN = "secret"


class _Request(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer("GET", b"")

    def do_POST(self) -> None:
        self._answer("POST", self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, method: str, body: bytes) -> None:
        seen = {**{each.lower(): self.headers[each] for each in self.headers}, "method": method}
        text = json.dumps({"path": self.path, "seen": seen, "body": body.decode()}).encode()
        self.send_response(409 if self.path == "/v1/no" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Security-Policy", "default-src 'self'")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class RelayTests(SynchronousTestCase):
    """
    A relay before a server that answers with what it was sent.
    """

    def setUp(self) -> None:
        server = self.serve(ThreadingHTTPServer((ADDRESS, 0), _Request))
        self.relay = self.serve(
            Relay(0, lambda: Edge(f"http://{ADDRESS}:{server.server_port}", "edge's"), _TOKEN)
        )
        self.host = f"{ADDRESS}:{self.relay.server_port}"

    def serve(self, server: Any) -> Any:
        """
        Run a server until the end of the test.
        """
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        for step in (server.server_close, thread.join, server.shutdown):
            self.addCleanup(step)
        return server

    def respond(
        self, target: str, method: str = "GET", body: str | None = None, /, **fields: str
    ) -> HTTPResponse:
        """
        @param fields: in addition to the token and the Host, or in their place.
        @return: the response to a request.
        """
        given = {"Host": self.host, "Authorization": f"Bearer {_TOKEN}", **fields}
        connection = HTTPConnection(ADDRESS, self.relay.server_port)
        self.addCleanup(connection.close)
        connection.putrequest(method, target, skip_host=True)
        if body is not None:
            given["Content-Length"] = str(len(body))
        for name, value in given.items():
            if value:
                connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(None if body is None else body.encode())
        return connection.getresponse()

    def ask(
        self, target: str, method: str = "GET", body: str | None = None, /, **fields: str
    ) -> tuple[int, Any]:
        """
        @return: status and JSON of the response to a request.
        """
        response = self.respond(target, method, body, **fields)
        return response.status, json.loads(response.read())

    def test_passed(self) -> None:
        """
        A request is passed on with its path and its body; the token of the relay is replaced
        by that of the edge, and the Host is the edge's.
        """
        body = json.dumps({"min": 2})
        kind = {"Content_Type": "application/json", "Origin": f"http://{self.host}"}
        status, answer = self.ask("/v1/routes/a%2Fb/wake?wait=true", "POST", body, **kind)
        self.assertEqual((status, answer["path"]), (200, "/v1/routes/a%2Fb/wake?wait=true"))
        self.assertEqual(answer["body"], body)
        seen = answer["seen"]
        self.assertEqual(seen["method"], "POST")
        self.assertEqual(seen["authorization"], "Bearer edge's")
        self.assertEqual(seen["content-type"], "application/json")
        self.assertNotEqual(seen["host"], self.host)
        self.assertNotIn("origin", seen)
        self.assertEqual(self.ask("/v1/no")[0], 409)

    def test_fields(self) -> None:
        """
        The browser gets what the edge says of its page.
        """
        policy = self.respond("/").getheader("Content-Security-Policy")
        self.assertEqual(policy, "default-src 'self'")

    def test_token(self) -> None:
        """
        Only the page, which has no data, needs no token.
        """
        for target in ("/", "/dashboard/main.js"):
            self.assertEqual(self.ask(target, Authorization="")[0], 200, target)
        for value in ("", "Bearer ", "Bearer wrong", _TOKEN, f"Basic {_TOKEN}"):
            for target in ("/v1/status", "/metrics", "/healthz", "/dashboard"):
                self.assertEqual(self.ask(target, Authorization=value)[0], 401, value)

    def test_otherSites(self) -> None:
        """
        A request of another site is refused, whatever it asks for: with its Origin, or with its
        name as the Host.
        """
        port = self.relay.server_port
        for fields in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": f"https://{self.host}"},
            {"Origin": f"http://localhost:{port}"},
            {"Host": "evil.example"},
            {"Host": f"evil.example:{port}"},
            {"Host": ADDRESS},
            {"Host": ""},
        ):
            for target in ("/", "/v1/status"):
                self.assertEqual(self.ask(target, **fields)[0], 403, (fields, target))
        self.assertEqual(self.ask("/", Host=f"localhost:{port}")[0], 200)

    def test_bodies(self) -> None:
        """
        A body is JSON and has a length, which is limited.
        """
        kind = {"Content_Type": "application/json"}
        for length, status in (("-1", 400), ("x", 400), ("65537", 413), ("9" * 30, 413)):
            self.assertEqual(self.ask("/v1/x", "POST", Content_Length=length, **kind)[0], status)
        for form in ("text/plain", "application/x-www-form-urlencoded", ""):
            self.assertEqual(self.ask("/v1/x", "POST", "{}", Content_Type=form)[0], 415)

    def test_noEdge(self) -> None:
        """
        An edge that does not answer is reported.
        """

        def find() -> Edge:
            raise Failure("no edge at admin.sock")

        self.relay.find = find
        self.assertEqual(self.ask("/v1/status"), (502, {"error": "no edge at admin.sock"}))

    def test_local(self) -> None:
        """
        It listens on this machine only, and its URL has the token where no server sees it.
        """
        self.assertEqual(self.relay.server_address[0], ADDRESS)
        self.assertEqual(self.relay.url, f"http://{self.host}/#token={_TOKEN}")
