"""
Tests of L{brxy.edge.slots.access}.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis.strategies import text
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.config.settings import Allowed
from brxy.edge.slots.access import Access
from brxy.errors import NodeRefused
from brxy.wire.frames import VERSION
from brxy.wire.greeting import Hello

_WORDS = text("ab-.", min_size=1, max_size=6)


def _named(*names: str) -> Callable[[str], bool]:
    """
    A certificate with these names.
    """
    return names.__contains__


class AccessTests(SynchronousTestCase):
    """
    Tests of L{Access}.
    """

    def setUp(self) -> None:
        self.access = Access(b"key")

    def allow(self, *pairs: tuple[str, str | None]) -> None:
        """
        Name nodes and what they may serve.
        """
        self.access = Access(b"key", [Allowed(*pair) for pair in pairs])
        self.access.share("shared")

    def check(
        self,
        token: str = "",
        route: str = "r",
        ticket: str = "",
        named: Callable[[str], bool] | None = None,
    ) -> str:
        """
        @return: why a node is not let in; C{""} if it is.
        """
        try:
            self.access.check(Hello(VERSION, token, "node", route, 1, ticket), named)
        except NodeRefused as error:
            return str(error)
        return ""

    def test_spawned(self) -> None:
        """
        What was spawned is let in by its token, for its route and its ticket,
        and an edge with the same key takes it, too.
        """
        token = self.access.tokenFor("r", "t1")
        self.assertEqual(self.check(token, "r", "t1"), "")
        for route, ticket in (("other", "t1"), ("r", "t2"), ("r", ""), ("rt1", "")):
            self.assertIn("its token is not the edge's", self.check(token, route, ticket))
        self.access = Access(b"key")
        self.assertEqual(self.check(token, "r", "t1"), "")
        self.access = Access(b"another")
        self.assertIn("its token is not the edge's", self.check(token, "r", "t1"))

    @given(_WORDS, _WORDS, _WORDS, _WORDS)
    def test_distinct(self, route: str, ticket: str, other: str, another: str) -> None:
        """
        No two orders have the same token.
        """
        self.assertEqual(
            self.access.tokenFor(route, ticket) == self.access.tokenFor(other, another),
            (route, ticket) == (other, another),
        )

    def test_noToken(self) -> None:
        """
        A node that shows nothing is not let in, and told what to do.
        """
        for token in ("", "shared"):
            self.access.share(token)
            self.assertIn("give it the edge's --token-file", self.check())

    def test_shared(self) -> None:
        """
        The token of the file is good for every route; without a file none is.
        """
        self.assertIn("its token is not", self.check("shared"))
        self.access.share("shared")
        self.assertEqual(self.check("shared"), "")
        self.assertEqual(self.check("shared", "other", "t1"), "")
        for wrong in ("share", "shared ", "Shared", "\\", "x" * 255):
            self.assertIn("its token is not", self.check(wrong))
        self.access.share("another")
        self.assertIn("its token is not", self.check("shared"))
        self.assertEqual(self.check("another"), "")

    def test_rotated(self) -> None:
        """
        While a token is being replaced, the new one and the former one are as good.
        """
        self.access.share("new", "former")
        self.assertEqual((self.check("new"), self.check("former")), ("", ""))
        self.access.share("new")
        self.assertIn("its token is not", self.check("former"))

    def test_certificate(self) -> None:
        """
        A certificate is as good; but a wrong token is no better for it.
        """
        self.assertEqual(self.check(named=_named("web1")), "")
        self.assertIn("its token is not", self.check("wrong", named=_named("web1")))

    def test_allowed(self) -> None:
        """
        A node that is named may serve what it is named for; any other node may serve nothing.
        """
        self.allow(("web1", "a"), ("web1", "b"), ("web2", "*.example.com"), ("web3", None))
        for name, route, good in (
            ("web1", "a", True),
            ("web1", "b", True),
            ("web1", "x.example.com", False),
            ("web2", "x.example.com", True),
            ("web2", "example.com", False),
            ("web2", "a", False),
            ("web3", "anything", True),
            ("web4", "a", False),
        ):
            why = "" if good else f"no --node-allow lets it serve {route}"
            self.assertEqual(self.check(route=route, named=_named(name)), why, (name, route))
        self.assertEqual(self.check("shared", "a"), "no --node-allow lets it serve a")

    def test_allowedToken(self) -> None:
        """
        The token of the file can be named, too; no certificate can pass for it.
        """
        self.allow(("token", "a"), ("web1", "b"))
        self.assertEqual(self.check("shared", "a"), "")
        self.assertNotEqual(self.check("shared", "b"), "")
        self.assertNotEqual(self.check(route="a", named=_named("token")), "")
        # A node with both may serve what either is named for.
        for route in ("a", "b"):
            self.assertEqual(self.check("shared", route, named=_named("web1")), "")

    def test_allowedSpawned(self) -> None:
        """
        What the edge has spawned needs not be named.
        """
        self.allow(("web1", "a"))
        token = self.access.tokenFor("r", "t1")
        self.assertEqual(self.check(token, "r", "t1"), "")
        self.assertEqual(self.check(token, "r", "t1", _named("web2")), "")
