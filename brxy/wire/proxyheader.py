"""
Headers of the PROXY protocol, versions 1 and 2, with which a proxy begins a connection to
report the addresses of the client that it connects for.

HAProxy's C{proxy-protocol.txt} defines it.  A receiver must not guess: either every
connection begins with a header, or none does.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import Final

from attrs import frozen

from brxy.errors import BadProxyHeader
from brxy.interfaces import Address
from brxy.values.networks import shortAddress

__all__ = [
    "MAX_V1",
    "MAX_V2",
    "VERSIONS",
    "Endpoints",
    "endpointsFromText",
    "proxyHeader",
    "proxyVersion",
    "readProxyHeader",
    "withPort",
]

VERSIONS: Final = ("v1", "v2")

MAX_V1: Final = 107
"""The longest line of version 1 with its end (bytes), as the protocol defines it."""

MAX_V2: Final = 4096
"""The longest header of version 2 (bytes).  The protocol allows 65,551, but what proxies
add, such as the name in a client's certificate, takes some hundred bytes."""

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_PREFIX: Final = b"PROXY "

_V4: Final = r"([0-9.]+)"
_V6: Final = r"([0-9A-Fa-f]*:[0-9A-Fa-f.:]*)"
_PORT: Final = r"(0|[1-9][0-9]{0,4})"
_TCP4_LINE: Final = re.compile(f"PROXY TCP4 {_V4} {_V4} {_PORT} {_PORT}")
_TCP6_LINE: Final = re.compile(f"PROXY TCP6 {_V6} {_V6} {_PORT} {_PORT}")
_UNKNOWN_LINE: Final = re.compile("PROXY UNKNOWN(?: .*)?", re.DOTALL)
_MAX_PORT: Final = 65535

# Source and destination, ADDRESS:PORT or [ADDRESS]:PORT each.
_END: Final = r"(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]{1,5})"
_TEXT: Final = re.compile(f"{_END} {_END}")

# The signature, version and command, family and transport, number of bytes that follow.
_HEAD: Final = Struct(">12sBBH")
_LOCAL: Final = 0x20
_PROXY: Final = 0x21
_TCP4: Final = 0x11
_TCP6: Final = 0x21
# Size of the two addresses and ports, by family.
_SIZES: Final = (0, 12, 36, 216)
_MAX_TRANSPORT: Final = 2
_ENDS: Final = {_TCP4: Struct(">4s4sHH"), _TCP6: Struct(">16s16sHH")}

_IP = IPv4Address | IPv6Address


@frozen
class Endpoints:
    """
    The two ends of a TCP connection: the side that connected, and the side that accepted.
    """

    source: Address
    destination: Address

    def __str__(self) -> str:
        source, destination = self.source, self.destination
        return (
            f"{withPort(source.host, source.port)} {withPort(destination.host, destination.port)}"
        )


def withPort(host: str, port: int) -> str:
    """
    Format an IP address and a port as in a URL.
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def proxyVersion(text: str) -> str:
    """
    Convert the value of an option: one of L{VERSIONS}.

    @raise ValueError: it is not one of them.
    """
    if text not in VERSIONS:
        raise ValueError("v1 or v2 is needed")
    return text


def endpointsFromText(text: str) -> Endpoints | None:
    """
    The inverse of C{str()} of L{Endpoints}; L{None} for any other text.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    return _fromTexts(match[1] or match[2], match[4] or match[5], match[3], match[6])


def _fromTexts(source: str, destination: str, port: str, to_port: str) -> Endpoints | None:
    """
    @return: L{None} if one of these is not an address, or not a port.
    """
    ports = int(port), int(to_port)
    try:
        hosts = ip_address(source), ip_address(destination)
    except ValueError:
        return None
    return _endpoints(*hosts, *ports) if max(ports) <= _MAX_PORT else None


def _endpoints(source: _IP, destination: _IP, port: int, to_port: int) -> Endpoints:
    return Endpoints(
        Address(shortAddress(source), port), Address(shortAddress(destination), to_port)
    )


def readProxyHeader(data: bytes) -> tuple[Endpoints | None, int] | None:
    """
    Read the header at the beginning of C{data}.

    @return: the ends of the client's connection, and the number of bytes of C{data} that
        the header has; L{None} if more bytes are needed.  There are no endpoints if the
        proxy connects for itself (LOCAL, for example for health checks), or for a client
        that is unknown or has no IP address.  The connection then counts as the proxy's
        own.
    @raise BadProxyHeader: this is not a header, nor the beginning of one.
    """
    return _readV2(data) if data.startswith(_SIGNATURE[:1]) else _readV1(data)


def _readV1(data: bytes) -> tuple[Endpoints | None, int] | None:
    if not data.startswith(_PREFIX[: len(data)]):
        raise BadProxyHeader("no PROXY header")
    end = data.find(b"\r\n", 0, MAX_V1)
    if end < 0:
        if len(data) >= MAX_V1:
            raise BadProxyHeader("a PROXY line that is too long")
        return None
    line = data[:end].decode("latin-1")
    if _UNKNOWN_LINE.fullmatch(line):
        return None, end + 2
    match = _TCP4_LINE.fullmatch(line) or _TCP6_LINE.fullmatch(line)
    endpoints = None if match is None else _fromTexts(*match.groups())
    if endpoints is None:
        raise BadProxyHeader("a malformed PROXY line")
    return endpoints, end + 2


def _readV2(data: bytes) -> tuple[Endpoints | None, int] | None:
    if not data.startswith(_SIGNATURE[: len(data)]):
        raise BadProxyHeader("no PROXY header")
    if len(data) < _HEAD.size:
        return None
    _, command, family, size = _HEAD.unpack_from(data)
    if command not in (_LOCAL, _PROXY):
        raise BadProxyHeader(f"a PROXY header of unknown version or command {command:#04x}")
    end = _HEAD.size + size
    if end > MAX_V2:
        raise BadProxyHeader(f"a PROXY header of {end} bytes, at most {MAX_V2}")
    if command == _PROXY:
        _checkFamily(family, size)
    if len(data) < end:
        return None
    # More about the client (TLVs) may follow the addresses; it is ignored.
    return _readEnds(data, family) if command == _PROXY else None, end


def _checkFamily(family: int, size: int) -> None:
    kind, transport = divmod(family, 16)
    if kind >= len(_SIZES) or transport > _MAX_TRANSPORT:
        raise BadProxyHeader(f"a PROXY header of unknown family {family:#04x}")
    if size < _SIZES[kind]:
        raise BadProxyHeader("a PROXY header that is too short for its addresses")


def _readEnds(data: bytes, family: int) -> Endpoints | None:
    """
    @return: L{None} if it is not TCP: a Unix socket, datagrams, or unspecified.
    """
    ends = _ENDS.get(family)
    if ends is None:
        return None
    source, destination, *ports = ends.unpack_from(data, _HEAD.size)
    return _endpoints(ip_address(source), ip_address(destination), *ports)


def proxyHeader(version: str, endpoints: Endpoints | None) -> bytes:
    """
    Encode the header of a connection that is made for a client.

    @param version: one of L{VERSIONS}.
    @param endpoints: L{None} for a connection of our own, or for a client without an IP
        address.
    """
    if endpoints is None:
        return b"PROXY UNKNOWN\r\n" if version == "v1" else _HEAD.pack(_SIGNATURE, _LOCAL, 0, 0)
    ends = endpoints.source, endpoints.destination
    source, destination = _sameFamily(*[ip_address(end.host) for end in ends])
    port, to_port = [end.port for end in ends]
    if version == "v1":
        family = source.version
        return f"PROXY TCP{family} {source} {destination} {port} {to_port}\r\n".encode("ascii")
    kind = _TCP4 if source.version == 4 else _TCP6
    packed = _ENDS[kind].pack(source.packed, destination.packed, port, to_port)
    return _HEAD.pack(_SIGNATURE, _PROXY, kind, len(packed)) + packed


def _sameFamily(one: _IP, other: _IP) -> tuple[_IP, _IP]:
    """
    Convert two addresses to one family, since a header has only one.
    """
    if one.version == other.version:
        return one, other
    return _mapped(one), _mapped(other)


def _mapped(host: _IP) -> _IP:
    return IPv6Address(f"::ffff:{host}") if isinstance(host, IPv4Address) else host
