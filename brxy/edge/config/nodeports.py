"""
The ports where nodes dial in if no C{--node-port} is given.
"""

from __future__ import annotations

from collections.abc import Sequence

from brxy.interfaces import ILocal, ISpawner

__all__ = ["defaultNodePorts"]


def defaultNodePorts(
    spawners: Sequence[ISpawner], *, strangers: bool, over_tls: bool
) -> tuple[bool, bool]:
    """
    Choose the ports for nodes.  What an edge starts on its own machine gets a socket that no
    other edge has; all others know the default port only.

    @param strangers: nodes that the edge has not spawned have a token.
    @param over_tls: nodes dial in over TLS, for which also those of the edge's own machine
        are prepared.
    @return: whether the edge has a socket of its own, and whether it has the default port.
    """
    dialling = [each for each in spawners if each.dials_back]
    near = [each for each in dialling if ILocal.providedBy(each) and not over_tls]
    default = not spawners or len(near) < len(dialling) or bool(near and strangers)
    return bool(near), default
