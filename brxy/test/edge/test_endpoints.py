"""
Tests of L{brxy.edge.endpoints}.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.endpoints import shown

__all__ = ["ShownTests"]


class ShownTests(SynchronousTestCase):
    """
    Tests of L{shown}.
    """

    def test_shown(self) -> None:
        """
        A port is shown as a URL that a browser on this machine can open.
        """
        for scheme, address, expected in (
            ("http", IPv4Address("TCP", "127.0.0.1", 80), "http://127.0.0.1:80"),
            ("https", IPv6Address("TCP", "::1", 8443), "https://[::1]:8443"),
            (
                "http",
                IPv4Address("TCP", "0.0.0.0", 80),
                "http://localhost:80 (all IPv4 addresses)",
            ),
            ("tcp", IPv6Address("TCP", "::", 81), "tcp://localhost:81 (all addresses)"),
            ("http", UNIXAddress(b"/run/a\n"), r"unix:/run/a\n (http)"),
            ("http", UNIXAddress(None), "unix: (http)"),
        ):
            self.assertEqual(shown(scheme, address), expected)
