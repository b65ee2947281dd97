"""
Endpoints as text: in Twisted's notation, or as C{HOST:PORT}, which is translated into it.
They are checked before anything is dialled or opened.

Endpoints over TLS are refused: brxy sets up TLS itself, on connections whose sockets it
knows.  A node imports this module before it starts its app, so Twisted, which takes long
to load, is imported only when it is needed.
"""

from __future__ import annotations

import os
import re

__all__ = ["HANDED_ON", "clientEndpoint", "serverEndpoint"]

#: In the environment of an edge that takes the place of another one: its descriptor of the channel
#: to that edge.
HANDED_ON = "BRXY_UPGRADE_FD"

# An IPv6 address in brackets, or a name or an IPv4 address, and a port.
_HOST_PORT = re.compile(r"(?:\[([0-9a-fA-F:.]+(?:%\w+)?)\]|([\w.-]+|\*|)):(\d+)", re.ASCII)
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)

# The kinds of Twisted's endpoints that have only a port or a descriptor behind the colon.
_TYPES = ("tcp", "tcp6", "fd", "stdio", "systemd", "unix", "haproxy")

_SERVERS = "write 8080, 127.0.0.1:8080, [::1]:8080 or unix:/run/brxy/http, for example"
_CLIENTS = "write edge.example.net:9080, [::1]:9080 or unix:/run/brxy/nodes, for example"

_OVER_TLS = ("ssl:", "tls:")

_FOR_TLS = "use other options than the endpoint"

# What Twisted raises for a text that it can't parse.
_BAD = (ValueError, LookupError, TypeError, AttributeError)


def clientEndpoint(text: str, for_tls: str = _FOR_TLS) -> str:
    """
    A converter for options: a client endpoint, or C{HOST:PORT}.

    @param for_tls: what to do instead of dialling C{ssl:}.
    @return: a client endpoint.
    @raise ValueError: it is not a client endpoint, or one over TLS.
    """
    from twisted.internet.endpoints import clientFromString

    _refuseTLS(text, for_tls)
    address, name, port = _split(text)
    if port is not None and (address or name not in ("", "*")):
        text = f"tcp:{_escaped(address) or name}:{port}"
    try:
        # This parses the text, and does not use the reactor.
        clientFromString(None, text)
    except _BAD as error:
        raise ValueError(f"it is not a client endpoint: {_reason(error)}; {_CLIENTS}") from None
    return text


def serverEndpoint(text: str, for_tls: str = _FOR_TLS) -> str:
    """
    A converter for options: a server endpoint; C{ADDRESS:PORT}; or C{PORT}, C{:PORT} or
    C{*:PORT} for all addresses.

    @param for_tls: what to do instead of listening on C{ssl:}.
    @return: a server endpoint.
    @raise ValueError: it is not a server endpoint, or one over TLS.
    """
    from twisted.internet.endpoints import serverFromString

    _refuseTLS(text, for_tls)
    text = _listening(text)
    try:
        # This parses the text, and does not use the reactor.
        serverFromString(None, text)
    except _BAD as error:
        # The index or name of a socket that systemd did not pass.
        if isinstance(error, LookupError) and text.startswith("systemd:"):
            if HANDED_ON in os.environ:
                # The edge that had it hands it on.
                return text
            raise ValueError("it is not a server endpoint: no such socket was inherited") from None
        why = _reason(error)
        instead = "" if text.startswith("systemd:") else f"; {_SERVERS}"
        raise ValueError(f"it is not a server endpoint: {why}{instead}") from None
    return text


def _reason(error: Exception) -> object:
    # Of a missing or surplus argument Python says what function of Twisted's has none.
    return "its arguments are wrong" if isinstance(error, TypeError) else error


def _split(text: str) -> tuple[str, str, str | None]:
    """
    @return: the IPv6 address, the name or IPv4 address, and the port of C{HOST:PORT}.  The
        port is L{None} if the text is something else.
    @raise ValueError: there is no such port.
    """
    match = _HOST_PORT.fullmatch(text)
    if match is None or match[2] in _TYPES:
        return "", "", None
    if int(match[3]) > 65_535:
        raise ValueError(f"a port is a number from 1 to 65535, not {match[3]}")
    return match[1] or "", match[2] or "", match[3]


def _listening(text: str) -> str:
    address, name, port = _split(f":{text}" if text.isdigit() else text)
    if port is None:
        return text
    if address:
        return f"tcp:{port}:interface={_escaped(address)}"
    if name in ("", "*"):
        return f"tcp:{port}"
    if name == "localhost":
        name = "127.0.0.1"
    return f"tcp:{port}:interface={name}" if _IPV4.fullmatch(name) else text


def _escaped(address: str) -> str:
    return address.replace(":", "\\:")


def _refuseTLS(text: str, instead: str) -> None:
    if text.startswith(_OVER_TLS):
        raise ValueError(f"for TLS {instead}")
