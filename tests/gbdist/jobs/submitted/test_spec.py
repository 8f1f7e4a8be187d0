"""What a job does: the same whoever says it, and told apart from another one."""

import re
from pathlib import Path
from typing import Any

import pytest

from gbdist.errors import DataError, ParameterError
from gbdist.jobs.submitted.kinds import kind_of, make_spec
from gbdist.jobs.submitted.spec import JobSpec, differences, new_id, require_valid_id

TRAIN = {"data": ["/data"], "target": ["y"], "params": {"depth": 4}}


def test_paths_are_whole_and_what_is_not_the_jobs_is_left_out(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {**TRAIN, "data": ["sales", "s3://bucket/sales"], "eval": ["/e"], "snapshot": "run", "weight": None}
    made = make_spec("train", {**given, "output": "model.cbm", "workers": 2, "scheduler": "tcp://a:1", "cat": []})
    assert made == JobSpec(
        "train",
        {
            "data": [f"{tmp_path}/sales", "s3://bucket/sales"],
            "target": ["y"],
            "eval": ["/e"],
            "snapshot": f"{tmp_path}/run",
            "params": {"depth": 4},
        },
    )


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (
            "boost",
            TRAIN,
            "kind='boost' cannot be used: expected one of train, cv, tune, predict. Name one of these, or use a later gbdist.",
        ),
        ("train", {**TRAIN, "target": []}, "--target is missing: expected the column to learn."),
        ("train", {**TRAIN, "params": {"depht": 4}}, "depht=4 cannot be used"),
        (
            "train",
            {**TRAIN, "ignore": ["y"]},
            "--ignore='y' cannot be used: expected a column without a use, and it is the target.",
        ),
        (
            "train",
            {**TRAIN, "params": {"loss_function": object}},
            "loss_function=<class 'object'> cannot be used: expected a number, a text, a list of these, or a table: a job is "
            "kept as JSON. Train with fit and a client for objects of your own.",
        ),
        ("predict", {"model": "m.cbm"}, "DATA=None cannot be used: expected a file, a folder or a pattern."),
        ("predict", {"model": "m.cbm", "data": ["a"], "kind": "odds"}, "kind='odds' cannot be used"),
    ],
)
def test_what_cannot_be_a_job_is_refused(kind: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}"):
        make_spec(kind, options)


@pytest.mark.parametrize(
    "params",
    [
        {"snapshot_interval": 5},
        {"save_snapshot": False},
        {"aggregate": "models"},
        {"save_snapshot": True, "snapshot_file": "a"},
    ],
)
def test_what_is_said_of_snapshots_is_what_the_driver_trains_with(params: dict[str, Any]) -> None:
    assert make_spec("train", {**TRAIN, "params": params}).options["params"] == params


def test_equal_jobs_of_one_folder_have_one_digest() -> None:
    spec = make_spec("train", TRAIN)
    turned = make_spec("train", dict(reversed(list(TRAIN.items()))))
    assert spec.digest("/jobs") == turned.digest("/jobs")
    assert spec.digest("/jobs") != spec.digest("/other")
    assert spec.digest("/jobs") != make_spec("train", {**TRAIN, "params": {"depth": 5}}).digest("/jobs")


def test_differences_are_told_by_name() -> None:
    there = JobSpec("train", {**TRAIN, "weight": "w", "params": {"depth": 5, "ctr": "x" * 100}})
    assert differences(JobSpec("train", TRAIN).as_text("/jobs"), there.as_text("/other")) == [
        'jobs-dir is "/other" there, "/jobs" here',
        "parameter depth is 5 there, 4 here",
        f'parameter ctr is "{"x" * 58}… there, not given here',
        'weight is "w" there, not given here',
    ]


def test_new_ids_can_be_typed_and_are_free() -> None:
    class Taken(list[str]):
        """Says of the first id that somebody has it."""

        asked = 0

        def __contains__(self, job_id: object) -> bool:
            self.asked += 1
            self.append(str(job_id))
            return self.asked == 1

    taken = Taken()
    job_id = new_id("train", taken)
    assert re.fullmatch(r"train-[a-z]{6}", job_id)
    assert taken[1] == job_id != taken[0]
    require_valid_id(job_id)


@pytest.mark.parametrize("job_id", ["", ".hidden", "a/b", "a" * 65, "ä", "a b", "-p"])
def test_ids_that_are_no_names_of_folders_are_refused(job_id: str) -> None:
    with pytest.raises(ParameterError, match=r"^--id="):
        require_valid_id(job_id)


def test_eval_data_may_be_of_another_format_than_the_training_data(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.parquet", "b.csv", "c.parquet", "model.cbm")]
    for path in paths:
        path.touch()
    parquet, csv, more, model = map(str, paths)
    reads = kind_of("train").reads({**TRAIN, "data": [parquet], "eval": [csv]})
    reads.require_data()
    assert reads.names == [parquet, csv]
    with pytest.raises(DataError, match="both Parquet and CSV"):
        kind_of("train").reads({**TRAIN, "data": [parquet, csv]}).require_data()
    scored = kind_of("predict").reads({"model": model, "data": [parquet, more]})
    scored.require_data()
    assert scored.names == [model, parquet, more]
