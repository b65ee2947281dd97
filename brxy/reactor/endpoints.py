"""
Checks of Twisted endpoints as text, before anything is dialled or opened.

Endpoints over TLS are refused: brxy sets up TLS itself, on connections whose sockets it
knows.  A node imports this module before it starts its app, so Twisted, which takes long
to load, is imported only when it is needed.
"""

from __future__ import annotations

__all__ = ["clientEndpoint", "serverEndpoint"]

_OVER_TLS = ("ssl:", "tls:")

_FOR_TLS = "use other options than the endpoint"

# What Twisted raises for a text that it can't parse.
_BAD = (ValueError, LookupError, TypeError, AttributeError)


def clientEndpoint(text: str, for_tls: str = _FOR_TLS) -> str:
    """
    A converter for options: a client endpoint.

    @param for_tls: what to do instead of dialling C{ssl:}.
    @return: the text.
    @raise ValueError: it is not a client endpoint, or one over TLS.
    """
    from twisted.internet.endpoints import clientFromString

    _refuseTLS(text, for_tls)
    try:
        # This parses the text, and does not use the reactor.
        clientFromString(None, text)
    except _BAD as error:
        raise ValueError(f"it is not a client endpoint: {error}") from None
    return text


def serverEndpoint(text: str, for_tls: str = _FOR_TLS) -> str:
    """
    A converter for options: a server endpoint.

    @param for_tls: what to do instead of listening on C{ssl:}.
    @return: the text.
    @raise ValueError: it is not a server endpoint, or one over TLS.
    """
    from twisted.internet.endpoints import serverFromString

    _refuseTLS(text, for_tls)
    try:
        # This parses the text, and does not use the reactor.
        serverFromString(None, text)
    except _BAD as error:
        # The index or name of a socket that systemd did not pass.
        missing = isinstance(error, LookupError) and text.startswith("systemd:")
        why = "no such socket was inherited" if missing else error
        raise ValueError(f"it is not a server endpoint: {why}") from None
    return text


def _refuseTLS(text: str, instead: str) -> None:
    if text.startswith(_OVER_TLS):
        raise ValueError(f"for TLS {instead}")
