"""
The certificates for clients, by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import field, frozen
from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from brxy.edge.events import CertificateExpired, CertificateExpires, Events
from brxy.errors import UsageError
from brxy.tls.alpn import ALPN
from brxy.tls.contexts import Identity, readIdentity, serverContext

__all__ = ["CertificateStore", "Listed"]

# The file name of the certificate for clients that ask for no other.
_DEFAULT = "default"

# The part of its lifetime before which a certificate should have been renewed.
_LATE = 1 / 6


@frozen
class Listed:
    """
    A certificate that is in use.

    @ivar where: its file.
    @ivar names: the names for which it is used.
    @ivar is_default: it is used for all other names, too.
    """

    where: str
    names: Sequence[str]
    begin: datetime
    end: datetime
    is_default: bool


@frozen
class _Table:
    """
    The certificates that are in use.  Replaced as a whole, so that each handshake sees
    either the old ones or the new ones.
    """

    identities: list[Identity]
    contexts: list[SSL.Context]
    default: SSL.Context
    named: dict[str, SSL.Context] = field(factory=dict)


class CertificateStore:
    """
    The certificates in a folder.

    Each is C{NAME.pem}, with its chain and its key; or C{NAME.crt} and C{NAME.key}, as
    lego writes them; or C{NAME/fullchain.pem} and C{NAME/privkey.pem}, as certbot does.
    A certificate is used for the names in it; if several have a name, the one that
    expires last is.  A client that asks for another name, or for none, gets the one
    called C{default}, else the first.
    """

    def __init__(self, folder: str, events: Events | None = None) -> None:
        """
        @param events: receives L{CertificateExpires} and L{CertificateExpired}.
        @raise UsageError: one of them can't be used, or there is none.
        """
        self._events = Events() if events is None else events
        self._folder = Path(folder)
        self._table = self._read()

    def reload(self) -> None:
        """
        Read the folder again, for handshakes that begin from now on.

        @raise UsageError: a certificate can't be used; the old ones stay in use.
        """
        self._table = self._read()
        self.warn()

    def warn(self) -> None:
        """
        Report the certificates that have expired, or expire soon.
        """
        for event in self.late():
            self._events.emit(event)

    def late(self) -> Iterator[CertificateExpired | CertificateExpires]:
        """
        The certificates that have expired, or expire soon.
        """
        now = datetime.now(UTC)
        for identity in self._table.identities:
            leaf = identity.chain[0]
            begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
            if end - now < _LATE * (end - begin):
                event = CertificateExpired if end < now else CertificateExpires
                yield event(identity.where, end)

    def listed(self) -> list[Listed]:
        """
        @return: the certificates, in the order of their files.
        """
        table, found = self._table, []
        for identity, context in zip(table.identities, table.contexts, strict=True):
            leaf = identity.chain[0]
            names = [name for name, used in table.named.items() if used is context]
            begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
            default = context is table.default
            found.append(Listed(str(identity.where), sorted(names), begin, end, default))
        return found

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
        table = _Table(found, contexts, contexts[default])
        for identity, context in sorted(
            zip(found, contexts, strict=True),
            key=lambda each: each[0].chain[0].not_valid_after_utc,
        ):
            table.named.update(dict.fromkeys(_names(identity.chain[0]), context))
        return table

    def _context(self, identity: Identity) -> SSL.Context:
        context = serverContext(identity)
        context.set_tlsext_servername_callback(self._choose)
        context.set_alpn_select_callback(_negotiate)
        return context

    def serves(self, host: str) -> bool:
        """
        @return: whether a certificate is for this host.
        """
        named = self._table.named
        return host in named or "*." + host.partition(".")[2] in named

    def _choose(self, connection: SSL.Connection) -> None:
        name = (connection.get_servername() or b"").decode("ascii", "replace").lower()
        named = self._table.named
        found = named.get(name) or named.get("*." + name.partition(".")[2])
        if found is not None:
            connection.set_context(found)

    def context(self) -> SSL.Context:
        """
        @return: the context with which a handshake begins.
        """
        return self._table.default

    def creator(self, alpn: ALPN) -> IOpenSSLServerConnectionCreator:
        """
        @param alpn: the protocols that a port agrees to.
        @return: makes the server's side of the handshakes of that port.
        """
        return _Creator(self, alpn)


@implementer(IOpenSSLServerConnectionCreator)
class _Creator:
    """
    Makes the handshakes of one port.
    """

    def __init__(self, store: CertificateStore, alpn: ALPN) -> None:
        self._store = store
        self._alpn = alpn

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        See L{IOpenSSLServerConnectionCreator}.
        """
        return _Connection(self._store.context(), self._alpn)


class _Connection(SSL.Connection):
    """
    The server's side of one handshake.  All ports have the same contexts; so each connection
    has the protocols of its port.
    """

    def __init__(self, context: SSL.Context, alpn: ALPN) -> None:
        super().__init__(context, None)
        self.alpn = alpn


def _negotiate(connection: SSL.Connection, offered: Sequence[bytes]) -> Any:
    assert isinstance(connection, _Connection), "a connection of another creator"
    return connection.alpn.choose(connection, offered)


def _files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """
    @return: the file of each certificate, and that of its key.
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
