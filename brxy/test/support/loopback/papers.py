"""
Certificates in files, for tests of edges and nodes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from brxy.edge.config.settings import NodeTLSFiles
from brxy.node.dial import EdgeTLS
from brxy.pki import Authority, Issued

__all__ = ["Papers"]


class Papers:
    """
    A CA, and a folder with the certificates that it has issued.

    @ivar ca: the file with its own certificate.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(exist_ok=True)
        self._authority = Authority.make()
        self.ca = self.keep("ca", self._authority.issued)[0]

    def keep(self, name: str, issued: Issued) -> tuple[str, str]:
        """
        @return: the files for a certificate and its key.
        """
        files = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        files[0].write_bytes(issued.certificate)
        files[1].write_bytes(issued.key)
        return str(files[0]), str(files[1])

    def issue(self, *names: str, days: int = 1) -> tuple[str, str]:
        """
        @return: the files with a new certificate for these names, and with its
            key.
        """
        return self.keep(names[0], self._authority.issue(*names, days=days))

    def edge(self, *names: str, days: int = 1, ca: str | None = "") -> NodeTLSFiles:
        """
        @return: the TLS settings of an edge.

        @param names: in its certificate, C{127.0.0.1} by default.
        @param ca: the CA of the certificates that it accepts, if another one.
        """
        files = self.issue(*(names or ("127.0.0.1",)), days=days)
        return NodeTLSFiles(*files, self.ca if ca == "" else ca)

    def node(self, *names: str, days: int = 1, **changes: Any) -> EdgeTLS:
        """
        @return: the TLS settings of a node.

        @param names: in its certificate; none: it has no certificate.
        @param changes: for L{EdgeTLS}.
        """
        certificate, key = self.issue(*names, days=days) if names else (None, None)
        given: dict[str, Any] = {"ca": self.ca, "name": "127.0.0.1", **changes}
        return EdgeTLS(certificate=certificate, key=key, **given)
