"""
Which nodes may serve which routes.

A node that the edge has spawned brings the token that it was given, which is
good for its route and its ticket alone.  Any other shows a certificate, or
brings the token of C{--token-file}; unless C{--node-allow} says otherwise it
may serve every route.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import compare_digest, new

from brxy.edge.config.settings import TOKEN, Allowed
from brxy.errors import NodeRefused
from brxy.values.routepattern import covers
from brxy.wire.greeting import Hello

__all__ = ["Access"]


class Access:
    """
    Lets nodes in, or not.

    @param key: of this edge, kept secret.
    @param allowed: who may serve what; empty: who is known may serve all.
    """

    def __init__(self, key: bytes, allowed: Sequence[Allowed] = ()) -> None:
        self._key = key
        self._allowed = allowed
        self._shared = ""

    def share(self, token: str) -> None:
        """
        From now on this is the token of nodes that nobody spawned; C{""}:
        there is none.
        """
        self._shared = token

    def tokenFor(self, route: str, ticket: str) -> str:
        """
        The token of what is spawned for this route with this ticket.
        """
        # Neither of the two can have a NUL in it.
        return new(self._key, f"{route}\0{ticket}".encode(), sha256).hexdigest()

    def check(self, hello: Hello, named: Callable[[str], bool] | None) -> None:
        """
        May this node serve the route that it names?

        @param named: whether its certificate bears a name; L{None}: it has
            shown none.
        @raise NodeRefused: it may not.
        """
        if compare_digest(hello.token, self.tokenFor(hello.route, hello.ticket)):
            return
        if hello.token and not (self._shared and compare_digest(hello.token, self._shared)):
            raise NodeRefused("its token is not the edge's, or is for another route")
        if not hello.token and named is None:
            raise NodeRefused("a node must bring a token: give it the edge's --token-file")
        if self._allowed and not any(
            covers(each.pattern, hello.route)
            for each in self._allowed
            if (hello.token if each.name == TOKEN else named is not None and named(each.name))
        ):
            raise NodeRefused(f"no --node-allow lets it serve {hello.route}")
