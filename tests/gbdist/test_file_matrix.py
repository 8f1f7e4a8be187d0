"""A matrix in a file is the array that was written to it, in whatever pieces it is written and read."""

import errno
import gc
import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist import file_matrix
from gbdist.boosting.bins import TOGETHER, features_at_once, new_bins_like, read_ahead_bytes, to_write
from gbdist.errors import ClusterError
from gbdist.file_matrix import FileMatrix


def fresh(name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    return np.empty(shape, dtype)


def written(path: Path, values: Any) -> FileMatrix:
    matrix = FileMatrix.create(str(path), values.shape, values.dtype)
    matrix[...] = values
    return matrix


@st.composite
def cut(draw: st.DrawFn, size: int) -> list[tuple[int, int]]:
    """Ranges that cover 0 … size, one after the other, some of them empty."""
    inner = draw(st.lists(st.integers(0, size), max_size=4).map(sorted))
    edges = [0, *inner, size]
    return list(itertools.pairwise(edges))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_writes_and_reads_are_those_of_an_array(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    n, m = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 40))
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16, np.float32]))
    values = np.random.default_rng(3).integers(0, 250, (n, m)).astype(dtype)
    matrix = FileMatrix.create(str(tmp_path_factory.getbasetemp()), (n, m), dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_matrix, "BLOCK_BYTES", data.draw(st.integers(1, 100)))
        for first, last in data.draw(cut(m)):
            window = matrix[:, first:last]
            assert window.shape == (n, last - first)
            for start, stop in data.draw(cut(n)):
                window[start:stop] = values[start:stop, first:last]
        first, last = data.draw(st.tuples(st.integers(0, m), st.integers(0, m)).map(sorted))
        start, stop = data.draw(st.tuples(st.integers(0, n), st.integers(0, n)).map(sorted))
        window = matrix[:, first:last]
        assert np.array_equal(np.asarray(window), values[:, first:last])
        assert np.array_equal(window[start:stop], values[start:stop, first:last])
        assert np.array_equal(matrix[start:stop, first:last], values[start:stop, first:last])
        for row in range(n):
            assert np.array_equal(matrix[row], values[row])
            assert np.array_equal(matrix[row, first:last], values[row, first:last])
        seen = [(at, block.copy()) for at, block in window.blocks(start, stop, data.draw(st.integers(1, 5)), fresh)]
        assert [at for at, _ in seen] == np.cumsum([start, *(len(block) for _, block in seen)])[:-1].tolist()
        assert np.array_equal(np.concatenate([window[:0], *(b for _, b in seen)]), values[start:stop, first:last])
        other = matrix.like(n, last - first)
        other[...] = window  # from file to file
        assert np.array_equal(np.asarray(other), values[:, first:last])
        pieces = window.pieces()
        assert all(len(piece) == 1 or piece.nbytes <= file_matrix.BLOCK_BYTES for piece in pieces)
        assert np.array_equal(np.asarray(matrix.like(n, last - first).take_pieces(pieces)), values[:, first:last])


def test_next_block_is_read_while_one_is_worked_on(tmp_path: Path) -> None:
    matrix = written(tmp_path, np.arange(60, dtype=np.uint8).reshape(6, 10))
    asked: list[tuple[str, str]] = []
    read = threading.Event()

    def memory(name: str, shape: tuple[int, ...], dtype: Any) -> Any:
        asked.append((name, threading.current_thread().name))
        if len(asked) == 2:
            read.set()
        return np.empty(shape, dtype)

    blocks = matrix.blocks(0, 6, 2, memory)
    next(blocks)
    assert read.wait(10)  # nobody has asked for the second one
    blocks.close()
    assert [name for name, _ in asked] == ["bins read 0", "bins read 1"]
    assert all(thread.startswith("gbdist-read") for _, thread in asked)


def test_no_file_has_a_name_and_bytes_go_back_with_the_matrix(tmp_path: Path) -> None:
    def open_files() -> int:
        return sum(
            str(tmp_path) in os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_link(fd)
        )

    matrix = written(tmp_path, np.ones((3, 5), np.uint8))
    window = matrix[:, 2:]
    assert list(tmp_path.iterdir()) == []
    assert open_files() == 1
    del matrix
    gc.collect()
    assert window[0].tolist() == [1, 1, 1]
    del window
    gc.collect()
    assert open_files() == 0


def _is_link(fd: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{fd}")


def test_reads_and_writes_that_end_early_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(200, dtype=np.uint8).reshape(4, 50)
    read, write = os.preadv, os.pwrite
    monkeypatch.setattr(os, "preadv", lambda fd, into, at: read(fd, [into[0][:7]], at))
    monkeypatch.setattr(os, "pwrite", lambda fd, values, at: write(fd, values[:7], at))
    matrix = written(tmp_path, values)
    assert np.array_equal(np.asarray(matrix), values)
    assert np.array_equal(np.asarray(matrix[:, 3:20]), values[:, 3:20])


def full_disk(number: int) -> Callable[..., int]:
    def write(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return write


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_disk_that_is_full_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    matrix = FileMatrix.create(str(tmp_path), (3, 1000), np.uint16, "Worker tcp://10.0.0.1:5000")
    monkeypatch.setattr(os, "pwrite", full_disk(number))
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1234}))
    with pytest.raises(ClusterError) as error:
        matrix[...] = np.ones((3, 1000), np.uint16)
    assert str(error.value) == (
        f"Worker tcp://10.0.0.1:5000: the disk is full. Bins take 6,000 bytes in {tmp_path}, where 1,234 bytes are free. Free "
        "space there, or start the workers with another --local-directory. With bins_on_disk=False bins stay in memory."
    )
    assert list(tmp_path.iterdir()) == []


def test_disk_that_has_no_room_to_begin_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10}))
    with pytest.raises(ClusterError, match=r"This process: the disk is full. Bins take 12 bytes in .*, where 10 bytes"):
        FileMatrix.create(str(tmp_path), (3, 4), np.uint8)
    assert list(tmp_path.iterdir()) == []


def test_other_errors_of_a_disk_are_told_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = FileMatrix.create(str(tmp_path), (3, 4), np.uint8)
    monkeypatch.setattr(os, "pwrite", full_disk(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        matrix[...] = np.ones((3, 4), np.uint8)


def test_blocks_are_of_bounded_size_and_keep_all_threads_busy() -> None:
    assert features_at_once(1 << 20, threads=2) == 32
    assert features_at_once(1 << 30, threads=1) == TOGETHER
    assert features_at_once(1 << 30, threads=6) == 8
    assert features_at_once(0, threads=1) >= TOGETHER
    assert read_ahead_bytes(1 << 20, 10_000, 2) == 64 << 20
    assert read_ahead_bytes(1 << 20, 3, 2) == 6 << 20


def test_bins_are_made_and_written_where_others_lie(tmp_path: Path) -> None:
    array = np.zeros((2, 5), np.uint16)
    with to_write(array) as out:
        assert out is array
    assert isinstance(new_bins_like(array, 3, 4), np.ndarray)
    matrix = FileMatrix.create(str(tmp_path), (2, 5), np.uint16)
    with to_write(matrix[:, 1:3]) as out:
        out[...] = [[1, 2], [3, 4]]
    assert np.asarray(matrix).tolist() == [[0, 1, 2, 0, 0], [0, 3, 4, 0, 0]]
    made = new_bins_like(matrix, 3, 4)
    assert (type(made), made.shape, made.dtype) == (FileMatrix, (3, 4), np.uint16)
