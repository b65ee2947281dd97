"""
A server on this machine that passes the requests of a browser on to the admin API of an edge.

A browser can't connect to a Unix socket.  This server is open to all users and to all pages in
the browser, so that requests must bring a token, which is in the URL that the command prints.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from email.message import Message
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from brxy.ctl.asking.client import Edge
from brxy.ctl.exitstatus import Failure

__all__ = ["ADDRESS", "Relay"]

#: Where it listens: on this machine only.
ADDRESS = "127.0.0.1"

# Bytes of a body, and of a piece of a response.
_MOST = 64 * 1024

# Seconds for a request, and for taking what was written.
_TIMEOUT = 30.0

# The files of the page: there is nothing of the edge in them.
_OPEN = ("/", "/dashboard/")


class Relay(ThreadingHTTPServer):
    """
    The server.

    @ivar find: connects to the edge, anew for each request.
    @ivar token: what requests must bring.
    """

    daemon_threads = True

    def __init__(self, port: int, find: Callable[[], Edge], token: str) -> None:
        """
        @param port: 0 for any that is free.
        @raise OSError: it can't listen there.
        """
        super().__init__((ADDRESS, port), _Request)
        self.find = find
        self.token = token
        names = (ADDRESS, "localhost")
        self._hosts = [f"{name}:{self.server_port}" for name in names]

    @property
    def url(self) -> str:
        """
        Where the page is.
        """
        return f"http://{self._hosts[0]}/#token={self.token}"

    def refusal(self, request: BaseHTTPRequestHandler) -> tuple[int, str] | None:
        """
        @return: status and text for a request that is not passed on; L{None} if it is.
        """
        fields = request.headers
        host = fields.get("Host", "")
        if host not in self._hosts:
            # A site could have its own name point to this machine.
            return 403, "the Host is not that of the dashboard"
        if any(each != f"http://{host}" for each in fields.get_all("Origin", [])):
            return 403, "the Origin is another site"
        if request.path == _OPEN[0] or request.path.startswith(_OPEN[1]):
            return None
        brought = fields.get("Authorization", "")
        if not compare_digest(brought.encode(), f"Bearer {self.token}".encode()):
            return 401, "the token of the URL that brxy dashboard has printed is needed"
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """
        See L{socketserver.BaseServer}: a browser that has gone is no error.
        """


class _Request(BaseHTTPRequestHandler):
    server: Relay
    timeout = _TIMEOUT

    def do_GET(self) -> None:
        """
        Pass a request on.
        """
        self._pass("GET")

    def do_POST(self) -> None:
        """
        Pass a request on, with its body.
        """
        self._pass("POST")

    def _pass(self, method: str) -> None:
        refusal = self.server.refusal(self) or _badBody(self.headers)
        if refusal is not None:
            self._refuse(*refusal)
            return
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length) if method == "POST" else None
        try:
            connection = self.server.find().begin(method, self.path, body)
        except Failure as failure:
            self._refuse(502, str(failure))
            return
        self.close_connection = True
        with connection:
            while data := connection.recv(_MOST):
                self.wfile.write(data)

    def _refuse(self, status: int, text: str) -> None:
        body = json.dumps({"error": text}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """
        See L{http.server.BaseHTTPRequestHandler}: requests are not logged.
        """


def _badBody(fields: Message) -> tuple[int, str] | None:
    """
    @param fields: the head of a request.
    @return: status and text, if its body can't be passed on.
    """
    length = fields.get("Content-Length")
    if length is None:
        return None
    if not (length.isascii() and length.isdigit()):
        return 400, "the length of the body is needed"
    if int(length[:9]) > _MOST:
        return 413, f"the body has more than {_MOST} bytes"
    # A form can't send JSON.
    if fields.get_content_type() != "application/json":
        return 415, "a POST needs Content-Type: application/json"
    return None
