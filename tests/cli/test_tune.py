"""``gbdist tune``: what it finds is what ``DaskSearchCV`` finds, and a study goes on where it was ended."""

import json
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import catboost
import pandas as pd
import pytest

from gbdist import DaskCatBoostClassifier
from gbdist.jobs.tune import SearchStopped, TuneJob, place_of
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist.selection import DaskSearchCV, StratifiedKFold
from gbdist_cli.errors import next_step

from .conftest import rows_of

SPACE = """
score_function = ["Cosine", "L2"]
[depth]
low = 2
high = 4
[learning_rate]
low = 0.05
high = 0.5
log = true
"""
TYPED = ("--target", "malignant", "--space", "space.toml", "--scoring", "roc_auc", "--folds", 2, "--seed", 3,
         "-p", "iterations=3")  # fmt: skip


@pytest.fixture(autouse=True)
def space(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text(SPACE)


@pytest.fixture(scope="module")
def expected(cancer: Path) -> DaskSearchCV:
    """The search in this process, without a cluster."""
    rows = rows_of(cancer)
    search = DaskSearchCV(
        DaskCatBoostClassifier(iterations=3, loss_function="Logloss"),
        tomllib.loads(SPACE),
        n_trials=4,
        scoring="roc_auc",
        cv=StratifiedKFold(2, shuffle=True, random_state=3),
        random_state=3,
    )
    return search.fit(rows.drop(columns="malignant"), rows["malignant"])


def test_what_is_found_and_written(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str, expected: DaskSearchCV
) -> None:
    ran = run("tune", cancer, *TYPED, "--trials", 4, "--scheduler", scheduler,
              "--out", "trials.csv", "--params-out", "best.toml", "--plot", "study.html", "--json")  # fmt: skip
    assert ran.code == 0, ran.stderr
    found = ran.json
    assert (found["task"], found["trials"], found["trees"]) == ("binary", {"complete": 4}, 3)
    assert (found["best_trial"], found["best_score"]) == (expected.best_index_, expected.best_score_)
    assert found["best_params"] == expected.best_params_
    assert ran.stderr.count(" complete: score 0.") == 4
    table = pd.read_csv(tmp_path / "trials.csv")
    assert table["trial"].tolist() == [0, 1, 2, 3]
    assert table["param_depth"].tolist() == expected.cv_results_["param_depth"].tolist()
    assert table["mean_test_score"].tolist() == pytest.approx(
        expected.cv_results_["mean_test_score"].tolist(), rel=1e-14
    )
    assert f"{expected.best_score_:.6g}, trial {expected.best_index_}" in (tmp_path / "study.html").read_text()
    model = catboost.CatBoostClassifier().load_model(tmp_path / "best.cbm")
    assert run("train", "--config", "best.toml", "--scheduler", scheduler, "-o", "again.cbm").code == 0
    again = catboost.CatBoostClassifier().load_model(tmp_path / "again.cbm")
    assert fixed_cbm_bytes(again) == fixed_cbm_bytes(model)


def test_a_study_goes_on_where_it_was_stopped(
    run: Callable[..., Any],
    cancer: Path,
    tmp_path: Path,
    scheduler: str,
    expected: DaskSearchCV,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed = ("tune", cancer, *TYPED, "--trials", 4, "--scheduler", scheduler, "--jobs", 1, "--study", "mine")

    heard: list[Any] = []

    @contextmanager
    def shown() -> Iterator[Any]:
        def told(trials: Any, ended: Any) -> None:
            heard.append(trials.summary(9))
            if trials.ended == 2 and heard[-1]["running"]:
                raise KeyboardInterrupt

        yield told

    with monkeypatch.context() as patched:
        patched.setattr("gbdist_cli.tune.shown", shown)
        ran = run(*typed)
    assert ran.code == 130
    assert [row["state"] for row in heard[-1]["rows"]] == ["complete", "complete", "stopped"]
    assert (
        "Error: stopped with Ctrl-C after 2 trials; study 'mine' in best.study has them, and goes on from there\n"
        in ran.stderr
    )
    assert f"Next: gbdist tune {cancer} --target malignant " in ran.stderr
    ran = run(*typed, "--json")
    assert ran.code == 0, ran.stderr
    assert [line.split()[1] for line in ran.stderr.splitlines() if line.startswith("trial ")] == ["2", "3"]
    assert (ran.json["study"], ran.json["trials"]) == ("mine", {"complete": 4})
    assert ran.json["best_params"] == expected.best_params_
    over = run(*typed)
    assert "study mine has 4 of 4 trials: nothing to search\n" in over.stderr
    assert "trial 3 complete" not in over.stderr
    other = run("tune", cancer, *TYPED, "--trials", 5, "--scheduler", scheduler, "--study", "mine", "-p", "depth=3")
    assert other.code == 2
    assert "--param depth=3 cannot be used: expected what is not searched for" in other.stderr


def test_rows_of_a_search_must_be_in_the_order_of_a_time(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str
) -> None:
    rows = rows_of(cancer)
    rows = rows.assign(day=pd.date_range("2024-01-01", periods=len(rows)))
    typed = ("tune", "rows.parquet", *TYPED, "--time", "day", "--trials", 1, "--scheduler", scheduler)
    rows[::-1].to_parquet(tmp_path / "rows.parquet")
    ran = run(*typed)
    assert ran.code == 3
    assert "expected times that never fall. Sort the rows by day first." in ran.stderr
    assert not (tmp_path / "best.study").exists()
    rows.to_parquet(tmp_path / "rows.parquet")
    ran = run(*typed, "--params-out", "best.toml")
    assert ran.code == 0, ran.stderr
    assert "day" not in catboost.CatBoost().load_model(str(tmp_path / "best.cbm")).feature_names_
    assert "day" in tomllib.loads((tmp_path / "best.toml").read_text())["ignore"]


def test_a_search_is_left_to_the_cluster(
    run: Callable[..., Any],
    cancer: Path,
    tmp_path: Path,
    scheduler: str,
    expected: DaskSearchCV,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GBDIST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GBDIST_JOBS", str(tmp_path / "jobs"))
    ran = run("job", "submit", "tune", cancer, *TYPED, "--trials", 4, "--id", "four", "--scheduler", scheduler)
    assert ran.code == 0, ran.stderr
    watched = run("job", "watch", "four")
    assert watched.code == 0, watched.stderr
    assert "four done: 4 of 4 trials, best " in watched.stderr
    fetched = run("job", "result", "four", "--json")
    assert (fetched.json["output"], fetched.json["best_params"]) == ("four.cbm", expected.best_params_)
    assert catboost.CatBoost().load_model(str(tmp_path / "four.cbm")).tree_count_ == 3
    assert pd.read_parquet(fetched.json["trials_table"])["state"].tolist() == ["complete"] * 4
    assert tomllib.loads(Path(fetched.json["job_file"]).read_text())["params"]["iterations"] == 3
    logged = [json.loads(line) for line in run("job", "logs", "four", "--json").stdout.splitlines()]
    assert sorted(line["trial"]["number"] for line in logged if line["kind"] == "trial") == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("depht = [4, 6]\n", "space: depht=4 cannot be used: expected a parameter of CatBoost. Did you mean depth?"),
        ("[depth]\nlow = 8\nhigh = 4\n", "expected a range that is not empty, low=8 up to high"),
        ("[depth]\nlow = 4\nhigh = 40\n", "depth=40 cannot be used"),
        (
            "depth = 6\n",
            "space.toml:1: depth = 6 cannot be used. For example: depth = [6], or a table [depth] with low",
        ),
        ("[depth\n", "space.toml:1: is not TOML"),
        ("", "space.toml: is empty. Say for each parameter what it may be, for example: depth = [4, 6, 8]"),
    ],
)
def test_a_space_that_cannot_be_is_refused_before_a_worker_starts(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, space: str, message: str
) -> None:
    (tmp_path / "space.toml").write_text(space)
    ran = run("tune", cancer, "--target", "malignant", "--space", "space.toml")
    assert ran.code == 2
    assert message in ran.stderr
    assert "Next: gbdist tune --help\n" in ran.stderr


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--search", "radnom", "search='radnom' cannot be used: expected one of 'grid', 'random'"),
        ("--search", "cmaes", "expected a range of numbers with search='cmaes'"),
        ("--pruner", "mean", "pruner='mean' cannot be used: expected one of 'median', 'halving'"),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_a_worker_starts(
    run: Callable[..., Any],
    cancer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    value: str,
    message: str,
) -> None:
    monkeypatch.delattr("gbdist.jobs.cluster.workers_for")
    (tmp_path / "space.toml").write_text("depth = [4, 6]\n")
    ran = run("tune", cancer, "--target", "malignant", "--space", "space.toml", option, value)
    assert ran.code == 2
    assert message in ran.stderr


def test_a_file_that_is_no_study_is_refused_before_a_worker_starts(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("gbdist.jobs.cluster.workers_for")
    (tmp_path / "lines.json").write_text('{"a": 1}\n')
    for path in (next(cancer.iterdir()), tmp_path / "space.toml", tmp_path / "lines.json"):
        before = path.read_bytes()
        ran = run("tune", cancer, *TYPED, "--storage", path)
        assert ran.code == 2
        assert f"--storage={str(path)!r} cannot be used: expected a file that a study is kept in" in ran.stderr
        assert path.read_bytes() == before


def test_a_password_is_told_nowhere(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GBDIST_HOME", str(tmp_path / "home"))
    url = "nosuch://me:secret@host/db"
    for words in (["tune"], ["job", "submit", "tune"]):
        ran = run(*words, cancer, *TYPED, "--storage", url, "--debug")
        assert ran.code == 2
        assert "='nosuch://me:***@host/db' cannot be used: expected a URL " in ran.stderr
        assert "secret" not in ran.stderr + ran.stdout
    stopped = SearchStopped("s", place_of(TuneJob(data=("d",), target="t", storage=url)), 1)
    assert str(stopped) == (
        "stopped with Ctrl-C after 1 trial; study 's' in nosuch://me:***@host/db has it, and goes on from there"
    )
    assert next_step(stopped, "tune", ["tune", "d", "--storage", url]) == (
        "gbdist tune d --storage 'nosuch://me:***@host/db'"
    )


def test_folds_that_the_data_cannot_have_are_one_error(run: Callable[..., Any], cancer: Path, scheduler: str) -> None:
    ran = run("tune", cancer, *TYPED, "--folds", 100_000, "--scheduler", scheduler)
    assert ran.code == 3
    assert "expected at least as many as folds, n_splits=100000" in ran.stderr
    assert "trial 0" not in ran.stderr


def test_without_optuna_it_is_said_how_to_install_it(
    run: Callable[..., Any], cancer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gbdist.jobs.tune.find_spec", lambda name: None)
    ran = run("tune", cancer, "--target", "malignant", "--space", "space.toml")
    assert ran.code == 2
    assert "expected Optuna, whose samplers draw the trials, to be installed. Install it: pip install " in ran.stderr
