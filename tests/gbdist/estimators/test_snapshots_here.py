"""Snapshots of fits in this process: what ends a run, what may differ and what may not, and files that are damaged."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
from gbdist.errors import ParameterError, SnapshotError
from gbdist.estimators.checkpoint import snapshot_path
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist.snapshots.store import Store

from .interrupted import AT, PLAIN, TREES, Interrupts, Stops

FEATURES = list("abcdef")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "new folder" / 'it\'s "$HOME"\n')


@pytest.fixture
def fit(table: pd.DataFrame, path: str) -> Callable[..., Any]:
    data = table[:2_000]

    def run(X: Any = None, y: Any = "y", callbacks: Any = None, init_model: Any = None, **more: Any) -> Any:
        given = {**PLAIN, "save_snapshot": True, "snapshot_file": path, **more}
        estimator = DaskCatBoostClassifier(**given)
        return estimator.fit(data if X is None else X, y, callbacks=callbacks, init_model=init_model)

    return run


def plain(fit: Callable[..., Any], **more: Any) -> bytes:
    return fixed_cbm_bytes(fit(save_snapshot=False, **more).model_)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_whatever_ends_a_run_its_trees_are_kept(fit: Callable[..., Any], path: str, error: type[BaseException]) -> None:
    with pytest.raises(error):
        fit(callbacks=[Interrupts(AT, error)])
    found = Store(path).load()
    assert found is not None
    assert len(found.content.records) == AT
    assert fixed_cbm_bytes(fit().model_) == plain(fit)


def test_a_run_that_a_callback_stopped_goes_on(fit: Callable[..., Any]) -> None:
    assert fit(callbacks=[Stops(AT)]).tree_count_ == AT
    assert fixed_cbm_bytes(fit().model_) == plain(fit)


def test_a_run_that_overfitting_stopped_has_nothing_to_add(table: pd.DataFrame, path: str) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 3)), rng.integers(0, 2, 600)  # nothing to learn
    given = {**PLAIN, "iterations": 200, "early_stopping_rounds": 3, "save_snapshot": True, "snapshot_file": path}

    def run(callbacks: Any = None, **more: Any) -> Any:
        return DaskCatBoostClassifier(**{**given, **more}).fit(
            X[:400], y[:400], eval_set=(X[400:], y[400:]), callbacks=callbacks
        )

    whole, seen = run(), Interrupts()
    assert len(whole.evals_result_["learn"]["Logloss"]) < 200
    assert fixed_cbm_bytes(run([seen]).model_) == fixed_cbm_bytes(whole.model_)
    assert seen.seen == []


@pytest.mark.parametrize("metric_period", [1, 2, 3])
def test_more_and_fewer_iterations(fit: Callable[..., Any], path: str, metric_period: int) -> None:
    for iterations in (6, 9, 4, 12):
        found = fit(iterations=iterations, metric_period=metric_period)
        whole = fit(iterations=iterations, metric_period=metric_period, save_snapshot=False)
        assert fixed_cbm_bytes(found.model_) == fixed_cbm_bytes(whole.model_)
        assert found.evals_result_ == whole.evals_result_
        saved = Store(path).load()
        assert saved is not None
        # Four iterations leave the nine that there are.
        assert len(saved.content.records) == max(iterations, 9 if iterations == 4 else 0)


def test_an_automatic_learning_rate_is_part_of_a_run(fit: Callable[..., Any]) -> None:
    fit(learning_rate=None, iterations=5)
    with pytest.raises(SnapshotError, match=r"\(learning_rate: [0-9.]+ in the snapshot, [0-9.]+ here\)"):
        fit(learning_rate=None, iterations=50)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"learning_rate": 0.1}, "learning_rate: 0.2 in the snapshot, 0.1 here"),
        ({"random_seed": 5}, "random_seed: 0 in the snapshot, 5 here"),
        ({"loss_function": "Focal:focal_alpha=0.5;focal_gamma=2"}, "loss_function: 'Logloss' in the snapshot, 'Focal:"),
        ({"eval_metric": "AUC"}, "metrics: ['Logloss'] in the snapshot, ['AUC', 'Logloss'] here"),
        ({"metric_period": 2}, "metric_period: 1 in the snapshot, 2 here"),
        ({"od_wait": 3}, "od_type: 'None' in the snapshot, 'Iter' here; od_wait: 20 in the snapshot, 3 here"),
        ({"class_weights": [1, 2]}, "class_weights: None in the snapshot, [1.0, 2.0] here"),
        ({"border_count": 32}, "border_count: 254 in the snapshot, 32 here"),
        ({"ignored_features": ["b"]}, "ignored_features: [] in the snapshot, [1] here"),
        (
            {"feature_weights": {"a": 2}},
            "feature_weights: None in the snapshot, [2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] here",
        ),
        ({"model_shrink_rate": 0.1}, "model_shrink_rate: None in the snapshot, 0.1 here"),
        ({"subsample": 0.5}, "subsample: 0.8 in the snapshot, 0.5 here"),
    ],
)
def test_other_parameters_are_refused(fit: Callable[..., Any], given: dict[str, Any], words: str) -> None:
    fit(iterations=1)
    with pytest.raises(SnapshotError) as refusal:
        fit(**given)
    assert refusal.value.args[1].startswith(f"a snapshot of another run ({words}")


@pytest.mark.parametrize("given", [{"thread_count": 2}, {"verbose": False}, {"snapshot_interval": 5}])
def test_what_does_not_change_a_model_may_differ(fit: Callable[..., Any], given: dict[str, Any]) -> None:
    fit(iterations=AT)
    assert fixed_cbm_bytes(fit(**given).model_) == plain(fit)


def test_other_data_are_refused(fit: Callable[..., Any], table: pd.DataFrame) -> None:
    data = table[:2_000]
    fit(iterations=1)
    swapped = data["a"].to_numpy().copy()
    swapped[[5, 6]] = swapped[[6, 5]]  # which leaves the borders as they are
    wrong = data.assign(a=swapped)
    turned = data.assign(y=1 - data["y"])
    named = data.rename(columns={"b": "B"})
    for X, y, words in (
        (wrong, "y", "column 'a' has other values"),
        (turned, "y", "the labels are other ones"),
        (named, "y", "column 1: 'b' in the snapshot, 'B' here"),
        (data.drop(columns="w"), "y", "7 columns in the snapshot, 6 here"),
        (data.assign(a=data["a"] * 2), "y", "column 'a' has other borders"),
        (
            data.replace({"y": {0: "no", 1: "yes"}}),
            "y",
            "class_names: ['0', '1'] in the snapshot, [\"'no'\", \"'yes'\"] here",
        ),
    ):
        with pytest.raises(SnapshotError) as refusal:
            fit(X, y)
        assert refusal.value.args[1] == f"a snapshot of another run ({words})", words


def test_a_model_to_go_on_from_is_part_of_a_run(fit: Callable[..., Any], table: pd.DataFrame) -> None:
    models = [fit(save_snapshot=False, iterations=n) for n in (2, 3)]
    whole = fit(save_snapshot=False, init_model=models[0])
    with pytest.raises(KeyboardInterrupt):
        fit(init_model=models[0], callbacks=[Interrupts(AT)])
    with pytest.raises(SnapshotError, match=r"\(init_model: '[0-9a-f]{32}' in the snapshot, '[0-9a-f]{32}' here"):
        fit(init_model=models[1])
    with pytest.raises(SnapshotError, match=r"init_model: '[0-9a-f]{32}' in the snapshot, None here"):
        fit()
    assert fixed_cbm_bytes(fit(init_model=models[0]).model_) == fixed_cbm_bytes(whole.model_)


class Half:
    """A loss that is an object; ``scale`` is one of its numbers."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def derivatives(self, predictions: Any, label: Any) -> Any:
        return self.scale * (label - predictions), np.full_like(predictions, -self.scale)


def test_numbers_of_an_object_are_part_of_a_run(table: pd.DataFrame, path: str) -> None:
    def run(scale: float, **more: Any) -> Any:
        given = {**PLAIN, "loss_function": Half(scale), "eval_metric": "RMSE", "save_snapshot": True, **more}
        return DaskCatBoostRegressor(**{**given, "snapshot_file": path}).fit(
            table[:1_000][FEATURES], table[:1_000]["w"]
        )

    run(1.0, iterations=AT)
    with pytest.raises(
        SnapshotError, match=r"loss_function: 'Half\(scale=1.0\)' in the snapshot, 'Half\(scale=2.0\)' here"
    ):
        run(2.0)
    assert fixed_cbm_bytes(run(1.0).model_) == fixed_cbm_bytes(run(1.0, save_snapshot=False).model_)


def test_a_damaged_snapshot_is_left_out(fit: Callable[..., Any], path: str) -> None:
    fit(iterations=2)
    fit(iterations=AT)
    newest = f"{path}.000002"
    Path(newest).write_bytes(Path(newest).read_bytes()[:100])
    with pytest.warns(UserWarning, match=r"100 bytes that were cut short or altered, (.|\n)*000001 is used instead"):
        found = fit()
    assert fixed_cbm_bytes(found.model_) == plain(fit)
    assert sorted(os.listdir(Path(path).parent)) == [f"{Path(path).name}.00000{n}" for n in (1, 3)]


def test_a_file_system_in_memory(fit: Callable[..., Any]) -> None:
    where = {"snapshot_file": "memory://bucket/runs/a", "train_dir": "not/used"}
    with pytest.raises(KeyboardInterrupt):
        fit(callbacks=[Interrupts(AT)], **where)
    assert Store("memory://bucket/runs/a").load() is not None
    assert not Path("not").exists()
    assert fixed_cbm_bytes(fit(**where).model_) == plain(fit)


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_is_read(
    fit: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SnapshotError, match="found Not a directory, expected a folder that can be made and written to"):
        fit(X="nobody looks at it", snapshot_file=str(tmp_path / "file" / "runs" / "a"))


def test_a_write_that_fails_does_not_cost_the_model(
    fit: Callable[..., Any], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(
        UserWarning, match=f"the last {TREES} trees of this run are in no snapshot: No space left on device"
    ):
        found = fit()
    monkeypatch.undo()
    assert fixed_cbm_bytes(found.model_) == plain(fit)
    assert os.listdir(Path(path).parent) == []


def test_catboost_puts_its_file_in_the_same_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    X, y = np.arange(20.0).reshape(10, 2), np.arange(10.0)
    for given in (
        {},
        {"snapshot_file": "a"},
        {"train_dir": "td"},
        {"snapshot_file": "sub/a", "train_dir": "td/"},
        {"snapshot_file": str(tmp_path / "abs/a"), "train_dir": "td"},
    ):
        given = {"save_snapshot": True, **given}
        catboost.CatBoostRegressor(iterations=1, verbose=False, **given).fit(X, y)
        where = snapshot_path(given)
        assert Path(where).is_file()
        # Files of gbdist have another name, so neither takes the other's.
        DaskCatBoostRegressor(iterations=1, **given).fit(X, y)
        assert Path(f"{where}.000001").is_file()


def test_progress_says_where_it_goes_on_from(
    fit: Callable[..., Any], path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(iterations=AT)
    fit(verbose=True)
    lines = capsys.readouterr().err.splitlines()
    assert f"going on from {AT} trees of {path}" in "\n".join(lines)
    assert not any(line.startswith(f"{AT - 1}:") for line in lines)
    assert any(line.startswith(f"{AT}:") for line in lines)


def test_rounds_of_models_have_no_snapshots(table: pd.DataFrame) -> None:
    for given in ({"save_snapshot": True}, {"snapshot_file": "a"}, {"snapshot_interval": 3}):
        ((name, value),) = given.items()
        with pytest.raises(ParameterError) as refusal:
            DaskCatBoostClassifier(aggregate="models", **given).fit(table, "y")
        expected = "False (no snapshots are written)" if name == "save_snapshot" else "it to be left out"
        assert str(refusal.value) == (
            f"{name}={value!r} cannot be used: expected {expected}. Rounds of models keep no snapshots: leave aggregate out."
        )
