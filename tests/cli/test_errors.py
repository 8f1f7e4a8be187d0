"""Every error says what was wrong and what to type next, and ends with the code that the documents give it."""

import gc
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gbdist.errors import ClusterError, DataError, ModelError, ParameterError
from gbdist.jobs.submitted.errors import JobError, JobFailed, StillRunning
from gbdist_cli.errors import exit_codes, next_step
from gbdist_cli.main import press_again, report
from gbdist_cli.output import out

DOCUMENT = Path(__file__).parents[2] / "docs/cli.md"


def test_unknown_parameter_suggests_the_nearest(run: Callable[..., Any], cancer: Path) -> None:
    ran = run("train", cancer, "--target", "malignant", "--param", "dept=3")
    assert ran.code == 2
    assert ran.stdout == ""
    assert ran.stderr == (
        "Error: dept=3 cannot be used: expected a parameter of CatBoost. Did you mean depth?\nNext: gbdist train --help\n"
    )


def test_missing_target_column_lists_the_columns(run: Callable[..., Any], cancer: Path) -> None:
    ran = run("train", cancer, "--target", "malign")
    assert ran.code == 3
    assert ran.stderr == (
        f"Error: {cancer}/part-0.parquet: found no column 'malign', expected every column that is asked for. "
        "Did you mean 'malignant'? Its columns: 'mean radius', 'mean texture', 'mean perimeter', 'mean area', "
        "'mean smoothness', 'mean compactness', 'malignant', 'importance'.\n"
        f"Next: correct this, then: gbdist train {cancer} --target malign\n"
    )


def test_missing_file_is_named_and_an_error_is_json_where_asked(run: Callable[..., Any]) -> None:
    ran = run("train", "no.parquet", "--target", "y", "--json")
    assert ran.code == 3
    assert ran.json["exit_code"] == 3
    assert ran.json["error"]["type"] == "DataError"
    assert ran.json["error"]["message"].startswith("no.parquet: found no such file, expected Parquet")
    assert ran.json["error"]["next"] == "correct this, then: gbdist train no.parquet --target y --json"


def test_output_is_checked_before_anything_is_read(run: Callable[..., Any], tmp_path: Path) -> None:
    ran = run("train", "no.parquet", "--target", "y", "-o", "no/model.cbm")
    assert ran.code == 6
    assert ran.stderr.splitlines()[0] == (
        f"Error: no/model.cbm cannot be written: the folder {tmp_path}/no does not exist. Make it with: mkdir -p {tmp_path}/no"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train"],
            "DATA is missing: expected a file, a folder or a pattern. "
            "For example: gbdist train sales.parquet --target price",
        ),
        (["train", "a.csv"], "--target is missing: expected the column to learn. For example: --target price"),
        (
            ["train", "a.csv", "--target", "y", "--param", "depth"],
            "--param='depth' cannot be used: expected name=value. For example: --param depth=8",
        ),
        (
            ["train", "a.csv", "--target", "y", "--cat", "shop,,city"],
            "--cat='shop,,city' cannot be used: expected names of columns with commas between. For example: --cat shop,city",
        ),
        (
            ["train", "a.csv", "--target", "y", "--scheduler", "tcp://a:1", "--workers", "2"],
            "--workers=2 cannot be used: expected no size for a cluster that runs already. "
            "Leave out --workers or --scheduler.",
        ),
        (
            ["predict", "m.cbm", "a.csv", "--raw", "--proba"],
            "--raw=True cannot be used: expected one kind of prediction. Leave out --raw or --proba.",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(run: Callable[..., Any], arguments: list[str], message: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.stderr == f"Error: {message}\nNext: gbdist {arguments[0]} --help\n"


def test_unknown_option_ends_with_usage(run: Callable[..., Any]) -> None:
    ran = run("train", "--taget", "y")
    assert ran.code == 2
    assert "--help" in ran.stderr


@pytest.mark.parametrize(
    ("error", "code", "following"),
    [
        (ParameterError("depth", 99, "at most 16", "Use depth=16."), 2, "gbdist train --help"),
        (DataError("column 'a'", "text", "numbers", "Drop it."), 3, "correct this, then: gbdist train 'my data'"),
        (ClusterError("no workers", "Start some."), 4, "gbdist train 'my data' --debug"),
        (ModelError("empty model", "Train it."), 5, "gbdist train --help"),
        (ZeroDivisionError("by zero"), 1, "gbdist train 'my data' --debug"),
        (KeyboardInterrupt(), 130, "gbdist train 'my data'"),
    ],
)
def test_every_kind_of_error_has_its_code_and_next_step(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, following: str
) -> None:
    out.start(["train", "my data"])
    assert report(error, "train") == code
    written = capsys.readouterr()
    assert written.err.splitlines()[-1] == f"Next: {following}"
    assert "Traceback" not in written.err
    assert written.out == ""


@pytest.mark.parametrize(
    ("error", "typed", "following"),
    [
        (ClusterError("None", "Start one with: gbdist cluster up, or name one."), "job list", "gbdist cluster up"),
        (
            ClusterError("One", "Stop it with: gbdist cluster down a, or: gbdist cluster up B."),
            "x",
            "gbdist cluster up B",
        ),
        (ClusterError("One", "See: gbdist cluster status"), "cluster down", "gbdist cluster status"),
        (
            ModelError("none", "Train one with: gbdist train DATA -o m.cbm"),
            "report m.cbm",
            "gbdist train DATA -o m.cbm",
        ),
        (
            JobFailed("x failed", "See: gbdist job logs x. Go on: gbdist job resume x"),
            "job watch x",
            "gbdist job logs x",
        ),
        (JobError("no job", "Type more of the id."), "job show x --jobs-dir=/j", "gbdist job list --jobs-dir=/j"),
        (
            JobError("no job", "See: gbdist job list"),
            "job show x --tls c --jobs-dir /j",
            "gbdist job list --jobs-dir /j --tls c",
        ),
        (StillRunning("x"), "job watch x --jobs-dir /j", "gbdist job watch x --jobs-dir /j"),
        (
            ParameterError("--id", "a/b", "letters", "For example: --id ab"),
            "job submit --jobs-dir /j",
            "gbdist job submit --help",
        ),
    ],
)
def test_next_step_is_what_the_error_says_itself_where_this_command_looked(
    error: BaseException, typed: str, following: str
) -> None:
    assert next_step(error, "job submit", typed.split()) == following


def test_ctrl_c_while_garbage_is_collected_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_phase: str, _info: object) -> None:
        gc.callbacks.remove(interrupted)
        raise KeyboardInterrupt

    def collect_and_work() -> None:
        gc.collect()
        threading.Event().wait(60)

    monkeypatch.setattr(sys, "unraisablehook", press_again)
    gc.callbacks.append(interrupted)
    with pytest.raises(KeyboardInterrupt):
        collect_and_work()


def test_traceback_is_shown_where_asked(run: Callable[..., Any]) -> None:
    ran = run("train", "no.parquet", "--target", "y", "--debug")
    assert ran.code == 3
    assert "Traceback" in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("Next: ")


def test_documents_list_every_exit_code() -> None:
    rows = [f"| {code} | {meaning} |" for code, meaning in exit_codes()]
    text = DOCUMENT.read_text()
    assert [row for row in rows if row not in text] == []
