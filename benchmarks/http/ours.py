"""
brxy as a contender, in one hop and in two, on each of its transports, and in
an earlier version.
"""

from __future__ import annotations

import sys
from pathlib import Path

from attrs import evolve, frozen

from benchmarks.http.contender import Contender, Running, Site
from benchmarks.http.servers import ROOT, BenchError, freePort
from brxy.program.tokenfile import makeToken

__all__ = ["ours"]

# The number of connections of the largest load.
_CAPACITY = "128"

# Instances must not leave during a benchmark.
_STAY = ["--idle-timeout", "86400"]

# Clients that wait to be counted must not be rejected.
_HOLD = ["--max-held", "100000", "--hold-timeout", "86400"]

# Options whose checks are made for each request or connection only if they are set.
_GUARDS = (
    *("--max-body", "1000000000", "--max-requests", "1000000000", "--tunnel-timeout", "60"),
    *("--max-connections-per-address", "100000", "--max-held-per-address", "100000"),
    *("--forwarded-trust", "127.0.0.1", "--hsts", "31536000"),
)


@frozen
class _Brxy:
    """
    One way to run brxy.

    @ivar words: for the title.
    @ivar options: of the edge.
    @ivar tree: the checkout that it is run from.
    """

    words: str
    transport: str
    options: tuple[str, ...] = ()
    tree: Path = ROOT

    def _command(self, kind: str, *options: str) -> list[str]:
        """
        @return: the command of an edge or a node.
        """
        run = ["env", "-C", str(self.tree), sys.executable, "-m", f"brxy.{kind}"]
        return [*run, "--transport", self.transport, *options]

    def _edge(self, port: int, *options: str) -> list[str]:
        """
        @return: the command of an edge.
        """
        listen = f"tcp:{port}:interface=127.0.0.1"
        always = ("-p", listen, "-c", _CAPACITY, *_STAY, *_HOLD)
        return self._command("edge", *always, *self.options, *options)

    def _app(self, name: str, site: Site) -> Running:
        """
        Start one hop: the edge spawns an origin of its own, just like the
        other.
        """
        port = freePort()
        origin = [sys.executable, "-m", "benchmarks.http.origin", "{port}", str(site.folder)]
        spawn = "app: max=1 -- " + " ".join(origin)
        return site.start(name, {"edge": self._edge(port, "--spawn", spawn)}, port)

    def _node(self, name: str, site: Site) -> Running:
        """
        Start two hops: a node stands before the origin, and dials the edge.
        """
        port, inner = freePort(), freePort()
        token = ["--token-file", str(site.folder / "token")]
        makeToken(token[1])
        listen = f"tcp:{inner}:interface=127.0.0.1"
        dial = ("--edge", f"tcp:127.0.0.1:{inner}", *token)
        app = ("--app", f"127.0.0.1:{site.origin}", "-c", _CAPACITY, *_STAY)
        parts = {
            "edge": self._edge(port, "--node-port", listen, *token),
            "node": self._command("node", *dial, *app),
        }
        return site.start(name, parts, port)

    def _holder(self, name: str, site: Site) -> Running:
        """
        Start an edge that has no instance, and gets none.
        """
        port, inner = freePort(), freePort()
        listen = f"tcp:{inner}:interface=127.0.0.1"
        return site.start(name, {"edge": self._edge(port, "--node-port", listen)}, port)

    def both(self, name: str) -> list[Contender]:
        """
        @return: the contenders with one hop and with two.

        @param name: the second part of their names.
        """
        one, two = f"brxy, one hop ({self.words})", f"brxy, two hops ({self.words})"
        return [
            Contender(f"app-{name}", one, "haproxy", self._app, self._holder),
            Contender(f"node-{name}", two, "haproxy-haproxy", self._node, self._holder),
        ]


def ours(before: Path | None) -> list[Contender]:
    """
    @return: all contenders of brxy.

    @param before: another checkout of brxy. Its contenders are included too,
        and those of this checkout are compared to them instead of HAProxy, and
        are there once more with every limit on.
    @raise BenchError: it is no such checkout.
    """
    ways = [_Brxy("epoll", "epoll"), _Brxy("reactor", "reactor")]
    now = [one for way in ways for one in way.both(way.words)]
    if before is None:
        return now
    if not (before / "brxy" / "edge" / "__main__.py").exists():
        raise BenchError(f"no checkout of brxy: {before}")
    now += _Brxy("epoll, every limit", "epoll", _GUARDS).both("epoll-guarded")
    then = []
    for way in ways:
        old = evolve(way, words=f"{way.words}, before", tree=before.resolve())
        then += old.both(f"{way.words}-before")
    compared = [
        evolve(one, reference=f"{one.name.removesuffix('-guarded')}-before") for one in now
    ]
    return [*compared, *then]
