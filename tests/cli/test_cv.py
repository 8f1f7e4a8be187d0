"""``gbdist cv``: what it prints and writes is what ``gbdist.selection.cv`` returns."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import pandas as pd
import pytest

from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist.selection import GroupKFold, StratifiedGroupKFold, TimeSeriesSplit, cv
from gbdist_cli.cv import params_for_all, train_words

from .conftest import rows_of

PARAMS = {"loss_function": "Logloss", "iterations": 4, "depth": 3, "custom_metric": ["AUC"], "verbose": False}
TYPED = ("-p", "iterations=4", "-p", "depth=3", "-p", 'custom_metric=["AUC"]')


def fixed_bytes(path: Path) -> bytes:
    return fixed_cbm_bytes(catboost.CatBoostClassifier().load_model(path))


def test_curves_and_models_are_those_of_the_function(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str
) -> None:
    rows = rows_of(cancer)
    (tmp_path / "folds").mkdir()
    (tmp_path / "folds" / "fold-7.cbm").write_text("of a run with more folds")
    ran = run("cv", cancer, "--target", "malignant", "--weight", "importance", "--folds", 3, "--seed", 5, *TYPED,
              "--scheduler", scheduler, "--out", "curves.parquet", "--return-models", "folds", "--plot", "page.html",
              "--json")  # fmt: skip
    assert ran.code == 0, ran.stderr
    curves, models = cv((rows, "malignant", "importance"), PARAMS, seed=5, return_models=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "curves.parquet"), curves)
    names = sorted(path.name for path in (tmp_path / "folds").iterdir())
    assert names == ["fold-0.cbm", "fold-1.cbm", "fold-2.cbm"]
    for name, model in zip(names, models, strict=True):
        model.save_model(str(tmp_path / "expected.cbm"))
        assert fixed_bytes(tmp_path / "folds" / name) == fixed_bytes(tmp_path / "expected.cbm")
    found = ran.json
    assert (found["task"], found["folds"], found["trees"], found["stopped"]) == ("binary", 3, 4, "iterations")
    last = curves.iloc[-1]
    assert found["best_iteration"] == curves["test-Logloss-mean"].idxmin()
    assert found["scores"][0] == {
        "metric": "Logloss",
        "test": last["test-Logloss-mean"],
        "test_std": last["test-Logloss-std"],
        "train": last["train-Logloss-mean"],
        "train_std": last["train-Logloss-std"],
    }
    assert found["scores"][1]["train"] is None  # AUC is not computed of training rows
    assert "3:  learn Logloss " in ran.stderr
    page = (tmp_path / "page.html").read_text()
    assert found["plot"].endswith("page.html")
    assert f"<td>{curves['test-Logloss-mean'].min():.6g} ±" in page


def test_a_job_file_says_which_folds_and_what_is_typed_wins(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str
) -> None:
    (tmp_path / "job.toml").write_text(
        f'data = "{cancer}"\ntarget = "malignant"\nweight = "importance"\nfolds = 4\nshuffle = false\nstratified = false\n'
        f'scheduler = "{scheduler}"\nout = "curves.json"\n[params]\niterations = 4\ndepth = 3\nverbose = false\n'
    )
    ran = run("cv", "--config", "job.toml", "--folds", 2, "-p", "early_stopping_rounds=1", "-p", "learning_rate=1.5")
    assert ran.code == 0, ran.stderr
    expected = cv(
        (rows_of(cancer), "malignant", "importance"),
        {**PARAMS, "custom_metric": None, "learning_rate": 1.5},
        fold_count=2,
        shuffle=False,
        stratified=False,
        early_stopping_rounds=1,
    )
    written = pd.DataFrame(json.loads((tmp_path / "curves.json").read_text()))
    pd.testing.assert_frame_equal(written, expected, rtol=1e-14)
    assert "binary: 2 folds, " in ran.stdout
    assert "learn Logloss" not in ran.stderr
    assert "curves: curves.json\n" in ran.stderr
    best = expected["test-Logloss-mean"].idxmin() + 1
    options = f"--target malignant --weight importance --scheduler {scheduler}"
    params = f"-p depth=3 -p verbose=false -p learning_rate=1.5 -p iterations={best}"
    assert sorted(ran.stderr.splitlines()[-1].split()) == sorted(
        f"Next: gbdist train {cancer} {options} {params}".split()
    )


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        (
            ["--group", "user", "--seed", 2],
            {"folds": StratifiedGroupKFold(3, shuffle=True, random_state=2), "groups": "user"},
        ),
        (["--group", "user", "--no-stratified", "--no-shuffle"], {"folds": GroupKFold(3), "groups": "user"}),
        (["--ignore", "user", "--time-series"], {"folds": TimeSeriesSplit(3)}),
    ],
)
def test_folds_of_groups_and_of_times(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str, typed: list[Any], asked: dict[str, Any]
) -> None:
    rows = rows_of(cancer).assign(user=[f"u{number // 7}" for number in range(569)])
    rows.to_parquet(tmp_path / "rows.parquet")
    ran = run("cv", "rows.parquet", "--target", "malignant", "--weight", "importance", "--folds", 3, *TYPED, *typed,
              "--scheduler", scheduler, "--out", "curves.parquet", "--json")  # fmt: skip
    assert ran.code == 0, ran.stderr
    assert ran.json["features"] == 6  # groups are no feature
    groups = {name: rows[label] for name, label in asked.items() if name == "groups"}
    expected = cv((rows.drop(columns="user"), "malignant", "importance"), PARAMS, **{**asked, **groups})
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "curves.parquet"), expected)


def test_rows_must_be_in_the_order_of_a_time_that_is_no_feature(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str
) -> None:
    days = pd.date_range("2024-01-01", periods=569).date
    rows = rows_of(cancer).drop(columns="importance").assign(day=days)
    rows.to_parquet(tmp_path / "rows.parquet")
    typed = ("cv", "rows.parquet", "--target", "malignant", "--folds", 3, *TYPED, "--scheduler", scheduler, "--json")
    ran = run(*typed, "--time", "day", "--out", "curves.parquet")
    assert ran.code == 0, ran.stderr
    expected = cv((rows.drop(columns="day"), "malignant"), PARAMS, folds=TimeSeriesSplit(3))
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "curves.parquet"), expected)
    assert " --ignore day " in ran.stderr.splitlines()[-1]
    rows.iloc[[0, 2, 1, *range(3, 569)]].to_parquet(tmp_path / "rows.parquet")
    ran = run(*typed, "--time", "day")
    assert ran.code == 3
    assert ran.json["error"]["message"] == (
        "day: found 2024-01-02 in row 2, after 2024-01-03, expected times that never fall. Sort the rows by day first."
    )
    assert "learn Logloss" not in ran.stderr


def test_a_job_writes_its_page_by_itself(run: Callable[..., Any], cancer: Path) -> None:
    ran = run("job", "submit", "cv", cancer, "--target", "malignant", "--plot", "page.html")
    assert ran.code == 2
    assert "--plot='page.html' cannot be used: expected it to be left out: every such job writes a page, " in ran.stderr
    assert "result/folds.html in its folder. gbdist job result says where." in ran.stderr


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            ["--time-series", "--shuffle"],
            "--shuffle=True cannot be used: expected it to be left out where folds follow",
        ),
        (
            ["--time-series", "--inverted"],
            "--inverted=True cannot be used: expected folds that may train on what comes",
        ),
        (["--no-shuffle", "--seed", "3"], "--seed=3 cannot be used: expected folds that are drawn, and these are not."),
        (
            ["--time", "malignant"],
            "--time='malignant' cannot be used: expected a column that is neither the target nor the weight.",
        ),
        (["--time", "worst area", "--group", "g"], "Leave out --group or --time."),
        (
            ["--ignore", "worst area", "--ignore", "malignant"],
            "--ignore='malignant' cannot be used: expected a column without a use, and it is the target. Leave it out.",
        ),
        (["--task", "ranking"], "--task='ranking' cannot be used: expected a column of groups beside it."),
        (
            ["-p", "loss_function=YetiRank", "--group", "g", "--stratified"],
            "--stratified=True cannot be used: expected",
        ),
        (
            ["--out", "curves.txt"],
            "--out='curves.txt' cannot be used: expected a file that ends with .csv, .parquet, .json.",
        ),
        (["-p", "dept=3"], "dept=3 cannot be used: expected a parameter of CatBoost"),
    ],
)
def test_what_cannot_be_is_refused_before_a_worker_starts(
    run: Callable[..., Any], cancer: Path, typed: list[str], message: str
) -> None:
    ran = run("cv", cancer, "--target", "malignant", *typed)
    assert ran.code == 2
    assert message in ran.stderr
    assert "Next: gbdist cv --help\n" in ran.stderr


def test_a_folder_of_other_files_is_left_alone(run: Callable[..., Any], cancer: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    ran = run("cv", cancer, "--target", "malignant", "--return-models", "notes")
    assert ran.code == 6
    assert "notes cannot be written: it is a folder with other files in it" in ran.stderr
    ran = run("cv", cancer, "--target", "malignant", "--out", cancer / "part-0.parquet")
    assert ran.code == 6
    assert "is read and would be lost" in ran.stderr


def test_a_cross_validation_is_left_to_the_cluster(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GBDIST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GBDIST_JOBS", str(tmp_path / "jobs"))
    typed = ("cv", cancer, "--target", "malignant", "--weight", "importance", "--folds", 2, "--no-stratified", *TYPED)
    ran = run("job", "submit", *typed, "--id", "two", "--scheduler", scheduler)
    assert ran.code == 0, ran.stderr
    watched = run("job", "watch", "two")
    assert watched.code == 0, watched.stderr
    assert "two done: 4 of 4 trees, learn Logloss " in watched.stderr
    fetched = run("job", "result", "two", "--json")
    assert (fetched.json["folds"], fetched.json["trees"], fetched.json["output"]) == (2, 4, "two.parquet")
    expected = cv((rows_of(cancer), "malignant", "importance"), PARAMS, fold_count=2, stratified=False)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "two.parquet"), expected)
    models_at = fetched.json["models"]
    models = [catboost.CatBoost().load_model(path) for path in models_at]
    assert [model.tree_count_ for model in models] == [4, 4]
    told = run("job", "result", "two")
    assert [line.split()[-1] for line in told.stdout.splitlines() if "fold-" in line and ".cbm" in line] == models_at
    found = f"-p iterations={fetched.json['best_iteration'] + 1} -p learning_rate={fetched.json['learning_rate']}"
    assert told.stderr.endswith(f"Next: gbdist job submit train {cancer} --target malignant --weight importance "
                                f"-p depth=3 -p 'custom_metric=[\"AUC\"]' {found}\n")  # fmt: skip
    like = run("job", "submit", "cv", "--like", "two", "--folds", 3, "--scheduler", scheduler, "--json").json["id"]
    shown = run("job", "show", like, "--json").json["options"]
    assert (shown["folds"], shown["stratified"], shown["params"]["depth"]) == (3, False, 3)
    assert run("job", "watch", like).code == 0


def test_the_next_step_has_the_best_size_once_and_no_early_stopping() -> None:
    given = {"n_estimators": 99, "eta": 0.5, "od_wait": 3, "od_type": "Iter", "use_best_model": True, "depth": 4}
    assert params_for_all(given, 6, 0.25) == {"depth": 4, "iterations": 7, "learning_rate": 0.25}


def test_the_next_step_trains_on_all_rows_with_all_that_was_said() -> None:
    options = {"data": ["a b.csv"], "target": ["y"], "group": "g", "time": "t", "ignore": ["i"], "cat": ["c", "d"],
               "cat-nan": "none", "folds": 3,
               "params": {"iterations": 7, "loss_function": "RMSE", "custom_metric": ["R2"]}}  # fmt: skip
    params = ["-p", "iterations=7", "-p", "loss_function=RMSE", "-p", 'custom_metric=["R2"]']
    assert train_words(options, ranks=False) == [
        "gbdist", "train", "a b.csv", "--target", "y", "--ignore", "i", "--ignore", "g", "--ignore", "t",
        "--cat", "c,d", "--cat-nan", "none", *params]  # fmt: skip
    assert train_words(options, ranks=True)[5:11] == ["--ignore", "i", "--ignore", "t", "--group", "g"]
