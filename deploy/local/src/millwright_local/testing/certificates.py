"""An authority and the certificates it issues, in files as cert-manager keeps them: tls.crt, tls.key, ca.crt."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from millwright_local.keys import write_private

LIFETIME = timedelta(days=1)
HERE = ("localhost", "127.0.0.1")


class Issued(NamedTuple):
    """The files of one certificate."""

    certificate: Path
    key: Path
    ca: Path


class Authority:
    """Issues certificates. Each has a key of its own."""

    def __init__(self, name: str = "plant") -> None:
        self._key = generate_private_key(SECP256R1())
        self._name = _named(name)
        now = datetime.now(UTC)
        self._certificate = (
            _builder(self._name, self._name, self._key, now - LIFETIME, now + LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, SHA256())
        )

    @property
    def pem(self) -> str:
        """The authority's own certificate."""
        return self._certificate.public_bytes(Encoding.PEM).decode()

    def issue(
        self, directory: Path, name: str = "service", *, hosts: Sequence[str] = HERE, expires_in: timedelta = LIFETIME
    ) -> Issued:
        """Write a new certificate for `hosts` into `directory`, over the one that is there, and give its files."""
        directory.mkdir(exist_ok=True)
        key, now = generate_private_key(SECP256R1()), datetime.now(UTC)
        builder = _builder(_named(name), self._name, key, now - LIFETIME, now + expires_in)
        alternatives = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
        certificate = builder.add_extension(alternatives, critical=False).sign(self._key, SHA256())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        issued = Issued(directory / "tls.crt", directory / "tls.key", directory / "ca.crt")
        contents = (certificate.public_bytes(Encoding.PEM).decode(), private.decode(), self.pem)
        for file, content in zip(issued, contents, strict=True):
            write_private(file, content)
        return issued


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
