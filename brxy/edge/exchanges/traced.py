"""
Carriers of requests that belong to traces.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from brxy.edge.exchanges.http import HTTPCarrier
from brxy.edge.exchanges.recorded import RecordedHTTP
from brxy.http.tracecontext import withoutTrace

__all__ = ["TracedHTTP", "traced"]


class TracedHTTP(RecordedHTTP):
    """
    A L{RecordedHTTP} whose app gets the trace that the request belongs to.
    """

    def _first(self) -> bytes:
        tracer, head = self._records.tracer, self.head
        assert tracer is not None, "a trace without a tracer"
        if head.fields is not tracer.plain and not tracer.isPlain(head):
            self.head = withoutTrace(head)
        # Behind the line of the request.
        return HTTPCarrier._first(self).replace(b"\r\n", tracer.lines(self._record), 1)


@cache
def traced(kind: type[Any]) -> type[Any]:
    """
    @param kind: carriers of requests.
    @return: the same, but L{TracedHTTP} as well.
    """
    return type(f"Traced{kind.__name__}", (kind, TracedHTTP), {})
