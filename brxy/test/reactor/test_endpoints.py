"""
Tests of L{brxy.reactor.endpoints}.
"""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from brxy.reactor.endpoints import HANDED_ON, clientEndpoint, serverEndpoint


class EndpointTests(SynchronousTestCase):
    """
    Tests of L{clientEndpoint} and L{serverEndpoint}.
    """

    def test_good(self) -> None:
        """
        An endpoint is returned as it is.
        """
        for text in ("tcp:edge.example.net:9080", r"tcp:\:\:1:9080:timeout=5", "unix:/run/x"):
            self.assertEqual(clientEndpoint(text), text)
        for text in ("tcp:8080", "tcp:8080:interface=127.0.0.1", "unix:/run/x:mode=600"):
            self.assertEqual(serverEndpoint(text), text)

    def test_hostPort(self) -> None:
        """
        An endpoint may be written as people do: as a host and a port, and for a server as a
        port alone or with C{*} for all addresses.
        """
        for text, server, client in (
            ("8080", "tcp:8080", None),
            ("0", "tcp:0", None),
            (":8080", "tcp:8080", None),
            ("*:8080", "tcp:8080", None),
            ("127.0.0.1:80", "tcp:80:interface=127.0.0.1", "tcp:127.0.0.1:80"),
            ("0.0.0.0:80", "tcp:80:interface=0.0.0.0", "tcp:0.0.0.0:80"),
            ("[::1]:80", r"tcp:80:interface=\:\:1", r"tcp:\:\:1:80"),
            ("[::]:80", r"tcp:80:interface=\:\:", r"tcp:\:\::80"),
            ("[fe80::1%eth0]:80", r"tcp:80:interface=fe80\:\:1%eth0", r"tcp:fe80\:\:1%eth0:80"),
            ("localhost:80", "tcp:80:interface=127.0.0.1", "tcp:localhost:80"),
            ("edge.example.net:9080", None, "tcp:edge.example.net:9080"),
            ("edge:9080", None, "tcp:edge:9080"),
        ):
            for check, expected in ((serverEndpoint, server), (clientEndpoint, client)):
                if expected is None:
                    error = self.assertRaises(ValueError, check, text)
                    self.assertIn("; write ", str(error))
                else:
                    self.assertEqual(check(text), expected)

    def test_ports(self) -> None:
        """
        A port that can't be is named.
        """
        for text in ("*:65536", "127.0.0.1:99999", "[::1]:70000"):
            for check in (clientEndpoint, serverEndpoint):
                error = self.assertRaises(ValueError, check, text)
                self.assertIn("a port is a number from 1 to 65535, not ", str(error))

    def assertRefused(self, text: str, why: str) -> None:
        """
        Both kinds are refused for the same reason.
        """
        for kind, check in (("client", clientEndpoint), ("server", serverEndpoint)):
            error = self.assertRaises(ValueError, check, text)
            self.assertIn(f"it is not a {kind} endpoint: {why}", str(error))

    def test_bad(self) -> None:
        """
        Anything else is refused, with the reason.
        """
        self.assertRefused("", "Unknown endpoint type: ''")
        self.assertRefused("x", "Unknown endpoint type: 'x'")
        self.assertRefused("no:1:2", "Unknown endpoint type: 'no'")
        self.assertRefused("::1:80", "Unknown endpoint type: ''")
        self.assertRefused("tcp:a", "")
        self.assertRefused("tcp", "")
        self.assertRefused("tcp:a:b", "")

    def test_tls(self) -> None:
        """
        Endpoints over TLS are refused: brxy's connections set up TLS
        themselves, and can't use the transports of such an endpoint.
        """
        for text in ("ssl:edge:9080", "ssl:9080:privateKey=a", "tls:edge:9080"):
            for check in (clientEndpoint, serverEndpoint):
                error = self.assertRaises(ValueError, check, text)
                self.assertIn("TLS", str(error))
                error = self.assertRaises(ValueError, check, text, for_tls="use --this")
                self.assertEqual(str(error), "for TLS use --this")

    def test_systemd(self) -> None:
        """
        A socket that systemd did not pass is named as what it is.
        """
        error = self.assertRaises(ValueError, serverEndpoint, "systemd:domain=INET:index=7")
        self.assertEqual(str(error), "it is not a server endpoint: no such socket was inherited")

    def test_handedOn(self) -> None:
        """
        An edge that takes the place of another one gets the socket later.
        """
        self.patch(os, "environ", {HANDED_ON: "3"})
        text = "systemd:domain=INET:name=http"
        self.assertEqual(serverEndpoint(text), text)

    def test_lazy(self) -> None:
        """
        The module loads nothing of Twisted before an endpoint is checked: a node imports
        it before it has started its app.
        """
        program = (
            "import sys, brxy.reactor.endpoints; "
            "sys.exit(any(each.startswith('twisted') for each in sys.modules))"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", program]).returncode, 0)
