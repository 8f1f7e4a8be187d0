"""Whole runs, as a user types them: what is trained, written and printed, and how a run is stopped."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist_cli.output import readable


def test_train_and_predict_with_workers_of_their_own(gbdist: Callable[..., Any], cancer: Path, tmp_path: Path) -> None:
    ran = gbdist("train", cancer, "--target", "malignant", "--weight", "importance", "--workers", 2, "--threads", 1,
                 "-p", "iterations=20", "-o", "cancer.cbm", "--json")  # fmt: skip
    assert ran.code == 0, ran.stderr
    result = ran.json
    assert (result["task"], result["features"], result["trees"], result["workers"]) == ("binary", 6, 20, 2)
    assert "gbdist predict cancer.cbm NEW_DATA" in ran.stderr
    assert "Traceback" not in ran.stderr
    ran = gbdist("predict", "cancer.cbm", cancer, "--proba", "-o", "scores.parquet")
    assert ran.code == 0, ran.stderr
    assert "predictions written" in ran.stdout
    rows = pd.concat([pd.read_parquet(part) for part in sorted(cancer.iterdir())])
    model = catboost.CatBoostClassifier().load_model(tmp_path / "cancer.cbm")
    expected = model.predict_proba(rows[model.feature_names_])
    written = pd.read_parquet(tmp_path / "scores.parquet")
    assert list(written.columns) == ["probability_no", "probability_yes"]
    assert written.to_numpy().tolist() == expected.tolist()
    assert ((written["probability_yes"] > 0.5) == (rows["malignant"] == "yes").to_numpy()).mean() > 0.9


def test_columns_that_are_not_numbers(run: Callable[..., Any], tmp_path: Path, scheduler: str) -> None:
    color = ["red", "green", "blue", "green"] * 300
    table = pd.DataFrame({"color": color, "note": [f"{one} or so" for one in color], "shop": range(1_200)})
    table.assign(y=[int(one == "green") for one in color]).to_csv(tmp_path / "data.csv", index=False)
    ran = run("train", "data.csv", "--target", "y", "--eval", "data.csv", "--scheduler", scheduler, "--json",
              "-p", "aggregate=models", "-p", "merge=best", "-p", "iterations=20", "-p", "verbose=false",
              "-p", 'cat_features=["color", "shop"]', "-p", 'text_features=["note"]')  # fmt: skip
    assert ran.code == 0, ran.stderr
    assert ran.json["features"] == 3
    assert "Next: gbdist predict model.cbm NEW_DATA" in ran.stderr
    model = catboost.CatBoostClassifier().load_model(tmp_path / "model.cbm")
    assert (model.get_cat_feature_indices(), model.get_text_feature_indices()) == ([0, 2], [1])
    assert (model.predict(table[["color", "note", "shop"]]) == (table["color"] == "green")).all()
    assert run("predict", "model.cbm", "data.csv", "-o", "out.parquet").code == 0
    assert (pd.read_parquet(tmp_path / "out.parquet")["prediction"] == (table["color"] == "green")).all()
    ran = run("train", "data.csv", "--target", "y", "--scheduler", scheduler, "-p", 'cat_features=["color"]')
    assert ran.code == 3
    assert "column 'note': found text, expected numbers" in ran.stderr


def test_a_run_goes_on_from_its_snapshot(run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str) -> None:
    job = ("train", cancer, "--target", "malignant", "--scheduler", scheduler)
    kept = (*job, "--snapshot", "runs/it's $HOME")
    assert run(*kept, "-p", "iterations=4", "-p", "learning_rate=0.1").code == 0
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["it's $HOME.000001"]
    ran = run(*kept, "-p", "iterations=9", "-p", "learning_rate=0.1", "--json")
    assert ran.code == 0
    assert ran.json["trees"] == 9
    assert "going on from 4 trees of " in ran.stderr.replace("\n", " ")
    whole = run(*job, "-p", "iterations=9", "-p", "learning_rate=0.1", "-o", "whole.cbm")
    assert whole.code == 0
    models = [catboost.CatBoostClassifier().load_model(tmp_path / name) for name in ("model.cbm", "whole.cbm")]
    assert fixed_cbm_bytes(models[0]) == fixed_cbm_bytes(models[1])
    ran = run(*kept, "-p", "iterations=9", "-p", "learning_rate=0.2")
    assert ran.code == 7
    assert ran.stderr.endswith(
        "it's $HOME.000002: found a snapshot of another run (learning_rate: 0.1 in the snapshot, 0.2 here), expected one of "
        "this run. Train with the same parameters and data to go on from it, or give another snapshot_file to begin anew.\n"
        "Next: gbdist train --help\n"
    )
    ran = run(*kept, "-p", "snapshot_file=other")
    assert ran.code == 2
    assert ran.stderr.splitlines()[0] == (
        'Error: snapshot="runs/it\'s $HOME" cannot be used: expected it in one place, and the parameter '
        "snapshot_file='other' is given too. Leave out one of the two."
    )


def test_rows_are_ranked_in_groups(run: Callable[..., Any], tmp_path: Path, scheduler: str) -> None:
    table = pd.DataFrame({"a": [i % 7 for i in range(600)], "query": [f"q{i // 10}" for i in range(600)]})
    table = table.assign(relevance=table["a"] % 3 / 2)
    for name, rows in (("train.parquet", table[:400]), ("eval.parquet", table[400:])):
        rows.to_parquet(tmp_path / name)
    job = ("train", "train.parquet", "--target", "relevance", "--group", "query", "--eval", "eval.parquet",
           "--scheduler", scheduler, "-p", "iterations=5", "-p", "eval_metric=NDCG:top=3",
           "-p", "use_best_model=false", "-p", "verbose=false", "--json")  # fmt: skip
    ran = run(*job)
    assert ran.code == 0, ran.stderr
    assert (ran.json["task"], ran.json["features"], ran.json["trees"]) == ("ranking", 1, 5)
    assert set(ran.json["best_score"]["validation"]) == {"NDCG:top=3;type=Base", "PFound"}
    assert "task: ranking\n" in ran.stderr
    model = catboost.CatBoostRanker().load_model(tmp_path / "model.cbm")
    assert run("predict", "model.cbm", "eval.parquet", "-o", "out.parquet").code == 0
    written = pd.read_parquet(tmp_path / "out.parquet")["prediction"]
    assert written.tolist() == model.predict(table[["a"]][400:]).tolist()
    planned = run(*job, "--dry-run")
    assert (planned.json["task"], planned.json["features"], planned.json["rows"]) == ("ranking", 1, 400)
    ran = run("train", "train.parquet", "--target", "relevance", "--group", "query", "-p", "loss_function=RMSE")
    assert ran.code == 2
    assert "loss_function='RMSE' cannot be used: expected 'YetiRank' or 'QueryRMSE'" in ran.stderr


def test_job_file_on_a_cluster_that_runs_already(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str
) -> None:
    (tmp_path / "job.toml").write_text(
        f'data = "{cancer}/part-[01].parquet"\neval = ["{cancer}/part-2.parquet"]\ntarget = "malignant"\n'
        f'weight = "importance"\nscheduler = "{scheduler}"\noutput = "typed-wins.cbm"\n'
        "[params]\niterations = 400\nlearning_rate = 0.3\nearly_stopping_rounds = 5\n"
    )
    ran = run("train", "--config", "job.toml", "-o", "model.cbm", "--json", "-p", "depth=3", "-p", "verbose=false")
    assert ran.code == 0, ran.stderr
    result = ran.json
    assert result["best_score"].keys() == {"learn", "validation"}
    assert result["trees"] == result["best_iteration"] + 1 < 400
    model = catboost.CatBoost().load_model(tmp_path / "model.cbm")
    assert model.tree_count_ == result["trees"]
    assert "importance" not in model.feature_names_
    assert not (tmp_path / "typed-wins.cbm").exists()


def test_models_of_the_workers_are_merged(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str
) -> None:
    ran = run("train", cancer, "--target", "malignant", "--weight", "importance", "--scheduler", scheduler,
              "-p", "iterations=20", "-p", "aggregate=models", "-p", "merge=bagging", "--json")  # fmt: skip
    assert ran.code == 0, ran.stderr
    model = catboost.CatBoost().load_model(tmp_path / "model.cbm")
    assert model.tree_count_ == ran.json["trees"]
    ran = run("train", cancer, "--target", "malignant", "--scheduler", scheduler, "-p", "rounds=3")
    assert (ran.code, "rounds=3 cannot be used" in ran.stderr) == (2, True)


def test_csv_regression_is_the_same_model_as_from_parquet(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str
) -> None:
    rows = pd.concat([pd.read_parquet(part) for part in sorted(cancer.iterdir())])
    rows = rows.drop(columns=["malignant", "importance"])
    rows.to_csv(tmp_path / "all.csv", index=False)
    rows.to_parquet(tmp_path / "all.parquet", index=False)
    for name in ("all.csv", "all.parquet"):
        ran = run(
            "train", name, "--target", "mean area", "--scheduler", scheduler, "-p", "iterations=10", "-o", f"{name}.cbm"
        )
        assert ran.code == 0, ran.stderr
        assert "task: regression (from the values of 'mean area'; --task says otherwise)" in ran.stderr
        assert run("predict", f"{name}.cbm", "all.parquet", "-o", f"{name}.out").code == 0
    first, second = (pd.read_parquet(tmp_path / f"{name}.out") for name in ("all.csv", "all.parquet"))
    assert first["prediction"].tolist() == second["prediction"].tolist()


def test_dry_run_says_where_rows_would_go_and_trains_nothing(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str
) -> None:
    options = (
        "train",
        cancer,
        "--target",
        "malignant",
        "--weight",
        "importance",
        "--scheduler",
        scheduler,
        "--dry-run",
    )
    ran = run(*options, "--json")
    assert ran.code == 0, ran.stderr
    plan = ran.json
    assert (plan["task"], plan["rows"], plan["features"], plan["partitions"]) == ("binary", 569, 6, 3)
    assert sum(worker["rows"] for worker in plan["placement"]) == 569
    assert all(worker["fits"] and worker["worker"].startswith("tcp://") for worker in plan["placement"])
    shown = run(*options).stdout
    assert "binary: 569 rows x 6 features in 3 partition(s)" in shown
    assert plan["placement"][0]["worker"] in shown
    assert list(tmp_path.iterdir()) == []


def test_date_is_refused_by_name_and_leaves_no_model(run: Callable[..., Any], tmp_path: Path, scheduler: str) -> None:
    table = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=90), "x": range(90), "y": [1.5, 2.5, 3.5] * 30})
    table.to_parquet(tmp_path / "data.parquet")
    ran = run("train", "data.parquet", "--target", "y", "--scheduler", scheduler, "-p", "iterations=5")
    assert ran.code == 3
    assert ran.stderr.startswith(
        "Error: column 'day': found dates or times, expected numbers. Encode as numbers, or leave out with: --ignore day\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["data.parquet"]
    ran = run("train", "data.parquet", "--target", "y", "--scheduler", scheduler, "-p", "iterations=5", "--json",
              "--ignore", "day")  # fmt: skip
    assert ran.code == 0, ran.stderr
    assert ran.json["features"] == 1


def test_interrupted_training_ends_with_130_and_leaves_nothing(cancer: Path, tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("gbdist"), "train", cancer, "--target", "malignant", "--workers", "1",
               "--weight", "importance", "-p", "iterations=1000000"]  # fmt: skip
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    heard = []
    for line in process.stderr:  # ends when nobody has it open any more: no worker outlives the command
        heard.append(line)
        if line.startswith("50:"):
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    assert process.wait(timeout=60) == 130, heard
    process.stderr.close()
    assert "Traceback" not in "".join(heard)
    assert heard[-2:] == [
        "Error: stopped with Ctrl-C; nothing is left running\n",
        f"Next: gbdist train {cancer} --target malignant --workers 1 --weight importance -p iterations=1000000\n",
    ]
    assert list(tmp_path.iterdir()) == []


def test_demo_trains_scores_and_compares(run: Callable[..., Any], tmp_path: Path) -> None:
    ran = run("demo", "--json")
    assert ran.code == 0, ran.stderr
    ours, theirs = ran.json["rows"]
    assert ours["trees"] == theirs["trees"] == 150
    assert ours["accuracy"] > 0.95
    assert ours["logloss"] < 1.15 * theirs["logloss"]
    assert "their dashboard, while this runs: http://127.0.0.1:" in ran.stderr
    assert catboost.CatBoost().load_model(tmp_path / "model.cbm").tree_count_ == 150
    assert len(list((tmp_path / "gbdist-demo/train").iterdir())) == 6


SEVERAL = [
    ("MultiRMSE", ("heat", "light"), "regression", ["prediction_0", "prediction_1"]),
    ("MultiRMSEWithMissingValues", ("gaps", "light"), "regression", ["prediction_0", "prediction_1"]),
    ("MultiLogloss", ("on", "off"), "multilabel", ["prediction_0", "prediction_1"]),
    ("MultiCrossEntropy", ("on", "off"), "multilabel", ["prediction_0", "prediction_1"]),
    ("SurvivalAft", ("low", "high"), "regression", ["prediction"]),
]


@pytest.mark.parametrize(("loss", "targets", "task", "columns"), SEVERAL)
def test_several_targets(
    run: Callable[..., Any],
    tmp_path: Path,
    scheduler: str,
    loss: str,
    targets: tuple[str, str],
    task: str,
    columns: list[str],
) -> None:
    features = pd.DataFrame(np.random.default_rng(1).normal(size=(400, 2)).astype(np.float32), columns=["a", "b"])
    a, b = features["a"], features["b"]
    every = {"heat": a + b, "light": 2 * b, "gaps": a.where(a < 1), "on": (a > 0) * 1, "off": (b > 0) * 1,
             "low": np.exp(a), "high": np.exp(a) + 1}  # fmt: skip
    table = features.assign(**{name: every[name] for name in targets})
    table.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "job.toml").write_text(f'data = "rows.parquet"\ntarget = {list(targets)}\n')
    options = ("--scheduler", scheduler, "-p", f"loss_function={loss}", "-p", "iterations=5", "-p", "verbose=false")
    typed = ("rows.parquet", "--target", targets[0], "--target", targets[1])
    ran = run("train", *typed, "--eval", "rows.parquet", *options, "--json")
    assert ran.code == 0, ran.stderr
    assert (ran.json["task"], ran.json["features"], list(ran.json["best_score"])) == (task, 2, ["learn", "validation"])
    assert f"task: {task} (from loss_function)\n" in ran.stderr
    for kind in ([], ["--raw"], *([["--proba"]] if task == "multilabel" else [])):
        assert run("predict", "model.cbm", "rows.parquet", "-o", "out.parquet", *kind).code == 0
        written = pd.read_parquet(tmp_path / "out.parquet")
        word = {"--raw": "raw", "--proba": "probability"}.get("".join(kind), "prediction")
        assert list(written.columns) == [name.replace("prediction", word) for name in columns]
        model = catboost.CatBoost().load_model(str(tmp_path / "model.cbm"))
        asked = {"--proba": "Probability", "--raw": "RawFormulaVal"}.get(
            "".join(kind), "Class" if task == "multilabel" else "RawFormulaVal"
        )
        expected = model.predict(features, prediction_type=asked).reshape(400, -1)
        assert written.to_numpy().tolist() == expected.tolist()
    ran = run("train", "--config", "job.toml", *options, "--dry-run", "--json")
    assert (ran.code, ran.json["task"], ran.json["features"]) == (0, task, 2)


def test_second_target_without_a_loss_for_it_is_refused(run: Callable[..., Any], tmp_path: Path) -> None:
    pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0], "c": [1.0, 2.0]}).to_parquet(tmp_path / "rows.parquet")
    ran = run("train", "rows.parquet", "--target", "a", "--target", "b")
    assert ran.code == 2
    assert "target=['a', 'b'] cannot be used: expected one column, as loss_function is not for several" in ran.stderr


def test_sets_without_scores_are_left_out() -> None:
    assert readable({"learn": {}, "validation": {"NDCG": 0.5}}) == "validation NDCG 0.5"


def test_profile_is_written_and_its_summary_told(
    run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str
) -> None:
    job = ("train", cancer, "--target", "malignant", "--weight", "importance", "--scheduler", scheduler)
    ran = run(*job, "-p", "iterations=5", "-p", "verbose=false", "--profile", "times", "--json")
    assert ran.code == 0, ran.stderr
    assert ran.json["profile"] == "times"
    assert len({one["pid"] for one in json.loads((tmp_path / "times/trace.json").read_text())["traceEvents"]}) >= 3
    assert (tmp_path / "times/summary.txt").read_text().rstrip() in ran.stderr
    assert "DaskCatBoostClassifier: 569 rows x 6 features, ranks: " in ran.stderr


def test_profile_that_cannot_be_written_is_refused_before_workers_start(
    run: Callable[..., Any], cancer: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ran = run("train", cancer, "--target", "malignant", "--profile", "file")
    assert ran.code == 2
    assert (
        "Error: profile='file' cannot be used: expected a folder on this machine that can be written (File"
        in ran.stderr
    )
    assert "workers:" not in ran.stderr
    ran = run("train", cancer, "--target", "malignant", "--profile", "new", "-p", "aggregate=models")
    assert ran.code == 2
    assert "Error: profile='new' cannot be used: expected None with aggregate='models'." in ran.stderr
