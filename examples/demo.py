#!/usr/bin/env python3
"""
A small web app, such as brxy may stand in front of.

It listens on C{HOST} and C{PORT} from its environment and has one thread: it
accepts a connection, answers its request, closes it, and only then accepts
the next. With C{-d} each request takes that long. Send several at once and see
how many copies answer.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler
from socket import AF_INET, AF_INET6
from socketserver import TCPServer
from typing import Any


class Demo(TCPServer):
    """
    The app. While it works, further connections wait in the kernel's queue.

    @ivar delay: how long each request takes, in seconds.
    """

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, delay: float) -> None:
        self.delay = delay
        self.started = time.monotonic()
        self.requests = 0
        self.address_family = AF_INET6 if ":" in host else AF_INET
        super().__init__((host, port), Request)

    def work(self) -> str:
        """
        Do the work of a request.

        @return: a line that names this process.
        """
        self.requests += 1
        time.sleep(self.delay)
        up = time.monotonic() - self.started
        return f"Hello from process {os.getpid()}, request {self.requests}, up {up:.1f} s."

    def handle_error(self, request: Any, client_address: Any) -> None:
        """
        Report an error, unless the client has only closed its connection or sent
        nothing for too long.
        """
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Request(BaseHTTPRequestHandler):
    """
    The one request of a connection.
    """

    server: Demo
    # A client that sends nothing delays all others (seconds).
    timeout = 10
    protocol_version = "HTTP/1.1"
    server_version = "brxy-demo"
    # Head and body are sent in one write.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer([])

    do_HEAD = do_GET

    def do_POST(self) -> None:
        try:
            length = self._readBody()
        except ValueError:
            self.close_connection = True
            self.send_error(400)
            return
        self._answer([f"Body: {length} bytes"])

    def handle_expect_100(self) -> bool:
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def log_message(self, format: str, *args: object) -> None:
        """
        Log nothing, because the response contains everything.
        """

    def _readBody(self) -> int:
        """
        Read the body of a request.

        @return: how many bytes there were.
        @raise ValueError: the body's framing is invalid.
        """
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self._skip(int(self.headers.get("Content-Length", "0")))
        total = 0
        while size := int(self.rfile.readline(100).split(b";")[0], 16):
            total += self._skip(size)
            self.rfile.readline(100)
        while self.rfile.readline(10000).strip():
            pass
        return total

    def _skip(self, length: int) -> int:
        if length < 0:
            raise ValueError("negative length")
        left = length
        while left:
            read = len(self.rfile.read(min(left, 65536)))
            if not read:
                raise ValueError("the body is incomplete")
            left -= read
        return length

    def _answer(self, lines: list[str]) -> None:
        lines = [self.server.work(), f"{self.command} {self.path}", *lines]
        for name in ("Host", "X-Forwarded-For"):
            if name in self.headers:
                lines.append(f"{name}: {self.headers[name]}")
        body = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < 86400:
        raise ValueError(text)
    return number


def portNumber(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        sys.exit(f"demo: PORT must be a number from 0 to 65535, not {text!r}")
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="demo",
        description="A small web app that listens on HOST (127.0.0.1) and PORT (8000).",
    )
    parser.add_argument(
        "-d",
        metavar="SECONDS",
        dest="delay",
        type=seconds,
        default=0.0,
        help="how long each request takes (%(default)s)",
    )
    delay = parser.parse_args().delay
    host, port = os.environ.get("HOST", "127.0.0.1"), portNumber(os.environ.get("PORT", "8000"))
    # As a container's first process this program has no default action of SIGTERM to rely on.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        server = Demo(host, port, delay)
    except OSError as error:
        sys.exit(f"demo: can't listen on {host}:{port}: {error.strerror}")
    print(f"demo: process {os.getpid()} listens on {host}:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
