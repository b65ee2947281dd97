"""
Tests for L{brxy.edge.routing.router}.
"""

from __future__ import annotations

import posixpath
import random
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from urllib.parse import unquote_to_bytes

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.routes import RouteTable
from brxy.edge.routing.paths import matches
from brxy.edge.routing.router import RequestRouter
from brxy.edge.routing.settings import RoutedHosts, RouteSettings
from brxy.errors import BadRequest
from brxy.http.messages import RequestHead, requestHead


def request(url: str) -> RequestHead:
    """
    A request for a host and a path.
    """
    host, slash, path = url.partition("/")
    parsed = requestHead(f"GET {slash}{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert parsed is not None
    return parsed[0]


def routed(
    name: str, hosts: Sequence[str], paths: Sequence[bytes], strips: bool = False
) -> RoutedHosts:
    """
    A route with paths.
    """
    return RoutedHosts(name, hosts, RouteSettings(paths=paths, strip_prefix=strips))


#: What apps and servers do with paths, each of them or not, and in any order.
STEPS: Sequence[Callable[[bytes], bytes]] = (
    unquote_to_bytes,
    lambda path: path.replace(b"\\", b"/"),
    lambda path: re.sub(rb";[^/]*", b"", path),
    lambda path: re.sub(rb"//+", b"/", path),
    lambda path: posixpath.normpath(path.decode("latin-1")).encode("latin-1"),
)


def reading(path: bytes, choices: random.Random) -> bytes:
    """
    One way to read a path, with at most two times of decoding.
    """
    decoded = 0
    for step in choices.choices(STEPS, k=6):
        decoded += step is unquote_to_bytes
        if step is not unquote_to_bytes or decoded <= 2:
            path = step(path)
    return re.sub(rb"//+", b"/", path)


class RouterTests(SynchronousTestCase):
    """
    Tests of the routes of requests.
    """

    def make(
        self,
        routes: Sequence[RoutedHosts],
        patterns: Collection[str | None] = (),
        aliases: Mapping[str, str] | None = None,
        default_for_all: bool = False,
    ) -> None:
        hidden = {each.name: "" for each in routes}
        names = [*patterns, *hidden]
        table = RouteTable(
            (),
            names,
            "default",
            default_for_all,
            lambda route: False,
            {**hidden, **(aliases or {})},
        )
        self.router = RequestRouter(table, routes)

    def find(self, url: str) -> str | None:
        """
        @return: the route of a request, with a C{*} behind it if only its host counts.
        """
        head = request(url)
        if (route := self.router.route(head.host)) is not None:
            return f"{route}*"
        found = self.router.find(head)
        return None if found is None else found[0]

    def check(self, expected: Mapping[str, str | None]) -> None:
        for url, route in expected.items():
            self.assertEqual(self.find(url), route, url)

    def test_longest(self) -> None:
        """
        The longest prefix wins, at the ends of segments.  Other paths belong to the route of the
        host.
        """
        self.make(
            [routed("api", ["a"], [b"/api", b"/v1"]), routed("v2", ["a"], [b"/api/v2"])],
            ["a", "b"],
        )
        self.check(
            {
                **{"a/api": "api", "a/api?x=/api/v2": "api", "a/v1/x": "api", "a/api/v2x": "api"},
                **{"a/api/v2": "v2", "a/api/v2/x?y": "v2", "a/": "a", "a/apis": "a", "a/API": "a"},
                **{"b/api": "b*", "c/api": None},
            }
        )

    def test_names(self) -> None:
        """
        The name of a route with paths is no host, and without another route other paths have
        none.
        """
        self.make([routed("api", ["a"], [b"/api"])])
        self.check({"a/api": "api", "a/": None, "api/": None, "api/api": None})

    def test_patterns(self) -> None:
        """
        The host itself comes first, then the longest pattern.
        """
        self.make(
            [
                routed("all", ["*"], [b"/x"]),
                routed("wide", ["*.a"], [b"/x/y/z", b"/w"]),
                routed("own", ["b.a"], [b"/x"]),
            ],
            ["*.a", "c.a"],
        )
        self.check(
            {
                **{"b.a/x/y/z": "own", "b.a/w": "wide", "b.a/": "b.a", "d.a/x/y/z": "wide"},
                # A route for just this host has all paths, and one for a pattern too.
                **{"c.a/x/y/z": "c.a*", "d.a/x": "d.a", "e/x": "all", "e/y": None},
            }
        )

    def test_default(self) -> None:
        """
        C{localhost} stands for all addresses, and for other hosts if they have its route.
        """
        self.make([routed("api", ["localhost"], [b"/api"])], ["default", "b"])
        self.check(
            {
                **{"127.0.0.1:80/api": "api", "[::1]/api": "api", "localhost/": "default"},
                **{"b/api": "b*", "c/api": None},
            }
        )
        self.make([routed("api", ["localhost"], [b"/api"])], ["default", "b"], None, True)
        self.check({"b/api": "b*", "c/api": "api", "c/": "default"})

    def test_ambiguous(self) -> None:
        """
        A path that an app may read as one of another route is refused, in each spelling.  Others
        go through as they are.
        """
        self.make([routed("admin", ["a"], [b"/admin"]), routed("api", ["a"], [b"/api"])], ["a"])
        for path in (
            *(
                "//admin",
                "/%61dmin",
                "/x/../admin",
                "/x/..;/admin",
                "/;/admin",
                "/admin;x",
                "/./admin",
            ),
            *(
                "/api/../admin",
                "/api/%2e%2e/admin",
                "/api%2f..%2fadmin",
                "/api/..%5cadmin",
                "/api%2fx",
            ),
            *("/api/..;/admin", "/\\admin", "/%5cadmin", "/%2561dmin", "/admin%2fx", "/api/.."),
            # It would cancel out for an app that reads both.
            "/api/../admin/..;/api",
        ):
            with self.assertRaises(BadRequest) as caught:
                self.find(f"a{path}")
            self.assertEqual(caught.exception.status, 400)
        self.check(
            {
                **{"a/api/x%2fy": "api", "a/api/x;y": "api", "a/api//x": "api", "a/%62": "a"},
                **{"a/.well-known/x": "a", "a/x//y": "a", "a/ADMIN": "a", "a/x%2fadmin": "a"},
                # The query is no path.
                **{"a/x?/../admin": "a", "a/?//admin": "a"},
            }
        )

    def test_everyReading(self) -> None:
        """
        However an app reads a path that is passed on, it belongs to the same route.
        """
        prefixes = [b"/a", b"/a/b", b"/ab", b"/b"]
        names = [prefix.decode().replace("/", "x") for prefix in prefixes]
        self.make(
            [routed(name, ["h"], [each]) for name, each in zip(names, prefixes, strict=True)],
            ["h"],
        )
        pieces = ["/", "//", "/a", "/b", "/ab", "a", "b", ";x", "%2f", "%5c", "\\", "%61", "%2562"]
        pieces += ["/.", "/..", "%2e", ".", "%3b", "%252f"]
        passed = 0
        choices = random.Random(1)
        for _ in range(6000):
            path = "/" + "".join(choices.choices(pieces, k=choices.randrange(1, 7)))
            try:
                found = self.find(f"h{path}")
            except BadRequest:
                continue
            passed += 1
            for _ in range(20):
                read = reading(path.encode(), choices)
                best = max(
                    (each for each in prefixes if matches(each, read)), key=len, default=b""
                )
                expected = names[prefixes.index(best)] if best else "h"
                self.assertEqual(found, expected, (path, read))
        self.assertGreater(passed, 1000)

    def test_stripped(self) -> None:
        """
        An app gets the path without the prefix, and the rest of the target as it was.
        """
        self.make([routed("api", ["a"], [b"/api", b"/api/v2"], True)])
        for target, given in (
            *(
                ("/api", b"/"),
                ("/api/", b"/"),
                ("/api?q", b"/?q"),
                ("/api/x/%2F?a=/api", b"/x/%2F?a=/api"),
            ),
            *(("/api/v2/x", b"/x"), ("/api/v3", b"/v3")),
        ):
            head = request(f"a{target}")
            found = self.router.find(head)
            assert found is not None
            handling = found[1]
            assert handling is not None
            changed = handling.request(head)
            self.assertEqual(changed.target, given)
            self.assertIn(b"X-Forwarded-Prefix: %b\r\n" % handling.prefix, changed.passed)
        for target in ("/api//b", "/api/%2fb", "/api/\\b", "/api/;/b"):
            self.assertRaises(BadRequest, self.find, f"a{target}")
