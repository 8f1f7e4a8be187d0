"""Small partitions share a task."""

import pytest

from gbdist.estimators.preparation import futures


def test_batches_are_neighbours_of_limited_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(futures, "_BATCH_BYTES", 10)
    assert futures.batched("abcdefg", [4, 6, 1, 11, 0, 3, 8]) == [["a", "b"], ["c"], ["d"], ["e", "f"], ["g"]]
    assert futures.batched("", []) == []
