"""Certificates for a cluster of its own authority: made, looked at, and turned into Dask's settings.

A folder holds ``ca.pem`` and ``ca-key.pem`` (the authority), ``server.pem`` and ``server-key.pem`` (scheduler, workers and
keeper, who take connections and open them) and ``client.pem`` and ``client-key.pem`` (who only opens them). A client needs
``ca.pem`` and its own two files. Dask checks who signed a certificate, not the names in it (distributed/security.py).
"""

import datetime
import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gbdist_cluster.errors import CertificateError

if TYPE_CHECKING:
    from distributed import Security

__all__ = ["Certificates", "make_certificates", "security_fields", "security_for", "security_of"]

_WAY_OUT = "Make new ones with: gbdist cluster certs"

_ROLES = {"client": "client", "scheduler": "server", "worker": "server"}
"""Whose certificate each of Dask's roles shows."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """What ``make_certificates`` has made."""

    folder: str
    hosts: tuple[str, ...]
    valid_until: str
    files: tuple[str, ...]


def make_certificates(folder: Path, hosts: Sequence[str] = (), days: int = 365, replace: bool = False) -> Certificates:
    """Write a new authority, and key and certificate of servers and of clients that it has signed; keys have mode 0600.

    Raises
    ------
    CertificateError
        If there are certificates in the folder already and ``replace`` is not set, or it cannot be written.
    """
    if (folder / "ca.pem").exists() and not replace:
        raise CertificateError(
            f"{folder} has certificates already, and whoever uses them could not reach a cluster with new ones",
            "Choose another folder, or add --replace.",
        )
    named = tuple(dict.fromkeys([*hosts, "localhost", "127.0.0.1", "::1"]))
    until = _now() + datetime.timedelta(days=days)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        files = _write(folder, named, until)
    except OSError as problem:
        raise CertificateError(
            f"{folder} cannot be written ({problem.strerror})", "Choose another folder."
        ) from problem
    return Certificates(str(folder), named, until.isoformat(timespec="seconds"), tuple(files))


def security_of(folder: Path, *, client_only: bool = False) -> "Security":
    """Dask's settings with the certificates of a folder; everything is looked at before anything uses it.

    Raises
    ------
    CertificateError
        If a file is missing, is no certificate or key, does not belong to its key, or is not valid today.
    """
    from distributed import Security

    roles = ("client",) if client_only else tuple(_ROLES)
    _file(folder, "ca.pem")
    for name in dict.fromkeys(_ROLES[role] for role in roles):
        _check(_file(folder, f"{name}.pem"), _file(folder, f"{name}-key.pem"), folder / "ca.pem")
    return Security(**security_fields(folder, roles))


def security_for(folder: str | None, *, client_only: bool = False) -> "Security | None":
    """The same for a cluster that may have no certificates, whose folder is empty or None then."""
    return security_of(Path(folder), client_only=client_only) if folder else None


def security_fields(folder: Path, roles: Sequence[str] = tuple(_ROLES)) -> dict[str, Any]:
    """Arguments of Dask's ``Security``, as they can be written to JSON: paths, never keys. Nothing is looked at."""
    whole = folder.expanduser().absolute()
    fields: dict[str, Any] = {"require_encryption": True, "tls_ca_file": str(whole / "ca.pem")}
    for role in roles:
        name = _ROLES[role]
        fields |= {f"tls_{role}_cert": str(whole / f"{name}.pem"), f"tls_{role}_key": str(whole / f"{name}-key.pem")}
    return fields


def _file(folder: Path, name: str) -> Path:
    path = folder.expanduser().absolute() / name
    if not os.access(path, os.R_OK):
        problem = "cannot be read" if path.exists() else "is missing"
        raise CertificateError(f"{path} {problem}", f"{_WAY_OUT} {folder}, or copy the folder that the cluster uses.")
    return path


def _check(certificate: Path, key: Path, authority: Path) -> None:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key)
        own = x509.load_pem_x509_certificate(certificate.read_bytes())
        signer = x509.load_pem_x509_certificate(authority.expanduser().read_bytes())
    except (ssl.SSLError, ValueError) as problem:
        what = f"{certificate} and {key.name} are no certificate with its key ({problem})"
        raise CertificateError(what, f"{_WAY_OUT} {certificate.parent}.") from problem
    try:
        own.verify_directly_issued_by(signer)
    except (InvalidSignature, ValueError, TypeError) as problem:
        what = f"{certificate} is not signed by {authority.name} beside it"
        raise CertificateError(what, "Copy the whole folder again from where it was made.") from problem
    now = _now()
    if not own.not_valid_before_utc <= now <= own.not_valid_after_utc:
        span = f"{own.not_valid_before_utc:%Y-%m-%d %H:%M} to {own.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        what = f"{certificate} is valid from {span}, and now is {now:%Y-%m-%d %H:%M} UTC"
        raise CertificateError(what, f"Check the clock, or: gbdist cluster certs {certificate.parent} --replace")


def _write(folder: Path, hosts: Sequence[str], until: datetime.datetime) -> list[str]:
    ca_key = _new_key()
    ca = _signed("gbdist cluster authority", ca_key, None, ca_key, until, ())
    written = [_write_pair(folder, "ca", ca_key, ca)]
    for name in ("server", "client"):
        key = _new_key()
        signed = _signed(f"gbdist {name}", key, ca.subject, ca_key, until, hosts if name == "server" else ())
        written.append(_write_pair(folder, name, key, signed))
    return [file for pair in written for file in pair]


def _write_pair(folder: Path, name: str, key: Any, certificate: Any) -> tuple[str, str]:
    from cryptography.hazmat.primitives import serialization

    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write_file(folder / f"{name}-key.pem", secret, 0o600)
    _write_file(folder / f"{name}.pem", certificate.public_bytes(encoding), 0o644)
    return f"{name}.pem", f"{name}-key.pem"


def _write_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file that has its mode from the first byte on, also where there was one of another mode."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)


def _signed(name: str, key: Any, issuer: Any, signer: Any, until: datetime.datetime, hosts: Sequence[str]) -> Any:
    """A certificate; without an issuer that of the authority itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    authority = issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if authority else issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - datetime.timedelta(hours=1))  # clocks of other machines may be behind
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(_usage(authority), critical=True)
    )
    if not authority:
        # A server opens connections too: workers to each other, the scheduler to workers.
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH] + ([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    if hosts:
        names = x509.SubjectAlternativeName([_name_of(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256())


def _usage(authority: bool) -> Any:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name_of(host: str) -> Any:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _new_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
