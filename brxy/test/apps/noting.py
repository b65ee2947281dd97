"""
An app for tests that lose nothing: it notes the bodies of C{POST} in the file that is its
argument, sleeps for as many seconds as C{GET /sleep/SECONDS} says, and echoes what comes after a
switch to another protocol.
"""

from __future__ import annotations

import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """
    Answers one client.
    """

    protocol_version = "HTTP/1.1"

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """
        Answer with the number of the process, or echo.
        """
        if self.headers.get("Upgrade"):
            head = (
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"
            )
            self.wfile.write(head.encode())
            self.close_connection = True
            while data := self.connection.recv(65536):
                self.connection.sendall(data)
            return
        if self.path.startswith("/sleep/"):
            time.sleep(float(self.path.rpartition("/")[2]))
        self._answer(str(os.getpid()).encode())

    def do_POST(self) -> None:
        """
        Note the body.
        """
        body = self.rfile.read(int(self.headers["Content-Length"]))
        descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, body + b"\n")
        os.close(descriptor)
        self._answer(b"noted")

    def log_message(self, format: str, *args: object) -> None:
        """
        Print nothing.
        """


class Server(ThreadingHTTPServer):
    """
    Takes as many clients at once as come.
    """

    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
