"""
The reactor of a program.
"""

from __future__ import annotations

import time
from typing import Any

from brxy.reactor.signals import stopOnce
from brxy.transport.epollreactor import EpollReactor

__all__ = ["usedReactor"]


def usedReactor(transport: str) -> Any:
    """
    The reactor for a service: Twisted's own, with changes that a program needs, or
    one around it whose connections use brxy's own transport.

    The changes are made to Twisted's global reactor in place, because twistd runs that
    one and takes no other.

    @param transport: C{epoll} or C{reactor}, as C{--transport} has it.
    """
    from twisted.internet import reactor

    # Twisted's stop() raises an error when it is called a second time, as it is by two
    # signals in one turn of the reactor, and twistd would log a traceback.
    stopOnce(reactor)
    # Twisted's timers follow the wall clock: when that is set back, no timer fires for as
    # long, and when it is set forward, all timers that it passes fire at once.
    setattr(reactor, "seconds", time.monotonic)  # noqa: B010 (mypy takes it for a method)
    return EpollReactor(reactor) if transport == "epoll" else reactor
