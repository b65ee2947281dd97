"""
How a node in a container finds the edge.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_address

from attrs import frozen

from brxy.errors import SpawnFailed

__all__ = ["DialBack", "dialBack"]

# Where the folder of the node port's socket is in a container.
_FOLDER = "/run/brxy"


@frozen
class DialBack:
    """
    How a node in a container reaches the edge.

    @ivar edge: its C{BRXY_EDGE}.
    @ivar mounts: what must be mounted for that, as L{volumes}.
    """

    edge: str
    mounts: tuple[str, ...] = ()


def dialBack(edge: str, told: str | None, host_network: bool) -> DialBack:
    """
    Tell a node in a container where the edge is.

    @param edge: where the edge is for this machine, a client endpoint.
    @param told: where it is for the container, if that was told.
    @param host_network: the container has this machine's own network.
    @raise SpawnFailed: it can't be reached from there.
    """
    if told is not None:
        return DialBack(told)
    if edge.startswith("unix:"):
        folder, name = os.path.split(_unescaped(edge[len("unix:") :]))
        _checkOwnFolder(folder, name)
        escaped = edge[len("unix:") :].rpartition("/")[2]
        return DialBack(f"unix:{_FOLDER}/{escaped}", (f"{folder}:{_FOLDER}:ro",))
    if not host_network and _isLoopback(edge):
        raise SpawnFailed(
            f"a node in a container can't reach the edge at {edge}: "
            "it needs --node-port unix:PATH, network=host or edge="
        )
    return DialBack(edge)


def _isLoopback(edge: str) -> bool:
    host = _unescaped(edge[len("tcp:") :]).rpartition(":")[0]
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _checkOwnFolder(folder: str, name: str) -> None:
    """
    The folder is mounted, and not the socket: an edge that is started again
    makes a new one.  All that is in it is there for the container, too.

    @raise SpawnFailed: that would be more than the socket.
    """
    try:
        others = [each for each in os.listdir(folder) if not each.startswith(name)]
    except OSError as error:
        raise SpawnFailed(f"{folder}: {error.strerror}") from None
    if others or ":" in folder:
        raise SpawnFailed(
            f"the node port {os.path.join(folder, name)} needs a folder of its own, "
            "which is mounted into the container"
        )
