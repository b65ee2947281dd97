"""
Tests of L{brxy.tls.certificates}.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import UsageError
from brxy.test.support.loopback.papers import Papers
from brxy.tls.certificates import bears, isIPAddress, readCertificates, tlsFault


class CertificateTests(SynchronousTestCase):
    """
    Tests of certificates by themselves.
    """

    def setUp(self) -> None:
        self.papers = Papers(self.mktemp())

    def certificate(self, *names: str) -> x509.Certificate:
        """
        @return: one for these names.
        """
        [made] = readCertificates(Path(self.papers.issue(*names)[0]))
        return made

    def test_bears(self) -> None:
        """
        Names are compared as RFC 9525 says, addresses as addresses.
        """
        made = self.certificate("web1", "edge.example.net", "192.0.2.1", "2001:db8::1")
        for name in ("web1", "WEB1", "edge.example.net", "192.0.2.1", "2001:DB8:0::1"):
            self.assertTrue(bears(made, name), name)
        for name in ("web", "web11", "example.net", "x.edge.example.net", "192.0.2.2", "::1"):
            self.assertFalse(bears(made, name), name)
        self.assertFalse(bears(self.certificate("192.0.2.1"), "web1"))

    def test_nonsense(self) -> None:
        """
        What can't be the name of a host is no certificate's.
        """
        made = self.certificate("web1")
        for name in ("", " ", "a b", "\u00e4\u00f6", "*", "x" * 300, "a..b", "\0"):
            self.assertFalse(bears(made, name), name)

    def test_addresses(self) -> None:
        """
        An address is distinguished from a name.
        """
        for name, expected in (("::1", True), ("192.0.2.1", True), ("web1", False), ("", False)):
            self.assertIs(isIPAddress(name), expected, name)

    def test_files(self) -> None:
        """
        A file may have several certificates; a file without any is reported.
        """
        both = Path(self.mktemp())
        both.write_bytes(b"".join(Path(self.papers.issue(n)[0]).read_bytes() for n in "ab"))
        self.assertEqual(len(readCertificates(both)), 2)
        for text in (
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ):
            both.write_text(text)
            error = self.assertRaises(UsageError, readCertificates, both)
            self.assertEqual(str(error), f"{both}: there is no certificate in it")
        error = self.assertRaises(UsageError, readCertificates, Path("/none"))
        self.assertEqual(str(error), "/none: No such file or directory")


class FaultTests(SynchronousTestCase):
    """
    Tests of L{tlsFault}.  What L{trust} accepts and refuses, both sides report in
    L{brxy.test.whole.test_trust}.
    """

    def test_words(self) -> None:
        """
        An error of OpenSSL is reported by its own reason, and what the other
        side has sent as such.
        """
        for queue, expected in (
            ([("SSL routines", "", "wrong version number")], "TLS: wrong version number"),
            ([("x", "", "first"), ("SSL routines", "", "last")], "TLS: last"),
            (
                [("SSL routines", "", "tlsv1 alert unknown ca")],
                "TLS: the other side says: unknown ca",
            ),
            ([("brxy", "", "its certificate has expired")], "its certificate has expired"),
        ):
            self.assertEqual(tlsFault(SSL.Error(queue)), expected)

    def test_none(self) -> None:
        """
        Other ends of a connection are none of TLS's.
        """
        eof = SSL.SysCallError(-1, "Unexpected EOF")
        for error in (None, ConnectionLost(), ConnectionDone(), SSL.Error([]), SSL.Error(), eof):
            self.assertIs(tlsFault(error), None)
