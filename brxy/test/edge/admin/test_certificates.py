"""
Tests of L{brxy.edge.admin.certificates}.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.admin.certificates import Certificates
from brxy.edge.clients.certificates import CertificateStore
from brxy.pki import Authority
from brxy.test.support.memory.admins import MemoryAdmin, ask

__all__ = ["CertificatesTests"]


class CertificatesTests(SynchronousTestCase):
    """
    Tests of C{GET /v1/certs}.
    """

    def get(self, store: CertificateStore | None) -> object:
        """
        @return: what the API answers for these certificates.
        """
        admin = MemoryAdmin(Certificates(store).endpoints())
        self.addCleanup(admin.server.abort)
        return admin.send(ask("/v1/certs")).value()

    def test_none(self) -> None:
        """
        An edge without TLS has none.
        """
        self.assertEqual(self.get(None), {"certificates": []})

    def test_listed(self) -> None:
        """
        Each has its file, the names for which it is used, and when it expires.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        authority = Authority.make()
        for file, names, days in (
            ("default", ["shop.example.com", "*.example.com"], 30),
            ("older", ["shop.example.com", "old.example.com"], 10),
        ):
            issued = authority.issue(*names, days=days)
            (folder / f"{file}.pem").write_bytes(issued.certificate + issued.key)
        value = self.get(CertificateStore(str(folder)))
        assert isinstance(value, dict)
        first, second = value["certificates"]
        self.assertEqual(first["file"], str(folder / "default.pem"))
        self.assertEqual(first["names"], ["*.example.com", "shop.example.com"])
        self.assertEqual((first["default"], second["default"]), (True, False))
        self.assertEqual(second["names"], ["old.example.com"])
        left = datetime.fromisoformat(first["not_after"]) - datetime.now(UTC)
        self.assertTrue(timedelta(days=29) < left <= timedelta(days=30), left)
