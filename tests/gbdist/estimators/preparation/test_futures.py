"""Small partitions share a task, and what was given up is held by nobody."""

from concurrent.futures import CancelledError

import pytest
from distributed import Client

from gbdist.estimators.preparation import futures


def test_batches_are_neighbours_of_limited_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(futures, "_BATCH_BYTES", 10)
    assert futures.batched("abcdefg", [4, 6, 1, 11, 0, 3, 8]) == [["a", "b"], ["c"], ["d"], ["e", "f"], ["g"]]
    assert futures.batched("", []) == []


def test_a_future_that_was_given_up_is_held_nowhere(client: Client) -> None:
    kept, given_up = client.submit(int, "1", pure=False), client.submit(int, "2", pure=False)
    assert (kept.result(), given_up.result()) == (1, 2)
    client.cancel([given_up])
    (holder,) = client.who_has([kept])[kept.key]
    assert futures.held_where(client, [given_up, kept]) == (None, holder)


def test_a_future_that_is_given_up_while_it_is_asked_for_is_held_nowhere(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise CancelledError

    future = client.submit(int, "1", pure=False)
    assert future.result() == 1
    with monkeypatch.context() as patch:
        patch.setattr(Client, "who_has", gone)
        assert futures.held_where(client, [future]) == (None,)
