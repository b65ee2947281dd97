"""
Prints the spans that an edge exports: to look at traces without anything else.  For more than
a look, take a real collector of OpenTelemetry.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


def described(span: dict[str, Any]) -> str:
    values = {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}
    names = ("http.request.method", "url.path", "http.response.status_code", "brxy.start")
    ids = f"{span['traceId']} {span.get('parentSpanId', '-'):>16} {span['spanId']}"
    milliseconds = (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e6
    shown = " ".join(values[name] for name in names if name in values)
    return f"{ids} {span['name']:10} {milliseconds:7.1f} ms  {shown}"


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in found["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    print(described(span), flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: Any) -> None:
        pass


HTTPServer(("127.0.0.1", 4318), Collector).serve_forever()
