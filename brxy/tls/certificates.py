"""
Certificates that the other side of a TLS connection shows: which authorities must have
signed them, and which names they are for.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import (
    verify_certificate_hostname,
    verify_certificate_ip_address,
)

from brxy.errors import UsageError

__all__ = ["bears", "isIPAddress", "readCertificates", "tlsFault", "trust"]

#: What OpenSSL's numbers for a certificate mean (X509_V_ERR_..., x509_vfy.h).
_FAULTS = {9: "is not valid yet", 10: "has expired", 26: "is for another purpose"}


def readCertificates(path: Path) -> list[x509.Certificate]:
    """
    Read the certificates in a PEM file.

    @raise UsageError: the file can't be read, or has no certificate in it.
    """
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"{path}: there is no certificate in it") from None


def isIPAddress(name: str) -> bool:
    """
    Whether a name is an IP address, not the name of a host.
    """
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def bears(certificate: x509.Certificate, name: str) -> bool:
    """
    Whether a certificate is for this name or address (RFC 9525).
    """
    check = verify_certificate_ip_address if isIPAddress(name) else verify_certificate_hostname
    try:
        check(certificate, name)
    except (VerificationError, CertificateError, ValueError):
        # ValueError: no certificate can bear such a name.
        return False
    return True


def trust(
    context: SSL.Context,
    authorities: Iterable[x509.Certificate] | None,
    name: str | None = None,
) -> None:
    """
    Require that the other side shows a certificate that one of these authorities has
    signed.  Otherwise the handshake ends with an C{SSL.Error}, see L{tlsFault}.

    @param authorities: L{None}: those that this machine trusts.
    @param name: the name or address that the certificate must be for.
    """

    def verify(_: object, shown: crypto.X509, error: int, depth: int, good: int) -> bool:
        # The handshake raises what is raised here.
        if not good:
            raise _fault(_FAULTS.get(error, "is of no authority that is trusted here"))
        if depth == 0 and name is not None and not bears(shown.to_cryptography(), name):
            raise _fault(f"is not for {name}")
        return True

    if authorities is None:
        context.set_default_verify_paths()
    else:
        store = context.get_cert_store()
        assert store is not None, "a context without a store"
        for each in authorities:
            store.add_cert(crypto.X509.from_cryptography(each))
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)


def _fault(what: str) -> SSL.Error:
    # OpenSSL's own errors have this form: a library, a function, and a reason.
    return SSL.Error([("brxy", "", f"its certificate {what}")])


def tlsFault(error: BaseException | None) -> str | None:
    """
    Describe the TLS error that ended a connection; L{None} if it was no TLS error.

    @param error: the reason for which the connection was lost.
    """
    queue = error.args[0] if isinstance(error, SSL.Error) and error.args else None
    if not queue or not isinstance(queue, list):
        return None
    library, _, what = queue[-1]
    if library == "brxy":
        return str(what)
    alert = str(what).partition(" alert ")[2]
    return f"TLS: the other side says: {alert}" if alert else f"TLS: {what}"
