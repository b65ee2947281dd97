"""
The reactor of a program, and the option that chooses its transport.
"""

from __future__ import annotations

import time
from typing import Any

from brxy.reactor.signals import stopOnce
from brxy.transport.epollreactor import EpollReactor

__all__ = ["TRANSPORT", "usedReactor"]


def _transport(text: str) -> str:
    if text not in ("epoll", "reactor"):
        raise ValueError("epoll or reactor is needed")
    return text


#: The option that says how connections are made, see L{usedReactor}.
TRANSPORT: list[Any] = [
    "transport",
    None,
    "epoll",
    "How connections are served: by brxy's own epoll transport, or by Twisted's reactor.",
    _transport,
]


def usedReactor(transport: str) -> Any:
    """
    The reactor for a service, made fit for one: Twisted's, or the same with
    connections of our own transport.

    @param transport: C{epoll} or C{reactor}.
    """
    from twisted.internet import reactor

    stopOnce(reactor)
    # Twisted's timers follow the wall clock, and freeze or storm when it jumps.
    setattr(reactor, "seconds", time.monotonic)  # noqa: B010 (mypy takes it for a method)
    return EpollReactor(reactor) if transport == "epoll" else reactor
