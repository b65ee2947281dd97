"""
Tests for L{brxy.edge.routes}.
"""

from __future__ import annotations

from collections.abc import Collection

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.routes import RouteTable
from brxy.values.routepattern import canonical, covers

ADDRESSES = ("localhost", "127.0.0.1", "[::1]", "")


def table(
    listed: Collection[str] = (),
    patterns: Collection[str | None] = (),
    default: str = "default",
    default_for_all: bool = False,
    present: Collection[str] = (),
) -> RouteTable:
    return RouteTable(listed, patterns, default, default_for_all, lambda route: route in present)


class AliasTests(SynchronousTestCase):
    """
    Tests of hosts that lead to another route.
    """

    def test_aliases(self) -> None:
        """
        A host leads to the route of the longest name or pattern that has it.
        """
        aliases = {"www.a": "a", "*.a": "a", "*.deep.b": "c"}
        routes = RouteTable(
            (), ["a", "own.a", "*.b", "c"], "default", False, lambda route: False, aliases
        )
        for host, route in (
            *(("a", "a"), ("www.a", "a"), ("x.y.a", "a"), ("own.a", "own.a"), ("x.own.a", "a")),
            *(("x.b", "x.b"), ("deep.b", "deep.b"), ("x.deep.b", "c"), ("c", "c"), ("d", None)),
            *(("", None), ("localhost", None)),
        ):
            self.assertEqual(routes.route(host), route, host)

    def test_names(self) -> None:
        """
        The name of a route may be no host; then it has the route of a host that is not named.
        """
        aliases = {"api": "", "web": "", "a": "web", "*.a": "web"}
        for default_for_all, other in ((False, None), (True, "default")):
            routes = RouteTable(
                (), ["api", "web", "default"], "default", default_for_all, lambda _: False, aliases
            )
            for host, route in (("api", other), ("web", other), ("a", "web"), ("b.a", "web")):
                self.assertEqual(routes.route(host), route, host)
            for name, leads in (("a", True), ("*.a", True), ("api", False), ("default", True)):
                self.assertIs(routes.leads(name), leads, name)
            self.assertTrue(routes.serves("api") and routes.serves("web"))

    def test_localhost(self) -> None:
        """
        C{localhost} may lead to another route, and with it all addresses.
        """
        aliases = {"localhost": "web", "10.0.0.1": "b"}
        routes = RouteTable((), ["web", "b"], "default", False, lambda _: False, aliases)
        for host, route in (("localhost", "web"), ("127.0.0.1", "web"), ("10.0.0.1", "b")):
            self.assertEqual(routes.route(host), route, host)

    def test_all(self) -> None:
        """
        All hosts that have no other route may lead to one.
        """
        routes = RouteTable((), ["web", "b"], "default", False, lambda _: False, {"*": "web"})
        for host, route in (("a", "web"), ("x.y", "web"), ("b", "b"), ("127.0.0.1", "web")):
            self.assertEqual(routes.route(host), route, host)


class PatternTests(SynchronousTestCase):
    """
    What C{route=} of a spawner means.
    """

    def test_covers(self) -> None:
        """
        A name means itself, C{*.} every name below one but not that one itself, and no pattern
        means every name.
        """
        self.assertTrue(covers("a.example", "a.example"))
        self.assertFalse(covers("a.example", "b.example"))
        self.assertTrue(covers("*.example.com", "a.example.com"))
        self.assertTrue(covers("*.example.com", "a.b.example.com"))
        self.assertFalse(covers("*.example.com", "example.com"))
        self.assertFalse(covers("*.example.com", "badexample.com"))
        self.assertTrue(covers(None, "whatever"))

    def test_canonical(self) -> None:
        """
        Addresses and C{localhost} are names of the default route.
        """
        self.assertEqual(canonical("localhost", "x"), "x")
        self.assertEqual(canonical("127.0.0.1", "x"), "x")
        self.assertEqual(canonical("a.example", "x"), "a.example")


class RouteTableTests(SynchronousTestCase):
    """
    L{RouteTable} finds routes, and refuses hosts.
    """

    def test_everything(self) -> None:
        """
        When neither routes nor spawners are given, every host is a route.
        """
        routes = table()
        self.assertEqual(routes.route("a.example"), "a.example")
        for host in ADDRESSES:
            self.assertEqual(routes.route(host), "default")

    def test_namedDefault(self) -> None:
        """
        The default route can have any name.
        """
        routes = table(default="www.example")
        for host in ADDRESSES:
            self.assertEqual(routes.route(host), "www.example")
        self.assertEqual(routes.route("www.example"), "www.example")

    def test_listed(self) -> None:
        """
        When routes are given, only those are served, whatever spawners and
        instances there are.
        """
        routes = table(["a.example"], [None], present=["b.example"])
        self.assertEqual(routes.route("a.example"), "a.example")
        self.assertIsNone(routes.route("b.example"))
        for host in ADDRESSES:
            self.assertIsNone(routes.route(host))

    def test_listedDefault(self) -> None:
        """
        The default route is served when it is among the routes given, by its
        name or by an address.
        """
        for name in ("default", "localhost", "127.0.0.1"):
            routes = table(["a.example", name])
            for host in ADDRESSES:
                self.assertEqual(routes.route(host), "default")
            self.assertIsNone(routes.route("b.example"))

    def test_spawners(self) -> None:
        """
        With spawners, the routes are what their patterns cover.
        """
        routes = table(patterns=["a.example", "*.b.example"])
        self.assertEqual(routes.route("a.example"), "a.example")
        self.assertEqual(routes.route("x.b.example"), "x.b.example")
        self.assertIsNone(routes.route("c.example"))
        self.assertIsNone(routes.route("localhost"))

    def test_spawnerForAll(self) -> None:
        """
        A spawner without a pattern makes every host a route.
        """
        routes = table(patterns=["a.example", None])
        self.assertEqual(routes.route("c.example"), "c.example")
        self.assertEqual(routes.route("localhost"), "default")

    def test_spawnerForDefault(self) -> None:
        """
        A pattern names the default route by its name or by an address.
        """
        for pattern in ("default", "localhost"):
            self.assertEqual(table(patterns=[pattern]).route("127.0.0.1"), "default")

    def test_present(self) -> None:
        """
        A host that no spawner covers is served while it has an instance.
        """
        present: list[str] = []
        routes = table(patterns=["a.example"], present=present)
        self.assertIsNone(routes.route("c.example"))
        present.append("c.example")
        self.assertEqual(routes.route("c.example"), "c.example")
        self.assertIsNone(routes.route("localhost"))
        present.append("default")
        self.assertEqual(routes.route("localhost"), "default")

    def test_defaultForAll(self) -> None:
        """
        Every host that nothing names can be sent to the default route.
        """
        routes = table(default_for_all=True)
        self.assertEqual(routes.route("a.example"), "default")
        routes = table(patterns=[None, "a.example", "*.b.example"], default_for_all=True)
        self.assertEqual(routes.route("a.example"), "a.example")
        self.assertEqual(routes.route("x.b.example"), "x.b.example")
        self.assertEqual(routes.route("c.example"), "default")

    def test_defaultForAllListed(self) -> None:
        """
        Then the default route is served though routes are given.
        """
        routes = table(["a.example"], default_for_all=True)
        self.assertEqual(routes.route("a.example"), "a.example")
        self.assertEqual(routes.route("c.example"), "default")
        self.assertEqual(routes.route("localhost"), "default")

    def test_defaultForAllUncovered(self) -> None:
        """
        It is not served if nothing can start it.
        """
        routes = table(patterns=["a.example"], default_for_all=True)
        self.assertIsNone(routes.route("c.example"))
