"""
An ASGI app.
"""

from __future__ import annotations

import asyncio
from typing import Any

from journal import Work

__all__ = ["app"]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """
    Answer a request.
    """
    if scope["type"] != "http":
        return
    work = Work(scope["path"], scope["query_string"].decode())
    work.note("+")
    await asyncio.sleep(work.seconds)
    work.note("-")
    body = work.body()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
