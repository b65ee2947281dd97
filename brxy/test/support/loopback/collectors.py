"""
A collector of OpenTelemetry, which reads what it gets by OpenTelemetry's own messages.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

__all__ = ["Collector", "attributesOf"]

# As OTLP says, these are hexadecimal digits; in all other JSON of protobuf they are Base64.
_IDS = ("traceId", "spanId", "parentSpanId")


def _asBase64(found: Any) -> Any:
    if isinstance(found, list):
        return [_asBase64(each) for each in found]
    if isinstance(found, dict):
        return {
            name: b64encode(bytes.fromhex(value)).decode() if name in _IDS else _asBase64(value)
            for name, value in found.items()
        }
    return found


def attributesOf(owner: Any) -> dict[str, str | int]:
    """
    @return: the attributes of a span or of a resource.
    """
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in owner.attributes
    }


class Collector(Resource):
    """
    Takes spans over HTTP.

    @ivar spans: those that it has taken.
    @ivar resources: the attributes of their resources.
    @ivar fields: the header of each request.
    @ivar paths: the path of each request.
    @ivar answers: the status and the Retry-After with which it answers the next requests;
        L{None}: it does not answer.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[Any] = []
        self.resources: list[dict[str, str | int]] = []
        self.fields: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answers: list[tuple[int, str] | None] = []
        self._port: Any = None

    def listen(self, reactor: Any, port: int = 0) -> str:
        """
        @return: where it listens, as a URL.
        """
        site = Site(self)
        site.noisy = False
        self._port = reactor.listenTCP(port, site, interface="127.0.0.1")
        return f"http://127.0.0.1:{self._port.getHost().port}"

    def stop(self) -> Deferred[None]:
        """
        Close the port.
        """
        stopped: Deferred[None] = self._port.stopListening()
        return stopped

    def render_POST(self, request: Request) -> bytes | int:
        """
        Take spans, unless C{answers} says otherwise.
        """
        assert request.content is not None
        body = request.content.read()
        headers = request.requestHeaders.getAllRawHeaders()
        self.fields.append({name.decode().lower(): each[0].decode() for name, each in headers})
        self.paths.append(request.path.decode())
        answer = self.answers.pop(0) if self.answers else (200, "")
        if answer is None:
            return NOT_DONE_YET
        status, retry_after = answer
        request.setResponseCode(status)
        if retry_after:
            request.setHeader("Retry-After", retry_after)
        if status == 200:
            self._take(body)
        return b"{}"

    def _take(self, body: bytes) -> None:
        text = json.dumps(_asBase64(json.loads(body)))
        found = Parse(text, ExportTraceServiceRequest())
        for resource in found.resource_spans:
            self.resources.append(attributesOf(resource.resource))
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    def named(self, name: str) -> list[Any]:
        """
        @return: the spans of one name, in their order.
        """
        return [each for each in self.spans if each.name == name]
