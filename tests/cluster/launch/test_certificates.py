"""Certificates that the command makes: whom they let in, and what is said of those that are of no use."""

import datetime
import shutil
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from gbdist_cluster.errors import CertificateError
from gbdist_cluster.launch import certificates
from gbdist_cluster.launch.certificates import make_certificates, security_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_certificates(tmp_path / "certs", ["node1", "10.0.0.1"], days=2)
    return tmp_path / "certs"


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def shake(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """A handshake in memory."""
    ends = []
    streams = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends.append(server.wrap_bio(streams[0], streams[1], server_side=True))
    ends.append(client.wrap_bio(streams[1], streams[0], server_hostname="node1"))
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    ends[1].write(b"hello")
    assert ends[0].read(5) == b"hello"


def contexts(security: Any, server: str, client: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return security.get_listen_args(server)["ssl_context"], security.get_connection_args(client)["ssl_context"]


def test_files_and_who_may_read_them(folder: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {
        "ca.pem": 0o644, "server.pem": 0o644, "client.pem": 0o644,
        "ca-key.pem": 0o600, "server-key.pem": 0o600, "client-key.pem": 0o600,
    }  # fmt: skip


def test_what_the_certificates_say(folder: Path) -> None:
    server, client, ca = (read(folder / f"{name}.pem") for name in ("server", "client", "ca"))
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["node1", "localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "127.0.0.1", "::1"]
    uses = client.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    left = server.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=1, hours=23) < left <= datetime.timedelta(days=2)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_everybody_of_one_folder_is_let_in(folder: Path) -> None:
    security = security_of(folder)
    for server in ("scheduler", "worker"):
        for client in ("client", "scheduler", "worker"):
            shake(*contexts(security, server, client))
    # A stricter client than Dask's, which looks at names as well.
    strict = ssl.create_default_context(cafile=folder / "ca.pem")
    strict.load_cert_chain(folder / "client.pem", folder / "client-key.pem")
    shake(contexts(security, "scheduler", "client")[0], strict)


def test_another_authority_is_not_let_in(folder: Path, tmp_path: Path) -> None:
    make_certificates(tmp_path / "foreign")
    ours, foreign = security_of(folder), security_of(tmp_path / "foreign")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(contexts(ours, "scheduler", "client")[0], contexts(foreign, "scheduler", "client")[1])


def test_clients_certificate_is_no_servers(folder: Path) -> None:
    for part in ("client.pem", "client-key.pem"):
        shutil.copy(folder / part, folder / part.replace("client", "server"))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(*contexts(security_of(folder), "scheduler", "client"))


def test_client_needs_no_key_of_servers(folder: Path) -> None:
    for name in ("server-key.pem", "server.pem", "ca-key.pem"):
        (folder / name).unlink()
    assert security_of(folder, client_only=True).tls_client_key == str(folder / "client-key.pem")
    with pytest.raises(CertificateError, match=f"^{folder}/server.pem is missing. Make new ones with"):
        security_of(folder)


def test_certificates_are_not_replaced_unless_asked(folder: Path) -> None:
    before = (folder / "ca.pem").read_text()
    with pytest.raises(CertificateError, match=f"^{folder} has certificates already"):
        make_certificates(folder)
    assert (folder / "ca.pem").read_text() == before
    make_certificates(folder, replace=True)
    assert (folder / "ca.pem").read_text() != before
    security_of(folder)


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CertificateError, match="cannot be written"):
        make_certificates(tmp_path / "file" / "certs")


def test_expired_certificate_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3)
    monkeypatch.setattr(certificates, "_now", lambda: later)
    with pytest.raises(CertificateError, match=f"^{folder}/client.pem is valid from .* and now is .*--replace$"):
        security_of(folder)


def test_key_of_another_certificate_is_told(folder: Path) -> None:
    shutil.copy(folder / "server-key.pem", folder / "client-key.pem")
    with pytest.raises(
        CertificateError, match=f"^{folder}/client.pem and client-key.pem are no certificate with its key"
    ):
        security_of(folder)


def test_half_a_folder_of_another_authority_is_told(folder: Path, tmp_path: Path) -> None:
    make_certificates(tmp_path / "foreign")
    shutil.copy(tmp_path / "foreign/ca.pem", folder / "ca.pem")
    with pytest.raises(CertificateError, match=f"^{folder}/client.pem is not signed by ca.pem beside it"):
        security_of(folder)
