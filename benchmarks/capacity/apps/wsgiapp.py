"""
A WSGI app.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from journal import Work

__all__ = ["app"]


def app(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """
    Answer a request.
    """
    body = Work(environ["PATH_INFO"], environ.get("QUERY_STRING", "")).perform()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
