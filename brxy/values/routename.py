"""
Names of routes: the syntax that a C{Host} field or a C{--route} must have.

A route goes into environments, argument lists, labels and log lines, so the syntax is
the narrowest that real host names fit in.
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
    Return the route that a C{Host} field, an authority or an option names.

    A name consists of labels of letters, digits, C{-} and C{_}, none of which begins with
    C{-}; a label has at most 63 bytes and the name at most 253.  It may also be an IP
    address, in brackets for IPv6.  A trailing dot and a port are removed.  An empty port
    (C{example.com:}) is refused: a request loses it before.

    @return: the name in lower case, an IPv6 address in its shortest spelling
        and in brackets; L{None} when C{host} is not such a name.
    """
    if len(host) > _MAX_TEXT:
        return None
    return _routeName(host)


# Most requests name one of the same few hosts.
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
    Whether a route name is an IP address or C{localhost}.  Such a name does not say
    which app is meant, so all of them share the default route.

    @param name: what L{routeName} returned.
    """
    if name == "localhost" or name.startswith("["):
        return True
    try:
        IPv4Address(name)
    except AddressValueError:
        return False
    return True
