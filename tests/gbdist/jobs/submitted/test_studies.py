"""The study of a job is there for its next attempt, in a folder of this machine and in one that is elsewhere."""

import time
import uuid
from pathlib import Path

import optuna
import pytest

from gbdist.jobs.submitted.store import JobStore
from gbdist.jobs.submitted.studies import JOURNAL, study_of
from gbdist.selection.searching.claim import Claim


@pytest.fixture(params=["local", "elsewhere"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> JobStore:
    return JobStore(str(tmp_path) if request.param == "local" else f"memory://jobs-{uuid.uuid4().hex}", "a")


def tell(storage: optuna.storages.BaseStorage, value: float) -> None:
    study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
    study.tell(study.ask(), value)


def values(storage: optuna.storages.BaseStorage) -> list[float]:
    return [trial.value for trial in optuna.load_study(storage=storage, study_name="s").trials]


def test_the_next_attempt_finds_the_trials(store: JobStore) -> None:
    with study_of(store) as first:
        tell(first.storage, 1.0)
    with study_of(store) as second:
        assert values(second.storage) == [1.0]


def test_a_driver_that_is_lost_has_kept_the_trials_that_ended(store: JobStore) -> None:
    with study_of(store) as lost:
        tell(lost.storage, 1.0)
        lost.keep()
        kept = store.read(JOURNAL)
        tell(lost.storage, 2.0)
    if store.local is None:  # as if its worker had been killed before the last copy
        store.write(JOURNAL, kept)
    with study_of(store) as again:
        assert values(again.storage)[:1] == [1.0]
        tell(again.storage, 3.0)
        assert values(again.storage)[-1] == 3.0


def test_a_driver_that_was_lost_elsewhere_does_not_keep_its_study(store: JobStore) -> None:
    with study_of(store) as lost:
        study = optuna.create_study(storage=lost.storage, study_name="s")
        study.set_user_attr("gbdist:client", {"id": "a", "host": "another", "pid": 1, "beat": time.time(), "born": 0.0})
        lost.keep()
    with study_of(store) as again:
        claim = Claim(optuna.load_study(storage=again.storage, study_name="s"))
        claim.release()
