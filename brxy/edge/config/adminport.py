"""
What the values of C{--admin} and C{--health-path} look like.
"""

from __future__ import annotations

import re

from attrs import frozen

from brxy.reactor.endpoints import serverEndpoint

__all__ = ["OFF", "AdminPort", "adminPort", "healthPath"]

_TLS = "tls:"

# Visible ASCII without a query or a fragment.
_PATH = re.compile(r"/[!\"$->@-~]*")

#: In place of an endpoint: no port at all.
OFF = "off"


@frozen
class AdminPort:
    """
    One C{--admin}.

    @ivar endpoint: a server endpoint.
    @ivar over_tls: clients connect over TLS.
    """

    endpoint: str
    over_tls: bool = False


def adminPort(text: str) -> AdminPort | None:
    """
    A converter for options.

    @return: L{None} for L{OFF}.
    @raise ValueError: it is no endpoint.
    """
    if text == OFF:
        return None
    over_tls = text.startswith(_TLS)
    return AdminPort(serverEndpoint(text.removeprefix(_TLS), "use tls:ENDPOINT"), over_tls)


def healthPath(text: str) -> str:
    """
    A converter for options.

    @return: the path of a URL.
    @raise ValueError: it is none.
    """
    if not _PATH.fullmatch(text):
        raise ValueError("a path such as /healthz is needed, without a query")
    return text
