"""The way to a cluster: by address or name, and a reason at once where certificates do not fit."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest
from distributed import LocalCluster

from gbdist_cluster.errors import CertificateError, ClusterError, SettingError
from gbdist_cluster.launch import records
from gbdist_cluster.launch.certificates import make_certificates, security_of
from gbdist_cluster.launch.connection import Place, locate, open_client
from gbdist_cluster.launch.records import ClusterRecord


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {name: tmp_path_factory.mktemp("certificates") / name for name in ("ours", "foreign")}
    for folder in found.values():
        make_certificates(folder)
    return found


def cluster_of(**options: object) -> LocalCluster:
    return LocalCluster(
        n_workers=0,
        threads_per_worker=1,
        processes=False,
        dashboard_address=":0",
        memory_limit=0,
        silence_logs=50,
        **options,
    )


@pytest.fixture(scope="module")
def encrypted(folders: dict[str, Path]) -> Iterator[str]:
    with cluster_of(protocol="tls://", security=security_of(folders["ours"])) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def plain() -> Iterator[str]:
    with cluster_of(protocol="tcp://") as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClusterRecord:
    monkeypatch.setenv("GBDIST_HOME", str(tmp_path))
    host, pid, started = records.this_process()
    return ClusterRecord("one", "local", host, pid, started, 1)


def test_certificates_let_in(encrypted: str, folders: dict[str, Path]) -> None:
    with open_client(locate(encrypted, folders["ours"]), 10) as client:
        assert client.scheduler.address == encrypted
    with open_client(locate(encrypted.removeprefix("tls://"), folders["ours"]), 10) as client:
        assert client.scheduler.address == encrypted


def test_cluster_is_found_by_its_name(encrypted: str, folders: dict[str, Path], record: ClusterRecord) -> None:
    records.save(replace(record, scheduler=encrypted, certificates=str(folders["ours"])))
    with open_client(locate("one"), 10) as client:
        assert client.scheduler.address == encrypted
    with pytest.raises(SettingError, match="the cluster 'one' has its own certificates"):
        locate("one", folders["ours"])


def test_plain_address(plain: str) -> None:
    with open_client(locate(plain), 10) as client:
        assert client.scheduler.address == plain


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_without_certificates_nobody_is_let_in(encrypted: str, scheme: str) -> None:
    started = monotonic()
    with pytest.raises(CertificateError, match=r"takes encrypted connections only.*dd --tls with the folder"):
        open_client(locate(encrypted.replace("tls", scheme)), 60)
    assert monotonic() - started < 10


def test_another_authoritys_certificate_is_told_at_once(encrypted: str, folders: dict[str, Path]) -> None:
    started = monotonic()
    with pytest.raises(
        CertificateError, match=f"the certificate of the scheduler at {encrypted} is not one of our authority"
    ):
        open_client(locate(encrypted, folders["foreign"]), 60)
    assert monotonic() - started < 10


def test_certificate_that_the_scheduler_refuses_is_told_at_once(encrypted: str, folders: dict[str, Path]) -> None:
    mixed = security_of(folders["foreign"])
    mixed.tls_ca_file = str(folders["ours"] / "ca.pem")  # it is known to us, and we are not to it
    with pytest.raises(CertificateError, match=f"the scheduler at {encrypted} refuses our certificate"):
        open_client(Place(encrypted, mixed), 60)


def test_certificates_for_a_scheduler_that_does_not_encrypt(plain: str, folders: dict[str, Path]) -> None:
    with pytest.raises(CertificateError, match=r"does not encrypt\. Write tcp:// instead of tls://, without --tls"):
        open_client(locate(plain.replace("tcp", "tls"), folders["ours"]), 60)
    with pytest.raises(SettingError, match=r"Write --scheduler tls://.*, or leave out --tls"):
        locate(plain, folders["ours"])


def test_nobody_there_is_said_within_the_time() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ClusterError, match=f"^no Dask scheduler answers at {address}"):
            open_client(locate(address), 0.5)


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_somebody_who_never_answers_is_given_up(folders: dict[str, Path], scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"{scheme}://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(
            ClusterError, match=f"^somebody takes connections at {address}, but does not answer within 0.5 s"
        ):
            open_client(locate(address, folders["ours"] if scheme == "tls" else None), 0.5)


def test_cluster_that_starts_or_is_gone_is_told(record: ClusterRecord) -> None:
    records.save(record)
    with pytest.raises(ClusterError, match=r"'one' is still being started\. See: gbdist cluster status one"):
        locate("one")
    records.save(replace(record, scheduler="tcp://a:1", started=record.started - 60))
    with pytest.raises(ClusterError, match=r"'one' does not run any more: its keeper, process \d+, is gone"):
        locate("one")
