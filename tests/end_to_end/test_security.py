"""A cluster of encrypted, authenticated connections trains, and lets nobody in whom its authority does not know."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import msgpack
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster, Security, Worker
from distributed.comm import connect

from gbdist import DaskCatBoostClassifier
from gbdist.errors import ClusterError
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist_cluster.collective.endpoint import HANDLER
from gbdist_cluster.gang import Member, RankContext, run_on_gang
from gbdist_cluster.plugin import prepare

from ..certificates import Authority, new_authority

pytest.importorskip("cryptography", reason="the cryptography package is missing, which makes the certificates")

OURS, FOREIGN = new_authority("ours"), new_authority("foreign")
KNOCK = {
    "op": HANDLER,
    "reply": False,
    "close": True,
    "run_id": "run",
    "epoch": 0,
    "source": 1,
    "target": 0,
    "lane": False,
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two worker processes whose connections all have certificates of our authority."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        protocol="tls://",
        host="127.0.0.1",
        security=OURS.security(),
        dashboard_address=":0",
        scheduler_kwargs={"dashboard": False},
        memory_limit=0,
        silence_logs=50,
    ) as made:
        yield made


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    """One whom the cluster knows; the test fails if workers, clients or tasks are there afterwards that were not before."""
    with Client(cluster, security=cluster.security, set_as_default=False) as made:
        made.wait_for_workers(2, timeout=60)
        prepare(made)
        before = set(made.scheduler_info(n_workers=-1)["workers"])
        yield made
        assert set(made.scheduler_info(n_workers=-1)["workers"]) == before

        assert made.run_on_scheduler(_left, made.id) == ([], [])


async def _left(own: str, dask_scheduler: Any) -> tuple[list[str], list[str]]:
    for _ in range(500):  # what is released travels as a message of its own
        tasks = [str(key) for key in dask_scheduler.tasks]
        clients = [name for name in dask_scheduler.clients if name not in ("fire-and-forget", own)]
        if not tasks and not clients:
            break
        await asyncio.sleep(0.01)
    return tasks, clients


def address_of_worker(client: Client) -> tuple[str, int]:
    host, port = min(client.nthreads()).removeprefix("tls://").split(":")
    return host, int(port)


def test_same_model(client: Client) -> None:
    rng = np.random.default_rng(9)
    values = rng.normal(size=(3_000, 4)).astype(np.float32)
    table = pd.DataFrame(values, columns=list("abcd")).assign(y=(values[:, 0] > values[:, 1]).astype(np.int64))
    expected = fixed_cbm_bytes(DaskCatBoostClassifier(iterations=4).fit(table, "y").model_)
    frame = dd.from_pandas(table, npartitions=3, sort=False)
    model = DaskCatBoostClassifier(iterations=4, client=client).fit(frame, "y").model_
    assert fixed_cbm_bytes(model) == expected


def test_ranks_talk_over_encrypted_connections_to_whom_they_know(client: Client) -> None:
    def routine(context: RankContext) -> list[tuple[str, bool]]:
        context.collective.all_reduce(np.ones(100, np.int64))
        channel = context.collective._comm_channel
        found: list[tuple[str, bool]] = []

        def look(sock: Any) -> None:
            # The peer's certificate cannot be asked for while a message of the handshake's is half read.
            found.append((type(sock).__name__, sock.context.verify_mode == ssl.CERT_REQUIRED and bool(sock.cipher())))

        for link in channel._links.values():  # its socket is the event loop's to use
            channel.call_and_wait(look, link._comm.stream.socket)
        for lane in channel._lanes._lanes.values():
            look(lane.sock)
        context.collective.all_gather(b"")  # who leaves closes connections that the others still look at
        return found

    found = run_on_gang(client, routine, members=[Member(address) for address in sorted(client.nthreads())])
    assert found == [[("SSLSocket", True)] * 2] * 2  # a link and a lane each


@pytest.mark.parametrize(
    ("security", "protocol"),
    [(FOREIGN.security(), "tls"), (Security.temporary(), "tls"), (Security(), "tcp")],
    ids=["another authority", "signed by itself", "no certificate"],
)
def test_stranger_is_no_client(client: Client, cluster: LocalCluster, security: Security, protocol: str) -> None:
    address = cluster.scheduler_address.replace("tls", protocol)
    with pytest.raises(OSError):
        Client(address, security=security, timeout=1.0, set_as_default=False)


def test_estimator_says_that_nobody_answers(client: Client, cluster: LocalCluster, monkeypatch: Any) -> None:
    monkeypatch.setattr("gbdist.estimators.clusters._CONNECT_SECONDS", 1)
    plain = cluster.scheduler_address.replace("tls", "tcp")
    with pytest.raises(ClusterError, match=f"No Dask scheduler answers at {plain}"):
        DaskCatBoostClassifier(client=plain).fit(np.zeros((20_000, 2), np.float32), np.arange(20_000) % 2)


@pytest.mark.parametrize("authority", [FOREIGN, None], ids=["another authority", "no certificate"])
def test_stranger_is_no_worker(
    client: Client, cluster: LocalCluster, authority: Authority | None, tmp_path: Path
) -> None:
    address, security = cluster.scheduler_address, Security()
    if authority is None:
        address = address.replace("tls", "tcp")
    else:
        security = authority.security()

    async def start() -> None:
        async with Worker(address, nthreads=1, security=security, death_timeout=1.0, local_directory=str(tmp_path)):
            raise AssertionError("it was let in")

    with pytest.raises((TimeoutError, OSError, asyncio.CancelledError, RuntimeError)):
        asyncio.run(start())


def test_stranger_reaches_no_rank(client: Client) -> None:
    host, port = address_of_worker(client)

    async def knock(security: Security | None, protocol: str) -> None:
        arguments = {} if security is None else security.get_connection_args("worker")
        comm = await connect(f"{protocol}://{host}:{port}", timeout=2.0, **arguments)
        await comm.write(KNOCK)
        await comm.read()

    for security, protocol in ((FOREIGN.security(), "tls"), (Security.temporary(), "tls"), (None, "tcp")):
        with pytest.raises(OSError):
            asyncio.run(knock(security, protocol))


@pytest.mark.parametrize(
    ("certificate", "answered"),
    [(None, False), (FOREIGN, False), (OURS, True)],
    ids=["no certificate", "another authority", "ours"],
)
def test_handshake_with_our_certificate_alone_gets_an_answer(
    client: Client, certificate: Authority | None, answered: bool, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # who would talk to anybody, so that the other side alone refuses
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate is not None:
        (tmp_path / "pem").write_text("".join(certificate.issue("stranger")))
        context.load_cert_chain(tmp_path / "pem")
    answers = []
    with (
        socket.create_connection(address_of_worker(client), timeout=10.0) as sock,
        contextlib.suppress(ssl.SSLError, ConnectionError),
        context.wrap_socket(sock) as wrapped,
    ):
        wrapped.sendall(frames(KNOCK))
        answers.append(wrapped.recv(1024))
    assert any(answers) == answered


def test_plain_connection_gets_nothing(client: Client) -> None:
    with socket.create_connection(address_of_worker(client), timeout=10.0) as sock:
        arrived = b""
        with contextlib.suppress(ConnectionError):
            sock.sendall(frames(KNOCK))
            while data := sock.recv(1024):
                arrived += data
    # At most the alert with which TLS ends what is no handshake.
    assert len(arrived) <= 7
    assert arrived[:1] in (b"", b"\x15")


def frames(message: dict[str, Any]) -> bytes:
    """A message as Dask's comms send it: number of frames, their lengths, the frames."""
    body = msgpack.packb(message)
    lengths = [b"", msgpack.packb({}), body]
    head = np.array([len(lengths), *(len(frame) for frame in lengths)], "<u8").tobytes()
    payload = head + b"".join(lengths)
    return np.array([len(payload)], "<u8").tobytes() + payload
