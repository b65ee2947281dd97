"""
Endpoints as text, checked before anything is opened.
"""

from __future__ import annotations

from twisted.internet.endpoints import clientFromString

__all__ = ["endpoint"]


def endpoint(text: str) -> str:
    """
    A converter for options: a client endpoint.

    @raise ValueError: it is none.
    """
    try:
        # The global reactor is not asked for anything yet.
        clientFromString(None, text)
    except Exception:
        raise ValueError("a client endpoint is needed, as tcp:edge.example.net:9080") from None
    return text
