"""Certificates in files that may be replaced at any time, as Kubernetes does with a mounted secret.

Owns when what is in the files is fit for use. What is not never takes the place of what is in use.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates

from millwright_runtime import metrics

_LOOK_SECONDS = 5.0
_DOUBTS = 2
"""Passes after which a fault is one. A pair that is being written is half old and half new for a moment."""
_log = logging.getLogger(__name__)


class CertificateUnusable(Exception):
    """Files do not hold what TLS could be done with. The message names the file, and nothing that is in it."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where a certificate with its key is, and where the authorities are that the other side's is checked by."""

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Contents:
    """What the files hold, in PEM."""

    chain: bytes | None
    """The certificate, and those between it and its authority."""
    key: bytes | None
    authorities: bytes | None


def client_context(files: Files) -> ssl.SSLContext:
    """Give what servers that are not ours are connected to with; raise CertificateUnusable."""
    try:
        context = ssl.create_default_context(cafile=files.authorities)
        if files.certificate:
            context.load_cert_chain(files.certificate, files.key)
    except (OSError, ssl.SSLError) as error:
        names = ", ".join(str(path) for path in (files.authorities, files.certificate, files.key) if path)
        raise CertificateUnusable(f"of {names} one cannot be used: {error.strerror or error}") from None
    return context


class Certificates:
    """The contents in use. As a loop, it looks every five seconds whether the files hold others."""

    def __init__(self, use: str, files: Files, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Read the files for a `use`, which metrics and logs name; raise CertificateUnusable."""
        self.name = f"certificates-{use}"
        self._use = use
        self._files = files
        self._now = now
        self._doubts = 0
        self.current = self._take(_read(files))

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.refresh()

    async def drain(self) -> None:
        """Have nothing in hand."""

    async def refresh(self) -> None:
        """Take what the files hold now, if it is fit; else keep what is in use, say so once, and count it."""
        try:
            found = await asyncio.to_thread(_read, self._files)
            if found != self.current:
                self.current = self._take(found)
                _log.info("certificates were replaced", extra={"use": self._use})
        except CertificateUnusable as error:
            self._doubt(str(error))
        else:
            self._doubts = 0

    def _take(self, found: Contents) -> Contents:
        """Give `found` if it is fit; raise CertificateUnusable."""
        if self._files.authorities and found.authorities is not None:
            _certificates(self._files.authorities, found.authorities)
        if self._files.certificate and self._files.key and found.chain is not None and found.key is not None:
            leaf = _certificates(self._files.certificate, found.chain)[0]
            _check(self._files, leaf, found.key, self._now())
            metrics.CERTIFICATE_EXPIRY.labels(self._use).set(leaf.not_valid_after_utc.timestamp())
        return found

    def _doubt(self, fault: str) -> None:
        self._doubts += 1
        if self._doubts >= _DOUBTS:
            metrics.CERTIFICATE_FAILURES.labels(self._use).inc()
        if self._doubts == _DOUBTS:
            _log.error("new certificates are not used: the old ones stay", extra={"use": self._use, "fault": fault})


def _read(files: Files) -> Contents:
    def read(path: Path | None) -> bytes | None:
        try:
            return path.read_bytes() if path else None
        except OSError as error:
            raise CertificateUnusable(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None

    return Contents(chain=read(files.certificate), key=read(files.key), authorities=read(files.authorities))


def _certificates(path: Path, pem: bytes) -> list[Certificate]:
    try:
        return load_pem_x509_certificates(pem)
    except ValueError:
        raise CertificateUnusable(f"{path} holds no certificate in PEM, or a broken one") from None


def _check(files: Files, leaf: Certificate, key: bytes, now: datetime) -> None:
    """Raise CertificateUnusable unless `key` belongs to the certificate, and now is its time."""
    try:
        public = load_pem_private_key(key, password=None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        raise CertificateUnusable(f"{files.key} holds no private key in PEM, or an encrypted one") from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public.public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise CertificateUnusable(f"{files.key} is not the key of the certificate in {files.certificate}")
    if now >= leaf.not_valid_after_utc:
        raise CertificateUnusable(f"{files.certificate} expired at {leaf.not_valid_after_utc.isoformat()}")
    if now < leaf.not_valid_before_utc:
        raise CertificateUnusable(f"{files.certificate} is not valid before {leaf.not_valid_before_utc.isoformat()}")
