"""
Which nodes may serve which routes.

A node that the edge spawned has a token that is valid for its route and ticket only.  Any
other node has the token of C{--token-file}, or shows a certificate; it may serve every
route unless C{--node-allow} restricts that.
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
    Decides which nodes are admitted.

    @param key: a secret key of this edge.
    @param allowed: which nodes may serve which routes; empty: every node that can
        authenticate may serve every route.
    """

    def __init__(self, key: bytes, allowed: Sequence[Allowed] = ()) -> None:
        self._key = key
        self._allowed = allowed
        self._shared: Sequence[str] = ()

    def share(self, *tokens: str) -> None:
        """
        Set the tokens of nodes that this edge did not spawn: each of them is accepted.
        """
        self._shared = tokens

    def allow(self, allowed: Sequence[Allowed]) -> None:
        """
        From now on, these nodes may serve these routes; what is admitted stays.
        """
        self._allowed = allowed

    def tokenFor(self, route: str, ticket: str) -> str:
        """
        @return: the token of a node that is spawned for this route and ticket.
        """
        # Neither of the two can contain a NUL.
        return new(self._key, f"{route}\0{ticket}".encode(), sha256).hexdigest()

    def check(self, hello: Hello, named: Callable[[str], bool] | None) -> None:
        """
        Check that a node may serve the route that it names.

        @param named: checks whether its certificate bears a name; L{None} if it has
            shown none.
        @raise NodeRefused: it may not.
        """
        if compare_digest(hello.token, self.tokenFor(hello.route, hello.ticket)):
            return
        if hello.token and not any([compare_digest(hello.token, each) for each in self._shared]):
            raise NodeRefused("its token is not the edge's, or is for another route")
        if not hello.token and named is None:
            raise NodeRefused("a node must bring a token: give it the edge's --token-file")
        if self._allowed and not any(
            covers(each.pattern, hello.route)
            for each in self._allowed
            if (hello.token if each.name == TOKEN else named is not None and named(each.name))
        ):
            raise NodeRefused(f"no --node-allow lets it serve {hello.route}")
