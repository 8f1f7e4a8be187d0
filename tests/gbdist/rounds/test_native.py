"""CatBoost trains alone: in its process, and on its GPU."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from gbdist.errors import ModelError
from gbdist.rounds.native import alone


@pytest.mark.parametrize("options", [{}, {"task_type": "GPU", "devices": "0"}], ids=["CPU", "GPU"])
def test_one_at_a_time_in_a_process(
    options: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    entered = threading.Event()

    def other() -> None:
        with alone(options, lambda: True):
            entered.set()

    thread = threading.Thread(target=other)
    with alone(options, lambda: True):
        thread.start()
        assert not entered.wait(0.05)
    thread.join(timeout=10)
    assert entered.is_set()


def test_one_at_a_time_on_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with alone({"task_type": "GPU", "devices": "0"}, lambda: True):
        (path,) = tmp_path.iterdir()
        assert path.name == f"gbdist-gpu-{os.getuid()}-3-0.lock"
        with path.open("a") as file, pytest.raises(BlockingIOError):  # as another process would find it
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_wait_ends_when_the_training_is_not_wanted_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gpu = {"task_type": "GPU", "devices": "0"}
    with alone(gpu, lambda: True):
        (path,) = tmp_path.iterdir()
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match="did not end within 3600 s"), alone(gpu, lambda: False):
            pass
    with alone({}, lambda: False):  # nothing was left locked, and nothing has to be waited for
        pass
