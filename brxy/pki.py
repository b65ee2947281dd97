"""
C{python -m brxy.pki}: a certificate authority for edges and their nodes, in a
folder.

    python -m brxy.pki init DIR
    python -m brxy.pki issue DIR NAME [NAME...] [--for nodes|clients]

C{init} writes C{DIR/ca.pem} and C{DIR/ca.key}.  C{issue} writes C{DIR/NAME.pem} and
C{DIR/NAME.key}, for all these names and addresses; an edge or a node can use them for the
connections between them.  With C{--for clients} it writes C{DIR/clients/NAME.crt} and
C{DIR/clients/NAME.key}, and C{DIR/clients} is a folder for the edge's C{--tls-certs}.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from brxy.errors import UsageError
from brxy.program.guarded import fail
from brxy.values.routename import routeName

__all__ = ["Authority", "Issued", "main"]

# Days for which certificates are valid.
AUTHORITY_DAYS = 3650
DAYS = 730

# Certificates are valid from this much earlier, because clocks differ.
_EARLIER = timedelta(hours=1)

_PEM = serialization.Encoding.PEM

_USAGE = "usage: init DIR, or issue DIR NAME [NAME...] [--for nodes|clients]"

_USAGES = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


@frozen
class Issued:
    """
    A certificate and its private key, each as PEM.
    """

    certificate: bytes
    key: bytes


class Authority:
    """
    A certificate authority.
    """

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def make(cls) -> Authority:
        """
        Make a new authority.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        # The number distinguishes authorities that are trusted at the same time.
        number = x509.random_serial_number()
        name = _named(f"brxy CA {number:x}"[:24])
        builder = (
            _builder(name, name, key.public_key(), AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(True, 0), True)
            .add_extension(_keyUsage(authority=True), True)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, folder: Path) -> Authority:
        """
        Read the authority in a folder.

        @raise UsageError: there is none.
        """
        try:
            certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
            key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        except OSError as error:
            raise UsageError(
                f"{error.filename}: {error.strerror}; python -m brxy.pki init makes one"
            ) from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UsageError(f"{folder}: ca.pem and ca.key are not what init made") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise UsageError(f"{folder}: ca.pem and ca.key are not what init made")
        return cls(certificate, key)

    @property
    def issued(self) -> Issued:
        """
        The authority's own certificate and key.
        """
        return _issued(self._certificate, self._key)

    def issue(self, *names: str, days: int = DAYS) -> Issued:
        """
        Issue a certificate for a server or client with these names and addresses.

        @param days: it is valid for this number of days from now; a negative number makes
            one that has expired.
        """
        alternatives: list[x509.GeneralName] = []
        for name in names:
            try:
                alternatives.append(x509.IPAddress(ip_address(name)))
            except ValueError:
                alternatives.append(x509.DNSName(name))
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            _builder(_named(names[0]), self._certificate.subject, key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName(alternatives), False)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(_keyUsage(authority=False), True)
            .add_extension(_USAGES, False)
            .add_extension(issuer, False)
        )
        return _issued(builder.sign(self._key, hashes.SHA256()), key)


def _named(name: str) -> x509.Name:
    # RFC 5280 permits no longer ones.  What is checked are the alternative names.
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    end = datetime.now(UTC) + timedelta(days=days)
    begin = min(end - timedelta(days=1), datetime.now(UTC) - _EARLIER)
    return x509.CertificateBuilder(
        issuer, name, key, x509.random_serial_number(), begin, end
    ).add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)


def _keyUsage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _issued(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
    unlocked = key.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Issued(certificate.public_bytes(_PEM), unlocked)


# Files


def _write(folder: Path, name: str, issued: Issued, suffix: str = "pem") -> None:
    """
    @param suffix: of the certificate's file.
    @raise UsageError: the files can't be written, or exist already.
    """
    files: Mapping[Path, tuple[bytes, int]] = {
        folder / f"{name}.{suffix}": (issued.certificate, 0o644),
        folder / f"{name}.key": (issued.key, 0o600),
    }
    for path in files:
        if path.exists():
            raise UsageError(f"{path} is there already: remove it first to have another")
    try:
        for path, (content, mode) in files.items():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    print(*files)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from None


def _init(folder: Path) -> None:
    _make(folder)
    _write(folder, "ca", Authority.make().issued)


def _issue(folder: Path, names: Sequence[str], clients: bool) -> None:
    """
    @param clients: the certificate is for connections of clients; so it may be for all
        names below another one, and is kept apart from those of nodes.
    """
    for name in names:
        if not _isName(name.removeprefix("*.") if clients else name):
            raise UsageError(f"{name!r} is neither a host name in lower case nor an address")
    issued = Authority.load(folder).issue(*names)
    if clients:
        _make(folder / "clients")
        _write(folder / "clients", names[0].replace("*", "_"), issued, "crt")
    else:
        _write(folder, names[0], issued)


def _isName(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return routeName(text) == text and not text.startswith("[")
    return True


def main(arguments: Sequence[str]) -> None:
    """
    Run the command.

    @raise SystemExit: the command failed; standard error has one line that says why.
    """
    try:
        match arguments:
            case ["init", folder]:
                _init(Path(folder))
            case ["issue", folder, *names, "--for", "nodes" | "clients" as users] if names:
                _issue(Path(folder), names, users == "clients")
            case ["issue", folder, *names] if names and "--for" not in names:
                _issue(Path(folder), names, False)
            case _:
                raise UsageError(_USAGE)
    except UsageError as error:
        fail("brxy.pki", error)


if __name__ == "__main__":
    main(sys.argv[1:])
