"""The proxy cuts what it is to cut, and nothing else; and a cluster behind proxies trains as any other."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gbdist_cluster.plugin import prepare

from .conftest import Small
from .injection import inject
from .plan import Fault
from .proxy import Proxies, cuttable, ports_of


@pytest.fixture
def echo() -> Iterator[int]:
    """Port of a server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve_one(sock: socket.socket) -> None:
        with sock, suppress(ConnectionError):
            while data := sock.recv(1024):
                sock.sendall(data)

    def serve() -> None:
        threads = []
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                break
            threads.append(threading.Thread(target=serve_one, args=[sock]))
            threads[-1].start()
        for thread in threads:
            thread.join()

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    with Proxies() as made:
        yield made


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10.0)


def echoed(sock: socket.socket) -> bytes:
    sock.sendall(b"hello")
    return sock.recv(1024)


def test_bytes_pass_and_an_end_does(echo: int, proxies: Proxies) -> None:
    with connect(proxies.add(echo)) as sock:
        assert echoed(sock) == b"hello"
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1024) == b""


def test_cut_ends_connections_and_refuses_new_ones_until_it_is_healed(echo: int, proxies: Proxies) -> None:
    cut_off, other = proxies.add(echo), proxies.add(echo)
    with connect(cut_off) as sock, connect(other) as spared:
        assert (echoed(sock), echoed(spared)) == (b"hello", b"hello")
        proxies.cut(cut_off, lambda: None)
        with pytest.raises(ConnectionError):
            sock.recv(1024)
        assert echoed(spared) == b"hello"
        with pytest.raises(ConnectionError), connect(cut_off) as another:  # it may be told while it connects
            another.recv(1024)
    proxies.heal(cut_off)
    with connect(cut_off) as sock:
        assert echoed(sock) == b"hello"


def test_swallowed_bytes_arrive_when_it_is_healed(echo: int, proxies: Proxies) -> None:
    port = proxies.add(echo)
    with connect(port) as sock:
        assert echoed(sock) == b"hello"
        proxies.cut(port, lambda: None, swallow=True)
        sock.sendall(b"later")
        with connect(port) as another:
            another.sendall(b"too")
            for silent in (sock, another):
                silent.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    silent.recv(1024)
                silent.settimeout(10.0)
            proxies.heal(port)
            assert (sock.recv(1024), another.recv(1024)) == (b"later", b"too")


def test_what_a_process_connects_to_is_cut_too(echo: int, proxies: Proxies) -> None:
    own, elsewhere = proxies.add(echo), proxies.add(echo)
    with connect(elsewhere) as sock:
        assert echoed(sock) == b"hello"
        assert sock.getsockname()[1] in ports_of(os.getpid())
        proxies.cut(own, os.getpid, seconds=0.2)
        with pytest.raises(ConnectionError):
            sock.recv(1024)
        answers = []
        while not answers:  # it heals of its own
            with connect(elsewhere) as again:
                try:
                    answers.append(echoed(again))
                except ConnectionError:
                    continue
        assert answers == [b"hello"]


@pytest.mark.soak
def test_cluster_behind_proxies(small: Small) -> None:
    with cuttable(2) as cluster:
        client = cluster.client
        assert sorted(client.scheduler_info(n_workers=-1)["workers"]) == cluster.addresses
        prepare(client)
        assert small.fit(client) == small.model
        with inject(client, Fault("stop", "tree grown", rank=0, tree=2, seconds=0.5)) as injected:
            cut = threading.Thread(
                target=lambda: cluster.cut(injected.wait().address, swallow=True, seconds=1.5),
            )
            cut.start()
            assert small.fit(client) == small.model  # a network that comes back in time costs nothing
            cut.join()


@pytest.mark.soak
def test_worker_cut_off_for_good_while_trees_grow(small: Small) -> None:
    with cuttable(2) as cluster:
        prepare(cluster.client)
        with inject(cluster.client, Fault("stop", "tree grown", rank=1, tree=2, seconds=0.5)) as injected:
            cut = threading.Thread(target=lambda: cluster.cut(injected.wait().address))
            cut.start()
            small.same_or_named(cluster.client, lambda: injected.wait().address)
            cut.join()
            cluster.heal(injected.wait().address)
