"""
The address at which a node in a container dials the edge.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_address

from attrs import frozen

from brxy.errors import SpawnFailed

__all__ = ["DialBack", "dialBack"]

# The mount point of the folder with the node port's socket, in a container.
_FOLDER = "/run/brxy"


@frozen
class DialBack:
    """
    How a node in a container reaches the edge.

    @ivar edge: the node's C{BRXY_EDGE}.
    @ivar mounts: what must be mounted for that, as C{SOURCE:TARGET:ro}.
    """

    edge: str
    mounts: tuple[str, ...] = ()


def dialBack(edge: str, given: str | None, host_network: bool) -> DialBack:
    """
    Determine how a node in a container reaches the edge.

    @param edge: where the edge is for this machine, a client endpoint.
    @param given: where it is for the container, as the option C{edge=} says.
    @param host_network: the container uses the network of this machine.
    @raise SpawnFailed: the edge can't be reached from the container.
    """
    if given is not None:
        return DialBack(given)
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
    Check that a folder holds nothing but the socket.  The folder is mounted and not the
    socket, because an edge that is started again makes a new socket; so the container sees
    everything in the folder.

    @raise SpawnFailed: there is more than the socket in it.
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
