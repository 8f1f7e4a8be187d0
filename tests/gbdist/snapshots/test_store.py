"""Generations of snapshots: the newest whole one counts, two are kept, nothing of anybody else is touched."""

import hashlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from gbdist.errors import SnapshotError
from gbdist.snapshots.format import MAGIC, Content
from gbdist.snapshots.store import Store

Place = Callable[[str], str]


@pytest.fixture(params=["local", "memory", "url"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Paths in a folder of this test's, of each kind."""
    if request.param == "memory":
        return lambda name: f"memory://{uuid.uuid4().hex}/{name}"
    folder = tmp_path / "new" / "folder"
    return lambda name: str(folder / name) if request.param == "local" else f"file://{folder / name}"


def store_at(path: str) -> Store:
    store = Store(path)
    store.prepare()
    return store


def content(*records: bytes) -> Content:
    return Content({"iterations": len(records)}, records)


def records_of(store: Store) -> tuple[bytes, ...] | None:
    found = store.load()
    return None if found is None else found.content.records


def files_of(path: str) -> list[str]:
    files, root = fsspec.core.url_to_fs(path)
    return sorted(str(name).rpartition("/")[2] for name in files.ls(root.rpartition("/")[0], detail=False))


def spoil(path: str, data: bytes | None = None) -> None:
    """Cut a file short, or put other bytes there."""
    files, root = fsspec.core.url_to_fs(path)
    files.pipe_file(root, files.cat_file(root)[:-7] if data is None else data)


def test_nothing_is_there_at_first(place: Place) -> None:
    store = Store(place("run"))
    assert records_of(store) is None
    store.prepare()
    assert records_of(store) is None


def test_the_newest_counts_and_two_are_kept(place: Place) -> None:
    path = place("run.cbsnapshot")
    store = store_at(path)
    written = [store.save(content(*[b"x"] * n)) for n in range(1, 5)]
    assert records_of(Store(path)) == (b"x",) * 4
    assert files_of(path) == ["run.cbsnapshot.000003", "run.cbsnapshot.000004"]
    assert written[-1].endswith("run.cbsnapshot.000004")
    # Another process goes on counting.
    store_at(path).save(content(b"y"))
    assert files_of(path) == ["run.cbsnapshot.000004", "run.cbsnapshot.000005"]


def test_a_damaged_one_is_left_out_and_the_older_one_is_used(place: Place) -> None:
    path = place("run")
    store = store_at(path)
    first, second = store.save(content(b"old")), store.save(content(b"old", b"new"))
    spoil(second)
    again = Store(path)
    with pytest.warns(UserWarning, match="cut short") as told:
        assert records_of(again) == (b"old",)
    (warning,) = told
    assert str(warning.message).startswith(f"{second}: found ")
    assert str(warning.message).endswith(
        f"bytes that were cut short or altered, expected a whole snapshot; {first} is used instead."
    )
    # It does not count among the two, and goes.
    again.save(content(b"third"))
    assert files_of(path) == ["run.000001", "run.000003"]


def test_without_a_whole_one_training_begins_anew(place: Place) -> None:
    path = place("run")
    written = store_at(path).save(content(b"x"))
    spoil(written, MAGIC)
    with pytest.warns(UserWarning, match=r"run.000001: found 8 bytes .* training begins anew\.$"):
        assert records_of(Store(path)) is None


def test_somebody_elses_file_is_neither_used_nor_deleted(place: Place) -> None:
    path = place("run")
    written = [store_at(path).save(content(b"x" * n)) for n in range(2)]
    spoil(written[1].replace("000002", "000007"), b"mine")
    store = Store(path)
    with pytest.warns(UserWarning, match=r"run.000007: found a file of another kind"):
        assert records_of(store) == (b"x",)
    for n in range(3):
        store.save(content(b"y" * n))
    assert files_of(path) == ["run.000007", "run.000009", "run.000010"]


def test_a_newer_version_is_refused(place: Place) -> None:
    path = place("run")
    body = MAGIC + (9).to_bytes(4, "little") + b"?"
    spoil(store_at(path).save(content(b"x")), body + hashlib.sha256(body).digest())
    with pytest.raises(SnapshotError, match=r"found version 9 of the format, expected version 1\. Update gbdist"):
        Store(path).load()


def test_other_names_are_not_generations(place: Place) -> None:
    path = place("run")
    store = store_at(path)
    written = store.save(content(b"x"))
    for name in ("run.000002.unfinished", "run.2", "run", "arun.000009", "run.00000x"):
        spoil(written.replace("run.000001", name), b"mine")
    store.save(content(b"y"))
    store.save(content(b"z"))
    assert records_of(store) == (b"z",)
    assert len(files_of(path)) == 7


@pytest.mark.parametrize("name", ['it\'s $(touch x); `rm *` & "q"', "a\nb", "üñ::x", "[0-9]*", "-rf", "%s{0}"])
def test_names_that_a_shell_or_a_pattern_would_read(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / "da ta" / name)
    store = store_at(path)
    for n in range(3):
        store.save(content(b"x" * n))
    assert records_of(Store(path)) == (b"xx",)
    assert sorted(os.listdir(tmp_path / "da ta")) == [f"{name}.000002", f"{name}.000003"]
    assert os.listdir(tmp_path) == ["da ta"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = str(tmp_path / "file" / "folder" / "run")
    with pytest.raises(SnapshotError) as refusal:
        Store(path).prepare()
    assert str(refusal.value) == (
        f"{path}: found Not a directory, expected a folder that can be made and written to. Check snapshot_file and train_dir."
    )


def test_a_url_that_nobody_knows() -> None:
    with pytest.raises(SnapshotError) as refusal:
        Store("nosuch://bucket/run")
    assert str(refusal.value) == (
        "nosuch://bucket/run: found Protocol not known: nosuch, expected a place to write snapshots to. Check snapshot_file."
    )


def test_nothing_of_an_interrupted_write_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_at(str(tmp_path / "run"))
    store.save(content(b"x"))
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        store.save(content(b"y"))
    assert os.listdir(tmp_path) == ["run.000001"]


def test_a_file_that_arrives_cut_short_is_found_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_at(f"memory://{uuid.uuid4().hex}/run")
    store.save(content(b"x"))
    files = fsspec.filesystem("memory")
    real = files.pipe_file
    monkeypatch.setattr(type(files), "pipe_file", lambda self, path, data: real(path, data[:-1]))
    with pytest.raises(OSError, match=r"of \d+ bytes arrived"):
        store.save(content(b"y"))
    with pytest.warns(UserWarning, match=r"run.000001 is used instead"):
        assert records_of(store) == (b"x",)


def test_a_folder_that_is_the_root_of_a_file_system() -> None:
    name = uuid.uuid4().hex
    store = store_at(f"memory://{name}")
    store.save(content(b"x"))
    assert records_of(Store(f"memory://{name}")) == (b"x",)
