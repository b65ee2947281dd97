"""
Learning the capacity of an app, where its sockets can be seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brxy.errors import Unseen
from brxy.interfaces import Address
from brxy.processes.stopped import isStopped
from brxy.uptake.namespaces import diagIn
from brxy.uptake.sockdiag import openDiag, unseen
from brxy.uptake.uptake import Uptake

__all__ = ["Learn", "learning"]

LOOPBACK = "127.0.0.1"

#: Makes the uptake of an app, which calls its argument when the capacity may have changed.
Learn = Callable[[Callable[[], None]], Uptake]


def learning(
    clock: Any,
    address: Address,
    most: int,
    unknown: Callable[[str], None],
    *,
    server_first: bool,
    pid: int | None,
) -> Learn:
    """
    Prepare to learn the capacity of an app.

    @param address: where the app is reached.
    @param most: see L{Uptake}, like what else is not named here.
    @param pid: a process of the app; L{None} if none is known, and the app is in our own network
        namespace.
    @raise brxy.errors.Unseen: the app's sockets can't be seen.
    """
    host = LOOPBACK if address.host == "localhost" else address.host
    reason = unseen(host)
    if not reason:
        diag = openDiag()
    elif pid is not None:
        diag = diagIn(pid, host)
    else:
        raise Unseen(reason)
    return lambda changed: Uptake(
        clock,
        most,
        diag,
        changed=changed,
        unknown=unknown,
        server_first=server_first,
        stopped=lambda: pid is not None and isStopped(pid),
    )
