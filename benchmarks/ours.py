"""
brxy itself, in one hop and in two, on each of its transports.
"""

from __future__ import annotations

import sys
from functools import partial

from benchmarks.contender import Contender, Running, Site
from benchmarks.servers import freePort
from brxy.tokenfile import makeToken

__all__ = ["OURS"]

# As much as the largest load asks for at once.
_CAPACITY = "128"

# Instances must not leave in the middle of a benchmark.
_STAY = ["--idle-timeout", "86400"]

# Nor may clients be sent away that wait to be counted.
_HOLD = ["--max-held", "100000", "--hold-timeout", "86400"]


def _brxy(kind: str, transport: str, *options: str) -> list[str]:
    """
    The command of an edge or a node.
    """
    return [sys.executable, "-m", f"brxy.{kind}", "--transport", transport, *options]


def _edge(transport: str, port: int, *options: str) -> list[str]:
    """
    The command of an edge.
    """
    listen = f"tcp:{port}:interface=127.0.0.1"
    return _brxy("edge", transport, "-p", listen, "-c", _CAPACITY, *_STAY, *_HOLD, *options)


def _app(transport: str, name: str, site: Site) -> Running:
    """
    One hop: the edge spawns an origin of its own, just like the other.
    """
    port = freePort()
    origin = [sys.executable, "-m", "benchmarks.origin", "{port}", str(site.folder)]
    spawn = "app: max=1 -- " + " ".join(origin)
    return site.start(name, {"edge": _edge(transport, port, "--spawn", spawn)}, port)


def _node(transport: str, name: str, site: Site) -> Running:
    """
    Two hops: a node stands before the origin, and dials the edge.
    """
    port, inner = freePort(), freePort()
    dial = f"tcp:127.0.0.1:{inner}"
    token = ["--token-file", str(site.folder / "token")]
    makeToken(token[1])
    listen = f"tcp:{inner}:interface=127.0.0.1"
    app = f"127.0.0.1:{site.origin}"
    parts = {
        "edge": _edge(transport, port, "--node-port", listen, *token),
        "node": _brxy(
            *("node", transport, "--edge", dial, *token, "--app", app, "-c", _CAPACITY, *_STAY)
        ),
    }
    return site.start(name, parts, port)


def _holder(transport: str, name: str, site: Site) -> Running:
    """
    An edge that has no instance, and gets none.
    """
    port, inner = freePort(), freePort()
    listen = f"tcp:{inner}:interface=127.0.0.1"
    return site.start(name, {"edge": _edge(transport, port, "--node-port", listen)}, port)


def _both(transport: str) -> list[Contender]:
    """
    One hop and two, on one transport.
    """
    return [
        Contender(
            f"app-{transport}",
            f"brxy, one hop ({transport})",
            "haproxy",
            partial(_app, transport),
            partial(_holder, transport),
        ),
        Contender(
            f"node-{transport}",
            f"brxy, two hops ({transport})",
            "haproxy-haproxy",
            partial(_node, transport),
        ),
    ]


OURS = (*_both("epoll"), *_both("reactor"))
