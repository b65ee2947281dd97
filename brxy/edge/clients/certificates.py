"""
The certificates that clients are served by, each under its names.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import field, frozen
from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from zope.interface import implementer

from brxy.errors import UsageError
from brxy.tls.contexts import Identity, readIdentity, serverContext

__all__ = ["CertificateStore"]

# The name of the one for clients that ask for none of the others.
_DEFAULT = "default"

# One that has less than this part of its time left should have been renewed.
_LATE = 1 / 6


@frozen
class _Table:
    """
    What is served: swapped whole, so that a handshake sees the old ones or the new.
    """

    identities: list[Identity]
    default: SSL.Context
    named: dict[str, SSL.Context] = field(factory=dict)


@implementer(IOpenSSLServerConnectionCreator)
class CertificateStore:
    """
    The certificates in a folder.  Each is C{NAME.pem}, with its chain and its key;
    or C{NAME.crt} and C{NAME.key}, as lego has them; or C{NAME/fullchain.pem} and
    C{NAME/privkey.pem}, as certbot has them.  It serves the names that it says it
    is for; where several do, the one that is good for longest.  Whoever asks for
    another name, or for none, gets the one called C{default}, else the first.
    """

    _log = Logger()

    def __init__(self, folder: str) -> None:
        """
        @raise UsageError: one of them can't be used, or there is none.
        """
        self._folder = Path(folder)
        self._table = self._read()

    def reload(self) -> None:
        """
        Read the folder anew, for handshakes that begin from now on.

        @raise UsageError: one can't be used, and all stays as it was.
        """
        self._table = self._read()
        self.warn()

    def warn(self) -> None:
        """
        Tell of those that are over, or soon will be.
        """
        now = datetime.now(UTC)
        for identity in self._table.identities:
            leaf = identity.chain[0]
            begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
            if end - now < _LATE * (end - begin):
                what = "has expired on" if end < now else "expires on"
                self._log.warn(
                    "{where}: its certificate {what} {end:%Y-%m-%d}, renew it",
                    where=identity.where,
                    what=what,
                    end=end,
                )

    def _read(self) -> _Table:
        try:
            found = [readIdentity(*files) for files in sorted(_files(self._folder))]
        except OSError as error:
            raise UsageError(f"--tls-certs {self._folder}: {error.strerror}") from None
        if not found:
            raise UsageError(
                f"--tls-certs {self._folder}: there is no certificate with its key in it"
            )
        contexts = [self._context(identity) for identity in found]
        default = next((n for n, each in enumerate(found) if _called(each) == _DEFAULT), 0)
        table = _Table(found, contexts[default])
        for identity, context in sorted(
            zip(found, contexts, strict=True),
            key=lambda each: each[0].chain[0].not_valid_after_utc,
        ):
            table.named.update(dict.fromkeys(_names(identity.chain[0]), context))
        return table

    def _context(self, identity: Identity) -> SSL.Context:
        context = serverContext(identity, protocols=[b"http/1.1"])
        context.set_tlsext_servername_callback(self._choose)
        return context

    def _choose(self, connection: SSL.Connection) -> None:
        name = (connection.get_servername() or b"").decode("ascii", "replace").lower()
        named = self._table.named
        found = named.get(name) or named.get("*." + name.partition(".")[2])
        if found is not None:
            connection.set_context(found)

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        See L{IOpenSSLServerConnectionCreator}.
        """
        return SSL.Connection(self._table.default, None)


def _files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """
    @return: where there is a certificate, and its key.
    """
    for path in folder.iterdir():
        if path.is_dir():
            if (path / "fullchain.pem").exists():
                yield path / "fullchain.pem", path / "privkey.pem"
        elif path.suffix == ".pem":
            yield path, path
        elif path.suffix == ".key":
            yield path.with_suffix(".crt"), path


def _called(identity: Identity) -> str:
    path = Path(identity.where)
    return path.parent.name if path.name == "fullchain.pem" else path.stem


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in found.value.get_values_for_type(x509.DNSName)]
