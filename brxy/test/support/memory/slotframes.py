"""
Frames and log lines for the tests of both ends of a slot.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import formatEvent

from brxy.wire.frames import KIND_HTTP, VERSION
from brxy.wire.greeting import Hello, Open, Welcome

__all__ = ["HELLO_FRAME", "WELCOME_FRAME", "opening", "warnings"]

HELLO_FRAME = Hello(VERSION, "", "node", "r", 1).encode()
WELCOME_FRAME = Welcome(VERSION, "edge", 7, True).encode()


def opening(number: int = 1, once: bool = False, kind: int = KIND_HTTP) -> bytes:
    """
    @return: an OPEN frame.
    """
    return Open(kind, once, "192.0.2.1:5").encode(number)


def warnings(events: Any) -> list[str]:
    """
    @return: the warnings and errors that were logged.
    """
    return [
        formatEvent(event)
        for event in events
        if event["log_level"].name in ("warn", "error", "critical")
    ]
