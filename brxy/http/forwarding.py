"""
What a trusted proxy says about its client by X-Forwarded-For, -Proto and -Host.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address

from attrs import frozen

from brxy.http.fields import Field, listMembers, withoutEmptyPort
from brxy.values.networks import Networks, shortAddress
from brxy.values.routename import routeName

__all__ = ["Forwarded", "forwarded"]

# The longest chain of proxies; of a longer one, only the last part is used.
MAX_HOPS = 32

# Only requests with at most this many bytes of these fields are remembered.
_SHORT = 256

_FOR, _PROTO, _HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"
_NAMES = frozenset((_FOR, _PROTO, _HOST))
# What a proxy may call its client's connection, and what the app gets.  Some proxies name a
# WebSocket's own scheme, which apps would not take for https.
_PROTOS = {b"http": b"http", b"https": b"https", b"ws": b"http", b"wss": b"https"}


@frozen
class Forwarded:
    """
    How a client is described to an app.

    @ivar client: the address of the client: the last of the chain that is not trusted.
    @ivar chain: the value of X-Forwarded-For, with the peer at its end.
    @ivar proto: C{b"http"} or C{b"https"}.
    @ivar host: the value of X-Forwarded-Host; empty for the same as Host.
    """

    client: str
    chain: bytes
    proto: bytes
    host: bytes


def forwarded(fields: Sequence[Field], peer: str, proto: bytes, trusted: Networks) -> Forwarded:
    """
    Read the fields in a request of a trusted peer.  Malformed ones are ignored.

    @param peer: its address; C{""} on a Unix socket.
    @param proto: the scheme of its own connection.
    """
    said = tuple([(lower, value) for lower, _, value in fields if lower in _NAMES])
    short = sum([len(value) for _, value in said]) <= _SHORT
    return (_remembered if short else _forwarded)(said, peer, proto, trusted)


def _forwarded(
    said: Sequence[tuple[bytes, bytes]], peer: str, proto: bytes, trusted: Networks
) -> Forwarded:
    values: dict[bytes, list[bytes]] = {name: [] for name in _NAMES}
    for name, value in said:
        values[name].append(value)
    hops = _hops(values[_FOR])
    if peer:
        hops.append(peer)
    hosts = [withoutEmptyPort(value) for value in values[_HOST]]
    return Forwarded(
        _client(hops, trusted),
        ", ".join(hops).encode("ascii"),
        _proto(values[_PROTO]) or proto,
        hosts[0] if len(hosts) == 1 and routeName(hosts[0].decode("latin-1")) else b"",
    )


# The clients of one proxy send many requests each.
_remembered = lru_cache(1024)(_forwarded)


def _proto(values: list[bytes]) -> bytes | None:
    """
    The scheme at the first of the proxies, each of which may have added its own.

    @return: L{None} if there is none, or one of them is malformed.
    """
    protos = [_PROTOS.get(member) for member in listMembers(values)]
    return protos[0] if protos and None not in protos else None


def _hops(values: Sequence[bytes]) -> list[str]:
    """
    The chain as far back as it is well-formed: a peer that wrote one malformed member may
    have made up everything before it.
    """
    hops: list[str] = []
    members = b",".join(values).decode("latin-1").split(",")
    for member in reversed(members):
        hop = _address(member.strip(" \t"))
        if hop is None or len(hops) == MAX_HOPS:
            break
        hops.append(hop)
    hops.reverse()
    return hops


def _address(text: str) -> str | None:
    """
    The address in a member of X-Forwarded-For; some proxies add a port.
    """
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and (host.endswith("]") or ":" not in host):
        text = host
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        return shortAddress(ip_address(text))
    except ValueError:
        return None


def _client(hops: Sequence[str], trusted: Networks) -> str:
    for hop in reversed(hops):
        if not trusted.covers(hop):
            return hop
    return hops[0] if hops else ""
