"""Jobs as someone at a terminal meets them: submitted by one command, watched, fetched and called off by others."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import catboost
import pytest

from gbdist.jobs.submitted.spec import JobSpec
from gbdist.jobs.submitted.state import JobState
from gbdist.jobs.submitted.store import JobsFolder, Submission

LONG = 100_000


@pytest.fixture(autouse=True)
def no_clusters(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cluster of the user's is taken for the one that is meant."""
    monkeypatch.setenv("GBDIST_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def jobs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture
def job(run: Callable[..., Any], jobs_dir: Path) -> Callable[..., Any]:
    """Run ``gbdist job``, in this process and with the test's jobs folder."""

    def run_job(*arguments: object) -> Any:
        return run("job", *arguments, "--jobs-dir", jobs_dir)

    return run_job


@pytest.fixture
def watched(scheduler: str, job: Callable[..., Any], jobs_dir: Path, cancer: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that watches a job of its own, which has begun to grow trees."""
    job(
        "submit",
        "train",
        cancer,
        "--target",
        "malignant",
        "-p",
        f"iterations={LONG}",
        "--id",
        "long",
        "--scheduler",
        scheduler,
    )
    command = Path(sys.executable).with_name("gbdist")
    process = subprocess.Popen(
        [command, "job", "watch", "long", "--jobs-dir", jobs_dir], stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stderr is not None
    while "trees" not in (line := process.stderr.readline()):
        assert line.startswith("long ")
    yield process
    process.stderr.close()
    process.wait(10)


def test_a_training_is_left_to_the_cluster(
    gbdist: Callable[..., Any], job: Callable[..., Any], jobs_dir: Path, cancer: Path, scheduler: str, tmp_path: Path
) -> None:
    config = tmp_path / "job.toml"
    config.write_text(
        f'data = "{cancer}"\ntarget = "malignant"\nworkers = 3\noutput = "x.cbm"\n[params]\niterations = 4\n'
    )
    submit = ["submit", "train", "--config", config, "-p", "depth=3", "--id", "cancer", "--scheduler", scheduler]
    made = gbdist("job", *submit, "--jobs-dir", jobs_dir)  # a process that is gone when the job runs
    assert made.code == 0, made.stderr
    assert "not for a job on a cluster, and not used: output, workers" in made.stderr
    assert f"Next: gbdist job watch cancer --jobs-dir {jobs_dir}\n" in made.stderr
    assert "was there" not in made.stdout

    ran = job("watch", "cancer")
    assert ran.code == 0, ran.stderr
    assert re.search(r"^cancer done: 4 of 4 trees, learn Logloss ", ran.stderr, re.MULTILINE)
    again = job(*submit, "--json")
    assert (again.code, again.json["was_there"], again.json["state"]) == (0, True, "done")
    assert "job cancer is there already" in again.stderr

    shown = job("show", "canc", "--json").json
    assert (shown["id"], shown["state"], shown["options"]["params"]) == (
        "cancer",
        "done",
        {"iterations": 4, "depth": 3},
    )
    assert "cancer" in job("list").stdout
    called_off = job("cancel", "cancer")
    assert "job cancer had ended already: there was nothing to call off\n" in called_off.stderr
    (listed,) = job("list", "--json").json["jobs"]
    assert (listed["id"], listed["kind"], listed["state"]) == ("cancer", "train", "done")
    lines = [json.loads(line) for line in job("logs", "cancer", "--json").stdout.splitlines()]
    assert [line["kind"] for line in lines if line["kind"] in ("attempt", "finished", "ended")] == [
        "attempt",
        "finished",
        "ended",
    ]
    assert "training on 569 rows × 7 features" in job("logs", "cancer", "-f").stdout

    fetched = job("result", "cancer")
    assert fetched.code == 0, fetched.stderr
    assert catboost.CatBoost().load_model(str(tmp_path / "cancer.cbm")).tree_count_ == 4

    like = job("submit", "--like", "cancer", "--scheduler", scheduler, "--json").json
    assert re.fullmatch(r"train-[a-z]{6}", like["id"])
    assert job("watch", like["id"]).code == 0
    assert job("show", like["id"], "--json").json["options"] == shown["options"]
    more = job("submit", "train", "--like", "cancer", "-p", "iterations=2", "--scheduler", scheduler, "--json").json
    assert job("watch", more["id"], "--json").json["options"]["params"] == {"iterations": 2, "depth": 3}

    scored = job("submit", "predict", "cancer.cbm", cancer, "--proba", "--id", "scores", "--scheduler", scheduler)
    assert scored.code == 0, scored.stderr
    assert "scores done: 569 rows scored, 0 parts left" in job("watch", "scores").stderr
    assert job("result", "scores", "-o", "s.parquet", "--json").json["rows"] == 569
    assert dict(line.split()[:2] for line in job("show", "scores").stdout.splitlines()[1:4]) == {
        "id": "scores",
        "kind": "predict",
        "state": "done",
    }
    assert re.search(r"^ predicts +probability", job("show", "scores").stdout, re.MULTILINE)
    refused = job("submit", "train", "--like", "scores", "--scheduler", scheduler)
    assert (refused.code, "a job of the kind train, and it is one of predict" in refused.stderr) == (2, True)


def test_ctrl_c_leaves_the_job_running(watched: subprocess.Popen[str], job: Callable[..., Any]) -> None:
    watched.send_signal(signal.SIGINT)
    assert watched.stderr is not None
    said = watched.stderr.read()
    assert (watched.wait(30), "Error: stopped watching with Ctrl-C; job long goes on\n" in said) == (130, True)
    assert "Next: gbdist job watch long" in said
    assert job("show", "long", "--json").json["state"] == "running"
    early = job("result", "long")
    assert early.code == 21
    assert "job long has no result yet: it is running" in early.stderr
    called_off = job("cancel", "long", "--json")
    assert called_off.json == {"id": "long", "state": "cancelled"}
    assert "Next: gbdist job resume long" in called_off.stderr
    assert (job("watch", "long").code, job("result", "long").code) == (23, 23)


def test_what_the_driver_finds_wrong(
    job: Callable[..., Any], cancer: Path, scheduler: str, run: Callable[..., Any]
) -> None:
    job("submit", "train", cancer, "--target", "benign", "--id", "wrong", "--scheduler", scheduler)
    ran = job("watch", "wrong")
    assert ran.code == 22
    here = run("train", cancer, "--target", "benign", "--scheduler", scheduler)
    assert here.code == 3
    text = here.stderr.splitlines()[0].removeprefix("Error: ")
    assert f"Error: job wrong failed: {text}" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "Traceback" in job("logs", "wrong").stdout
    assert text in re.sub(r"\s+", " ", job("show", "wrong", "--json").stdout.replace('\\"', '"'))


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["show", "nowhere"], 20, "there is no job 'nowhere' in "),
        (["result", "lost"], 24, "job lost is lost: its cluster is gone, or does not know it any more. Go on"),
        (["watch", "lost"], 24, "job lost is lost"),
        (
            ["submit"],
            2,
            "KIND is missing: expected the word train, cv, tune or predict, or --like ID. For example: gbdist job",
        ),
        (["submit", "--id", "a/b", "train", "a.csv", "--target", "y"], 2, "--id='a/b' cannot"),
        (["submit", "train", "--target", "y"], 2, "DATA is missing"),
        (["submit", "train", "a.csv", "--target", "y", "-p", "depht=1"], 2, "Did you mean"),
        (
            ["submit", "train", "a.csv", "--target", "y", "--id", "a/b", "--scheduler", "tcp://127.0.0.1:1"],
            2,
            "--id='a/b' cannot",
        ),
        (["submit", "train", "a.csv", "--target", "y"], 4, "No cluster runs. Start one with: gbdist cluster up"),
    ],
)
def test_errors_say_what_to_do(
    run: Callable[..., Any], tmp_path: Path, arguments: list[str], code: int, text: str
) -> None:
    store = JobsFolder(f"{tmp_path}/jobs").job("lost")
    store.write_submission(Submission(JobSpec("train", {}), 0.0, "0"))
    store.write_state(JobState("running", 1, scheduler={"address": "tcp://127.0.0.1:1", "id": "s"}))
    ran = run("job", *arguments, "--jobs-dir", f"{tmp_path}/jobs")
    assert (ran.code, text in ran.stderr) == (code, True), ran.stderr
    assert "Next: gbdist " in ran.stderr


def test_a_jobs_folder_that_cannot_be_used(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = run("job", "submit", "train", "a.csv", "--target", "y", "--jobs-dir", f"{tmp_path}/file/jobs")
    assert (ran.code, "file/jobs cannot be written: Not a directory. Choose another jobs folder" in ran.stderr) == (
        6,
        True,
    )


def test_no_jobs(run: Callable[..., Any], tmp_path: Path) -> None:
    ran = run("job", "list", "--jobs-dir", tmp_path, "--json")
    assert (ran.code, ran.json) == (0, {"jobs": []})
    ran = run("job", "list", "--jobs-dir", tmp_path)
    assert (ran.code, ran.stdout.splitlines()) == (0, [f"no jobs in {tmp_path}"])
    assert ran.stderr == f"Next: gbdist job submit train DATA --target COL --jobs-dir {tmp_path}\n"


def test_options_before_the_kind_count_and_those_behind_it_win(run: Callable[..., Any], tmp_path: Path) -> None:
    """The first two jobs are looked for in one folder and the third in another; none is there."""
    submit = ["job", "submit", "--jobs-dir", f"{tmp_path}/one"]
    for ran, folder in (
        (run(*submit, "--like", "x", "train"), "one"),
        (run(*submit, "predict", "--like", "x"), "one"),
        (run(*submit, "--like", "x", "train", "--jobs-dir", f"{tmp_path}/two"), "two"),
    ):
        assert ran.code == 20
        assert f"there is no job 'x' in {tmp_path}/{folder}. See" in ran.stderr


@pytest.mark.parametrize(
    "command", ["", "submit", "submit train", "submit predict", "list", "show", "logs", "watch", "cancel"]
)
def test_help_has_examples(run: Callable[..., Any], command: str) -> None:
    ran = run("job", *command.split(), "--help")
    assert ran.code == 0
    assert "Examples" in ran.stdout
    assert f"gbdist job {command}".strip() in ran.stdout
