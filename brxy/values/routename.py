"""
Route names: what a C{Host}, or a C{--route}, must look like before anything
else sees it.

A route goes into environments, argument lists, labels and log lines, so it is
the narrowest syntax that real host names fit in.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

__all__ = ["isAddressOrLocalhost", "routeName"]

# 253 for the name, a dot, a colon and five digits.
_MAX_TEXT = 260
_MAX_NAME = 253
_MAX_PORT = 65535

_HOST = re.compile(
    r"(?:"
    r"(?P<name>[a-z0-9_][a-z0-9_-]{0,62}(?:\.[a-z0-9_][a-z0-9_-]{0,62})*)\.?"
    r"|\[(?P<v6>[0-9a-f:.]{2,45})\]"
    r")(?::(?P<port>[0-9]{1,5}))?"
)


def routeName(host: str) -> str | None:
    """
    The route that a C{Host} field, an authority or an option names.

    Labels of letters, digits, C{-} and C{_}, none beginning with C{-}, 63
    bytes each and 253 together; or an IP address, in brackets for IPv6.  A
    trailing dot and a port are taken off.  An empty port (C{example.com:}) is
    refused, though RFC 3986 knows it: apps disagree about it.

    @return: the name in lower case, an IPv6 address in its shortest spelling
        and in brackets; L{None} when C{host} is no such name.
    """
    if len(host) > _MAX_TEXT:
        return None
    return _routeName(host)


# Requests name the same few hosts again and again.
@lru_cache(maxsize=1024)
def _routeName(host: str) -> str | None:
    # Not str.lower() alone: it turns some letters outside of ASCII into ASCII ones.
    if not host.isascii() or (match := _HOST.fullmatch(host.lower())) is None:
        return None
    name, v6, port = match.groups()
    if port is not None and int(port) > _MAX_PORT:
        return None
    if v6 is not None:
        return _bracketed(v6)
    return name if len(name) <= _MAX_NAME else None


def _bracketed(address: str) -> str | None:
    try:
        return f"[{IPv6Address(address)}]"
    except AddressValueError:
        return None


@lru_cache(maxsize=1024)
def isAddressOrLocalhost(name: str) -> bool:
    """
    Whether a route name is an IP address or C{localhost}: those say nothing
    about the app that is meant, and share the default route.

    @param name: what L{routeName} returned.
    """
    if name == "localhost" or name.startswith("["):
        return True
    try:
        IPv4Address(name)
    except AddressValueError:
        return False
    return True
