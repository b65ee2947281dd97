"""
TLS contexts, the same wherever brxy speaks TLS, and the certificates and keys in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.bindings.openssl.binding import Binding
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from brxy.errors import UsageError
from brxy.tls.alpn import ALPN, NO_ALPN
from brxy.tls.certificates import isIPAddress

__all__ = [
    "TLS_1_2",
    "TLS_1_3",
    "ClientCreator",
    "Identity",
    "clientContext",
    "parseIdentity",
    "readIdentity",
    "serverContext",
]

TLS_1_2 = SSL.TLS1_2_VERSION
TLS_1_3 = SSL.TLS1_3_VERSION

# Ciphers of TLS 1.2: only those with forward secrecy and authenticated encryption.  All
# ciphers of TLS 1.3 have both.
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"

# Groups for the key exchange with clients: those of Mozilla's configuration "intermediate",
# and the one that stays safe when there are quantum computers, which clients prefer.
_GROUPS = b"X25519:P-256:P-384"
_HYBRID = b"X25519MLKEM768"

_OPTIONS = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION


@frozen
class Identity:
    """
    A certificate with its private key.

    @ivar chain: the certificate, and those of the authorities above it.
    @ivar key: the private key.
    @ivar where: the file that the certificate is from, for messages.
    """

    chain: Sequence[x509.Certificate]
    key: Any = field(repr=False)
    where: str


def readIdentity(certificate: Path, key: Path) -> Identity:
    """
    Read a certificate, with its chain, and its key, from PEM files; it may be
    the same file.

    @raise UsageError: they can't be read, or don't belong to each other.
    """
    return parseIdentity(_read(certificate), _read(key), str(certificate), str(key))


def parseIdentity(certificate: bytes, key: bytes, where: str, key_where: str) -> Identity:
    """
    Make an identity of a certificate, with its chain, and its key, both PEM.

    @param where: what the certificate is from, for messages.
    @param key_where: what the key is from.
    @raise UsageError: they are not PEM, or don't belong to each other.
    """
    try:
        chain = x509.load_pem_x509_certificates(certificate)
    except ValueError:
        raise UsageError(f"{where}: there is no certificate in it") from None
    try:
        private = serialization.load_pem_private_key(key, None)
    except TypeError:
        raise UsageError(f"{key_where}: its key is encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{key_where}: there is no private key in it") from None
    identity = Identity(chain, private, where)
    # What OpenSSL refuses is reported now, and not with the first connection.
    serverContext(identity)
    return identity


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def serverContext(
    identity: Identity, *, minimum: int = TLS_1_2, alpn: ALPN = NO_ALPN
) -> SSL.Context:
    """
    Make a context for a server, which requests no certificate of clients.

    @param minimum: the oldest version of TLS to speak.
    @param alpn: the protocols that it agrees to.
    @raise UsageError: a server can't use this certificate and key.
    """
    context = _context(SSL.TLS_SERVER_METHOD, minimum)
    context.limitGroups()
    _present(context, identity)
    # Without a callback, Twisted's own endpoints end the handshake of a client that uses
    # ALPN.
    context.set_alpn_select_callback(alpn.choose)
    # Clients keep what is needed to resume their sessions; the server keeps nothing.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"brxy")
    return context


def clientContext(identity: Identity | None = None, *, minimum: int = TLS_1_3) -> SSL.Context:
    """
    Make a context for a client, which trusts no authority yet.

    @param identity: what it shows to a server that requests a certificate.
    @raise UsageError: as L{serverContext}.
    """
    context = _context(SSL.TLS_CLIENT_METHOD, minimum)
    if identity is not None:
        _present(context, identity)
    return context


@implementer(IOpenSSLClientConnectionCreator)
class ClientCreator:
    """
    Makes the client's side of handshakes.

    @param context: see L{clientContext}.
    @param name: the name or address of the server, for SNI.
    """

    def __init__(self, context: SSL.Context, name: str) -> None:
        self._context = context
        self._name = name

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        See L{IOpenSSLClientConnectionCreator}.
        """
        connection = SSL.Connection(self._context, None)
        # An address is not a name for SNI (RFC 6066 §3).
        if not isIPAddress(self._name):
            connection.set_tlsext_host_name(self._name.encode("ascii"))
        return connection


class _Context(SSL.Context):
    """
    A context whose groups can be limited, for which pyOpenSSL has no method.
    """

    def limitGroups(self) -> None:
        """
        Accept the groups of L{_GROUPS} and L{_HYBRID} only.
        """
        # Old versions of cryptography do not have it; then OpenSSL's own choice stays.
        restrict = getattr(Binding.lib, "SSL_CTX_set1_curves_list", None)
        # OpenSSL before 3.5 does not know the hybrid group, and refuses the whole list.
        if restrict is not None and restrict(self._context, _HYBRID + b":" + _GROUPS) != 1:
            Binding.lib.ERR_clear_error()
            restrict(self._context, _GROUPS)


def _context(method: int, minimum: int) -> _Context:
    context = _Context(method)
    context.set_min_proto_version(minimum)
    context.set_cipher_list(_CIPHERS)
    context.set_options(_OPTIONS)
    # Buffers are 34 KB, and an idle connection needs none.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context


def _present(context: SSL.Context, identity: Identity) -> None:
    certificate, *authorities = identity.chain
    try:
        context.use_certificate(certificate)
        context.use_privatekey(identity.key)
        context.check_privatekey()
        for each in authorities:
            context.add_extra_chain_cert(each)
    except (SSL.Error, TypeError) as error:
        raise UsageError(f"{identity.where}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return str(queue[-1][-1]) if queue else "its key is of no kind for TLS"
