"""
Tests for L{brxy.values.networks}.
"""

from __future__ import annotations

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from brxy.values.networks import NOBODY, Networks, plainAddress, shortAddress


class NetworksTests(SynchronousTestCase):
    """
    Tests for L{Networks}.
    """

    def test_covers(self) -> None:
        """
        An address is in a network or is not, in one of its own family.
        """
        networks = Networks(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])
        for host in ("10.1.2.3", "192.0.2.7", "2001:db8::1"):
            self.assertTrue(networks.covers(host), host)
        for host in ("11.0.0.1", "192.0.2.8", "2001:db9::1", "::1", "::a00:1", "", "unix", "a"):
            self.assertFalse(networks.covers(host), host)

    def test_unix(self) -> None:
        """
        A client without an address is one of a Unix socket.
        """
        networks = Networks(["unix"])
        self.assertTrue(networks.covers(""))
        self.assertFalse(networks.covers("127.0.0.1"))

    def test_wholeFamily(self) -> None:
        """
        A network may be all addresses of a family.
        """
        self.assertTrue(Networks(["0.0.0.0/0"]).covers("203.0.113.9"))
        self.assertFalse(Networks(["0.0.0.0/0"]).covers("::1"))

    def test_empty(self) -> None:
        """
        None is none.
        """
        self.assertFalse(NOBODY)
        self.assertFalse(NOBODY.covers("127.0.0.1") or NOBODY.covers(""))
        self.assertTrue(Networks(["unix"]))
        self.assertTrue(Networks(["::1"]))

    def test_refused(self) -> None:
        """
        What is no network is refused: a name, one with bits of a host, nothing.
        """
        for text in ("localhost", "10.0.0.1/8", "10.0.0.0/33", "10.1", "", "10.0.0.0/8,::1"):
            self.assertRaises(ValueError, Networks, [text])


class AddressTests(SynchronousTestCase):
    """
    Tests for L{plainAddress} and L{shortAddress}.
    """

    def test_plain(self) -> None:
        """
        Neither a zone nor an IPv6 address around an IPv4 one matters.
        """
        for host, plain in (
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("fe80::1%eth0", "fe80::1"),
            ("::1", "::1"),
            ("::ffff:0", "::ffff:0"),
        ):
            self.assertEqual(plainAddress(host), plain)

    def test_short(self) -> None:
        """
        Nor how an address was written.
        """
        for host, short in (
            ("2001:DB8:0:0::7", "2001:db8::7"),
            ("::ffff:c000:207", "192.0.2.7"),
            ("fe80::1%eth0", "fe80::1"),
            ("192.0.2.7", "192.0.2.7"),
        ):
            self.assertEqual(shortAddress(ip_address(host)), short)
