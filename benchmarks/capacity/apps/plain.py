"""
An app on a server of Python's standard library.

C{python plain.py SERVER PORT [BACKLOG]}, where SERVER is C{HTTPServer}, C{ThreadingHTTPServer} or
C{WSGIServer}.
"""

from __future__ import annotations

import http.server
import sys
import wsgiref.simple_server
from urllib.parse import urlsplit

from journal import Work
from wsgiapp import app


class _Handler(http.server.BaseHTTPRequestHandler):
    """
    Performs the work of a request.
    """

    def do_GET(self) -> None:
        """
        Answer as every app here.
        """
        url = urlsplit(self.path)
        body = Work(url.path, url.query).perform()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """
        Print nothing.
        """


def _main(kind: str, port: int, backlog: int) -> None:
    if kind == "WSGIServer":
        made = wsgiref.simple_server.make_server("127.0.0.1", port, app)
        made.serve_forever()
    server: type[http.server.HTTPServer] = getattr(http.server, kind)
    server.request_queue_size = backlog
    server(("127.0.0.1", port), _Handler).serve_forever()


_main(sys.argv[1], int(sys.argv[2]), int((sys.argv[3:] or ["5"])[0]))
