"""
What the values of an edge's settings look like: endpoints, TCP frontends, networks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from brxy.program.fields import Kind
from brxy.reactor.endpoints import serverEndpoint
from brxy.spawners.spec import routePattern
from brxy.values.converters import route
from brxy.values.networks import Networks
from brxy.values.routename import routeName

__all__ = [
    "ALLOWED",
    "ENDPOINT",
    "FRONTEND",
    "HALF_CLOSED",
    "NETWORK",
    "SPAWN",
    "Frontend",
]


@frozen
class Frontend:
    """
    One C{--tcp}.

    @ivar route: its name, which is the route of all its connections.
    @ivar endpoint: where its clients connect, as a server endpoint.
    @ivar over_tls: they do so over TLS.
    @ivar alpn: the protocols that the edge agrees to, the preferred one first.
    @ivar postgres: they request TLS as clients of PostgreSQL do, or begin with it at once.
    """

    route: str
    endpoint: str
    over_tls: bool = False
    alpn: Sequence[str] = ()
    postgres: bool = False


# What a TCP frontend over TLS begins with, and the protocols that it agrees to unless alpn=
# names others.
_OVER_TLS: Mapping[str, Sequence[str]] = {"tls:": (), "tls-postgres:": ("postgresql",)}

# An argument of an endpoint.  A colon behind a backslash separates nothing.
_ALPN = re.compile(r"(?<!\\):alpn=([^:\\]*)(?=:|$)")


def _endpoint(text: str) -> str:
    return serverEndpoint(text, "use --tls-port, or --node-tls-cert for nodes")


def _frontend(text: str) -> Frontend:
    name, equals, endpoint = text.partition("=")
    if not equals:
        raise ValueError("NAME=ENDPOINT is needed")
    kind = next((each for each in _OVER_TLS if endpoint.startswith(each)), "")
    endpoint, alpn = _withoutALPN(endpoint.removeprefix(kind))
    if alpn and not kind:
        raise ValueError("alpn= is for TLS only: use tls:ENDPOINT")
    alpn = alpn or _OVER_TLS.get(kind, ())
    postgres = kind == "tls-postgres:"
    return Frontend(route(name), _endpoint(endpoint), bool(kind), alpn, postgres)


def _withoutALPN(endpoint: str) -> tuple[str, Sequence[str]]:
    """
    Take C{alpn=} out of the arguments of an endpoint.
    """
    found = _ALPN.search(endpoint)
    if found is None:
        return endpoint, ()
    names = found[1].split(",")
    # A name has 1 to 255 bytes, and all of them together have a length of two bytes.
    if not all(0 < len(each) < 256 and each.isascii() for each in names) or len(names) > 64:
        raise ValueError("alpn= needs the names of protocols, such as postgresql or h2,http/1.1")
    return endpoint[: found.start()] + endpoint[found.end() :], names


def _allowed(text: str) -> tuple[str, str | None]:
    name, equals, pattern = text.partition("=")
    if not equals or routeName(name) is None:
        raise ValueError("NAME=ROUTE is needed")
    return name, None if pattern == "*" else routePattern(pattern)


def _halfClosed(text: str) -> str:
    if text not in ("abort", "serve"):
        raise ValueError("abort or serve is needed")
    return text


def _network(text: str) -> str:
    Networks([text])
    return text


_SERVER = "a port, ``ADDRESS:PORT`` or a server endpoint"

ENDPOINT = Kind("ENDPOINT", _endpoint, _SERVER)
FRONTEND = Kind(
    "NAME=ENDPOINT",
    _frontend,
    f"a route, ``=``, ``=tls:`` or ``=tls-postgres:``, and {_SERVER}, which over TLS may have "
    "``alpn=`` as one more argument",
)
NETWORK = Kind(
    "NETWORK",
    _network,
    "an address, a network such as ``10.0.0.0/8`` or ``2001:db8::/32``, or ``unix`` for all "
    "Unix sockets",
)
#: Its value is the name, and the pattern of routes: L{None} for all.
ALLOWED = Kind(
    "NAME=ROUTE",
    _allowed,
    "the name in a certificate or ``token``, ``=``, and a route, a pattern such as "
    "``*.example.com``, or ``*`` for all routes",
)
HALF_CLOSED = Kind("abort|serve", _halfClosed, "``abort`` or ``serve``")
SPAWN = Kind("SPAWN", str, "a spawn string, see :doc:`spawn`")
