"""Certificates for tests: an authority of their own, and what it signs."""

import datetime
from dataclasses import dataclass
from typing import Any

from distributed import Security


@dataclass(frozen=True)
class Authority:
    """A certificate authority that lives as long as a test."""

    key: Any
    certificate: Any

    @property
    def pem(self) -> str:
        """Its certificate."""
        return _pem(self.certificate)

    def issue(self, name: str) -> tuple[str, str]:
        """Key and certificate of somebody, in PEM."""
        from cryptography.hazmat.primitives import serialization

        key = _new_key()
        certificate = _signed(name, key, self.certificate.subject, self.key, authority=False)
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return key.private_bytes(encoding, form, serialization.NoEncryption()).decode(), _pem(certificate)

    def security(self) -> Security:
        """Dask's settings: everybody has a certificate of this authority, and takes no others."""
        fields = {}
        for role in ("client", "scheduler", "worker"):
            fields[f"tls_{role}_key"], fields[f"tls_{role}_cert"] = self.issue(role)
        return Security(require_encryption=True, tls_ca_file=self.pem, **fields)


def new_authority(name: str) -> Authority:
    """Make an authority."""
    key = _new_key()
    return Authority(key, _signed(name, key, None, key, authority=True))


def _new_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _signed(name: str, key: Any, issuer: Any, signer: Any, *, authority: bool) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )


def _pem(certificate: Any) -> str:
    from cryptography.hazmat.primitives import serialization

    text: str = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return text
