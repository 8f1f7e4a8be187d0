"""Storages that cannot be used are told, and never by their passwords."""

from pathlib import Path
from typing import Any

import pytest
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend

from gbdist.errors import ParameterError
from gbdist.selection.searching.opening import Where, opened, storage_from
from gbdist.selection.searching.samplers import make_search
from gbdist.selection.searching.spaces import read_space


def test_a_storage_that_cannot_be_opened_is_told() -> None:
    with pytest.raises(ParameterError, match=r"storage='study.db' cannot be used: expected a URL that Optuna can open"):
        storage_from("study.db")
    with pytest.raises(ParameterError, match="expected a URL, or a storage of Optuna's"):
        storage_from(7)


@pytest.mark.parametrize("url", ["nosuch://me:sec/r@t@host/db", "sqlite:////no/such/folder/x.db?password=sec/r@t"])
def test_a_storage_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ParameterError) as caught:
        storage_from(url)
    assert "***" in str(caught.value)
    assert "sec/r" not in str(caught.value)
    assert "r@t" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_storage_that_is_broken_is_told(tmp_path: Path) -> None:
    path = tmp_path / "study.log"
    storage = JournalStorage(JournalFileBackend(str(path)))
    path.write_bytes(b"PAR1\xff\xfe\n")
    search = make_search("random", None, read_space({"x": [1, 2]}), seed=0, iterations=None)
    with pytest.raises(ParameterError, match="expected a storage that studies can be read from"):
        opened(Where(storage, "mine"), search, {})


def test_without_a_storage_it_is_in_memory() -> None:
    made: Any = storage_from(None)
    assert isinstance(made, InMemoryStorage)
