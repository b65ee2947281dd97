"""
Tests for L{brxy.values.routename}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.test.support.memory.examples import bounded
from brxy.values.routename import isAddressOrLocalhost, routeName

_bounded = bounded(300)


class RouteNameTests(SynchronousTestCase):
    """
    L{routeName} accepts host names and addresses, and nothing else.
    """

    def test_names(self) -> None:
        """
        Names are lower-cased and lose their port and their trailing dot.
        """
        for host, route in {
            "a": "a",
            "Example.COM": "example.com",
            "example.com.": "example.com",
            "example.com:80": "example.com",
            "example.com.:65535": "example.com",
            "a:0": "a",
            "my_app-1.x": "my_app-1.x",
            "_x.a-": "_x.a-",
            "localhost": "localhost",
            "127.0.0.1:8080": "127.0.0.1",
        }.items():
            self.assertEqual(routeName(host), route, host)

    def test_ipv6(self) -> None:
        """
        An IPv6 address in brackets gets its shortest spelling.
        """
        self.assertEqual(routeName("[::1]"), "[::1]")
        self.assertEqual(routeName("[0:0:0::0:1]:80"), "[::1]")
        self.assertEqual(routeName("[2001:DB8::A]"), "[2001:db8::a]")
        self.assertEqual(routeName("[::ffff:1.2.3.4]"), "[::ffff:102:304]")

    def test_refused(self) -> None:
        """
        What a shell, a path, a log or an app could take for something else is
        no route.
        """
        for host in (
            *("", ".", "..", "a..b", ".a", "a..", "-a", "a.-b", "a b", " a", "a ", "a\t"),
            *(
                "a\n",
                "a\r\nb",
                "a\0",
                "a@b",
                "a/b",
                "a/../b",
                "a\\b",
                "a,b",
                "a;b",
                "$(id)",
                "`a`",
            ),
            *(
                "a%b",
                "%61",
                "*",
                "*.a",
                "<script>",
                "a?",
                "a#b",
                "{route}",
                "a=b",
                "-oProxyCommand=x",
            ),
            *(
                "a:",
                "a:65536",
                "a:99999",
                "a:+1",
                "a:-1",
                "a: 1",
                "a:1:2",
                "a:x",
                ":80",
                "a:000080",
            ),
            *("::1", "[::1", "::1]", "[]", "[:]", "[a]", "[1.2.3.4]", "[::1%eth0]", "[v1.a]"),
            *("[::1]a", "[::1].", "[::1]:", "[[::1]]", "[:::]", "[1::2::3]"),
            *("é", "\u212aelvin", "ıstanbul", "a\u0660", "a:\u0661"),
        ):
            self.assertIsNone(routeName(host), repr(host))

    def test_lengths(self) -> None:
        """
        Labels have 63 bytes at most, names 253.
        """
        self.assertEqual(routeName("a" * 63), "a" * 63)
        self.assertIsNone(routeName("a" * 64))
        longest = ".".join(["a" * 62] * 4) + "b"
        self.assertEqual(len(longest), 252)
        self.assertEqual(routeName(longest + "c.:65535"), None)
        fits = ".".join(["a" * 63] * 3 + ["b" * 61])
        self.assertEqual(len(fits), 253)
        self.assertEqual(routeName(fits + ".:65535"), fits)
        self.assertIsNone(routeName(fits + "b"))

    @_bounded
    @given(st.text(alphabet="aZ09-_.:[]@/ \n\u212a", max_size=20))
    def test_stable(self, host: str) -> None:
        """
        A route names itself, and has no character that needs quoting.
        """
        route = routeName(host)
        if route is not None:
            self.assertEqual(routeName(route), route)
            self.assertRegex(route, r"\A(?:[a-z0-9_.-]+|\[[0-9a-f:]+\])\Z")


class IsAddressOrLocalhostTests(SynchronousTestCase):
    """
    L{isAddressOrLocalhost} knows what says nothing about the app.
    """

    def test_addresses(self) -> None:
        """
        IP addresses and localhost are addresses.
        """
        for name in ("localhost", "127.0.0.1", "10.1.2.3", "[::1]", "[2001:db8::a]"):
            self.assertTrue(isAddressOrLocalhost(name), name)

    def test_names(self) -> None:
        """
        Everything else is a name.
        """
        for name in ("", "a", "a.localhost", "localhost.a", "1.2.3", "1.2.3.4.5", "256.1.1.1"):
            self.assertFalse(isAddressOrLocalhost(name), name)
