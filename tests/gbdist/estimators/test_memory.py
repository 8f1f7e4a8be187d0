"""Freed memory is kept while a rank trains, and by whom else it is not."""

from typing import Any

import pytest

from gbdist.estimators import memory
from gbdist.estimators.memory import kept_memory

TRIM, MMAP = -1, -3


class Libc:
    """What the C library is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int] | str] = []

    def mallopt(self, option: int, value: int) -> int:
        self.told.append((option, value))
        return 1

    def malloc_trim(self, pad: int) -> int:
        self.told.append("trimmed")
        return 1


@pytest.fixture
def libc(monkeypatch: pytest.MonkeyPatch) -> Libc:
    found = Libc()
    monkeypatch.setattr(memory, "_glibc", lambda: found)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    return found


KEPT: list[Any] = [(TRIM, 1 << 30), (MMAP, 32 << 20)]
GIVEN_BACK: list[Any] = [(TRIM, 65536), (MMAP, 128 << 10), "trimmed"]


def test_memory_is_kept_until_the_last_rank_of_the_process_has_trained(libc: Libc) -> None:
    with kept_memory():
        assert libc.told == KEPT
        with kept_memory():
            pass
        assert libc.told == KEPT
    assert libc.told == KEPT + GIVEN_BACK


def test_memory_goes_back_after_an_error(libc: Libc) -> None:
    with pytest.raises(ValueError, match="stop"), kept_memory():
        raise ValueError("stop")
    assert libc.told == KEPT + GIVEN_BACK


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with kept_memory():
        assert memory._users == 0
