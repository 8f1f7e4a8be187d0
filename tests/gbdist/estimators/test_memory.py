"""While ranks train, malloc keeps what is freed and older objects are left alone; afterwards all is as before."""

import gc
import weakref

import pytest

from gbdist.estimators import memory
from gbdist.estimators.memory import kept_memory

KEPT = [("mallopt", -1, 1 << 30), ("mallopt", -3, 32 << 20)]
RESTORED = [("mallopt", -1, 128 << 10), ("mallopt", -3, 128 << 10), ("malloc_trim", 0)]


class Libc:
    """Remembers what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | int, ...]] = []

    def mallopt(self, parameter: int, value: int) -> int:
        self.asked.append(("mallopt", parameter, value))
        return 1

    def malloc_trim(self, pad: int) -> int:
        self.asked.append(("malloc_trim", pad))
        return 1


@pytest.fixture
def libc(monkeypatch: pytest.MonkeyPatch) -> Libc:
    """The C library, in an environment that sets no thresholds."""
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"):
        monkeypatch.delenv(name, raising=False)
    libc = Libc()
    monkeypatch.setattr(memory, "_glibc", lambda: libc)
    return libc


def test_memory_is_kept_until_the_context_ends(libc: Libc) -> None:
    with kept_memory():
        assert libc.asked == KEPT
    assert libc.asked == KEPT + RESTORED


def test_the_thresholds_of_the_environment_are_restored(libc: Libc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "70000")
    with kept_memory():
        pass
    assert libc.asked == [*KEPT, ("mallopt", -1, 65536), ("mallopt", -3, 70000), ("malloc_trim", 0)]


def test_the_last_user_restores_them(libc: Libc) -> None:
    """Two ranks in one process, as threads of one worker; the one that began first ends first."""
    first, second = kept_memory(), kept_memory()
    first.__enter__()
    second.__enter__()
    assert libc.asked == KEPT
    first.__exit__(None, None, None)
    assert libc.asked == KEPT
    second.__exit__(None, None, None)
    assert libc.asked == KEPT + RESTORED
    with kept_memory(), kept_memory():
        assert libc.asked == KEPT + RESTORED + KEPT
    assert libc.asked == (KEPT + RESTORED) * 2


def test_they_are_restored_after_an_error(libc: Libc) -> None:
    with pytest.raises(KeyError), kept_memory():
        raise KeyError("in training")
    assert libc.asked == KEPT + RESTORED


def test_another_malloc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        """A C library without glibc's functions."""

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: Other())
    with kept_memory():
        assert gc.get_freeze_count() > 0
    with pytest.raises(KeyError), kept_memory():
        raise KeyError("in training")
    assert gc.get_freeze_count() == 0


def test_a_system_without_such_a_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """ctypes.CDLL(None) raises TypeError on Windows."""

    def load(name: object) -> None:
        raise TypeError("bad argument type")

    monkeypatch.setattr(memory.ctypes, "CDLL", load)
    with kept_memory():
        assert gc.get_freeze_count() > 0


def test_older_objects_are_left_alone_until_the_last_user_ends(libc: Libc) -> None:
    class Node:
        """Part of a cycle."""

        def __init__(self) -> None:
            self.me = self

    older, newer = weakref.ref(Node()), None
    with kept_memory():
        with kept_memory():
            newer = weakref.ref(Node())
        gc.collect()
        assert older() is not None
        assert newer() is None
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert older() is None


def test_what_somebody_else_has_frozen_stays_frozen(libc: Libc) -> None:
    gc.freeze()
    try:
        with kept_memory():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
