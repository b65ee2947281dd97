"""
A certificate authority for tests.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLContextFactory
from zope.interface import implementer

__all__ = ["Authority", "Issued"]

_PEM = serialization.Encoding.PEM


class Issued:
    """
    A certificate with its key.

    @ivar certificate: as PEM.
    @ivar key: as PEM.
    """

    def __init__(self, made: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = made.public_bytes(_PEM)
        self.key = key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


class Authority:
    """
    Issues certificates that are good for two days.

    @ivar pem: its own certificate.
    """

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("a CA of brxy's tests")
        made = self._issue(self._name, self._key, x509.BasicConstraints(True, None))
        self.pem = made.public_bytes(_PEM)

    def server(self, *names: str) -> Issued:
        """
        One for a server with these names and addresses.
        """
        alternatives: list[x509.GeneralName] = []
        for name in names:
            try:
                alternatives.append(x509.IPAddress(ip_address(name)))
            except ValueError:
                alternatives.append(x509.DNSName(name))
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._issue(_named(names[0]), key, x509.SubjectAlternativeName(alternatives))
        return Issued(made, key)

    def client(self, name: str) -> Issued:
        """
        One for a client.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(False, None)
        return Issued(self._issue(_named(name), key, constraints), key)

    def _issue(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now()
        return (
            x509.CertificateBuilder(
                self._name, name, key.public_key(), x509.random_serial_number()
            )
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + timedelta(days=2))
            .add_extension(extension, False)
            .sign(self._key, hashes.SHA256())
        )

    def context(self, issued: Issued) -> Any:
        """
        @return: for C{listenSSL}: a server with a certificate, that takes
            clients without one, and clients with one that we issued.
        """
        return _ContextFactory(self, issued)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


@implementer(IOpenSSLContextFactory)
class _ContextFactory:
    """
    See L{Authority.context}.
    """

    def __init__(self, authority: Authority, issued: Issued) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        context.use_certificate(crypto.X509.from_cryptography(_loaded(issued.certificate)))
        key = serialization.load_pem_private_key(issued.key, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        context.use_privatekey(crypto.PKey.from_cryptography_key(key))
        store = context.get_cert_store()
        assert store is not None
        store.add_cert(crypto.X509.from_cryptography(_loaded(authority.pem)))
        context.set_verify(SSL.VERIFY_PEER, lambda *arguments: bool(arguments[-1]))
        context.set_session_id(b"brxy")
        # Go's clients offer h2, and a server that knows nothing of it refuses them.
        context.set_alpn_select_callback(
            lambda _, offered: (
                b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS
            )
        )
        self._context = context

    def getContext(self) -> SSL.Context:
        return self._context


def _loaded(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)
