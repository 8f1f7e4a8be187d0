"""``gbdist.compress``: a smaller model for a target, the same on any cluster, and a report on rows that nothing was chosen by."""

import pickle
from typing import Any

import catboost
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

import gbdist
from gbdist.compression.errors import TargetNotReached
from gbdist.compression.passes.distil import Distil
from gbdist.compression.passes.drop import Drop
from gbdist.compression.passes.reweight import Reweight
from gbdist.compression.pipeline import CompressionPipeline
from gbdist.compression.shares import halves
from gbdist.errors import ModelError, ParameterError
from gbdist.models.catboost_format import cbm_bytes, fixed_cbm_bytes

from ..estimators import conftest as of_estimators
from .tables import classes_of, fitted, make_frame

three_workers = of_estimators.three_workers
client = of_estimators.client
PIPELINES = ((Distil(trees=6, depth=3, copies=1), Reweight(trees=3)), (Reweight(trees=4),))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return make_frame(600)


@pytest.fixture(scope="module")
def held() -> pd.DataFrame:
    return make_frame(800, seed=1)


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame) -> Any:
    return fitted(frame, iterations=30)


def rmse(model: Any, frame: pd.DataFrame) -> float:
    return float(np.sqrt(np.mean((model.predict(frame.drop(columns=["y", "w"])) - frame["y"]) ** 2)))


def test_a_smaller_model_for_plain_catboost_and_a_report_on_unseen_rows(
    frame: pd.DataFrame, held: pd.DataFrame, model: Any
) -> None:
    before = cbm_bytes(model)
    small, report = gbdist.compress(
        model, frame.drop(columns="w"), "y", target="size:0.6", holdout=(held.drop(columns="w"), "y"), seed=2
    )
    assert type(small) is catboost.CatBoostRegressor
    assert cbm_bytes(model) == before
    assert len(cbm_bytes(small)) == report.after.figures.size <= 0.6 * len(before)
    unseen = held[halves(2)["holdout"].mask(0, len(held))]
    assert report.rows == {"passes": 600, "choice": 800 - len(unseen), "holdout": len(unseen)}
    assert report.before.loss == pytest.approx(rmse(model, unseen), rel=1e-6)
    assert report.after.loss == pytest.approx(rmse(small, unseen), rel=1e-6)
    given, chosen = report.tried[0], report.tried[report.chosen]
    assert (given.family, given.figures.trees, given.figures.size) == ("given", 30, len(before))
    assert chosen.sure_loss == min(one.sure_loss for one in report.tried if one.keeps)
    assert sum(one.standard_error > 0.0 for one in report.tried) > 3
    assert report.reason.startswith("the best of ")
    assert report.reason.endswith(" bytes, by the loss and one standard error on the rows that models are chosen by")
    assert report.after.latency is not None
    assert 0 < report.after.latency.batch < report.after.latency.single


def test_a_classifier_within_a_loss_is_the_smallest_one(frame: pd.DataFrame) -> None:
    classifier = fitted(frame, classifier=True, iterations=30)
    X, y = frame.drop(columns=["y", "w"]), classes_of(frame)
    small, report = gbdist.compress(classifier, X, y, target="loss:+20%", sample_weight=frame["w"].to_numpy())
    assert set(small.predict(X)) == {"high", "low"}
    assert report.metric == "Logloss"
    chosen = report.tried[report.chosen]
    assert chosen.loss <= 1.2 * report.tried[0].loss
    assert chosen.figures.size == min(one.figures.size for one in report.tried if one.keeps)
    assert sum(report.rows.values()) == 600
    again, second = gbdist.compress(classifier, X, y, target="loss:+20%", sample_weight=frame["w"].to_numpy())
    assert fixed_cbm_bytes(again) == fixed_cbm_bytes(small)
    assert [one.pipeline for one in second.tried] == [one.pipeline for one in report.tried]


@pytest.mark.parametrize("partitions", [1, 2, 5])
def test_the_cluster_does_not_change_the_model(
    client: Client, frame: pd.DataFrame, held: pd.DataFrame, model: Any, partitions: int
) -> None:
    def compressed(make: Any, **more: Any) -> Any:
        return gbdist.compress(
            model, make(frame), "y", target="trees:6", sample_weight="w", holdout=(make(held), "y", "w"), passes=PIPELINES, **more
        )  # fmt: skip

    small, report = compressed(lambda rows: dd.from_pandas(rows, npartitions=partitions, sort=False), client=client)
    here, expected = compressed(lambda rows: rows)
    assert fixed_cbm_bytes(small) == fixed_cbm_bytes(here)
    assert [one.loss for one in report.tried] == [one.loss for one in expected.tried]
    assert (report.rows, report.before.loss, report.after.loss) == (
        expected.rows,
        expected.before.loss,
        expected.after.loss,
    )


def test_latency_is_left_out_where_the_partition_that_is_looked_at_has_no_rows(
    client: Client, frame: pd.DataFrame, model: Any
) -> None:
    rows = dd.concat(
        [dd.from_pandas(frame[:0], npartitions=1), dd.from_pandas(frame, npartitions=1)], interleave_partitions=True
    )
    _, report = gbdist.compress(
        model, rows, "y", target="trees:10", sample_weight="w", passes=[Reweight(trees=9)], client=client
    )
    assert (report.before.latency, report.after.latency) == (None, None)
    assert sum(report.rows.values()) == len(frame)


def test_given_pipelines_are_tried_once_each(frame: pd.DataFrame, model: Any) -> None:
    X = frame.drop(columns="w")
    one = gbdist.compress(model, X, "y", target="trees:10", passes=[Reweight(trees=9)])[1]
    several = gbdist.compress(
        model, X, "y", target="trees:10", passes=[[Reweight(trees=9)], CompressionPipeline(PIPELINES[0])]
    )[1]
    pipeline = gbdist.compress(model, X, "y", target="trees:10", passes=CompressionPipeline([Reweight(trees=9)]))[1]
    assert [tried.pipeline for tried in one.tried] == ["as it is", "Reweight(trees=9)"]
    assert [tried.pipeline for tried in pipeline.tried] == ["as it is", "Reweight(trees=9)"]
    assert [tried.pipeline for tried in several.tried[1:]] == [
        "Reweight(trees=9)",
        "Distil(trees=6, depth=3, copies=1) → Reweight(trees=3)",
    ]


def test_a_target_out_of_reach_shows_and_carries_the_nearest_model(frame: pd.DataFrame, model: Any) -> None:
    with pytest.raises(TargetNotReached) as caught:
        gbdist.compress(model, frame.drop(columns="w"), "y", target="size:100B", passes=PIPELINES)
    error = caught.value
    assert error.model.tree_count_ == 3
    size = error.report.after.figures.size
    assert str(error) == (
        f"target 'size:100B' cannot be reached: the bound is 100 bytes, and the nearest of 3 models has {size:,} bytes at a loss "
        f"of {error.report.tried[1].loss:.6g}. Ask for less, or take the nearest model as it is."
    )
    assert error.report.reason == "no model keeps 100 bytes; this one is the nearest"
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert copy.report.to_dict() == error.report.to_dict()


def test_each_model_that_was_tried_is_a_line(
    frame: pd.DataFrame, model: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    X = frame.drop(columns="w")
    gbdist.compress(model, X, "y", target="trees:10", passes=PIPELINES, verbose=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("compressing with ")
    assert lines[0].endswith(" rows × 4 features, ranks: 1")
    assert [line.split()[:3] for line in lines[1:4]] == [
        ["0:", "given", "RMSE"],
        ["1:", "pipeline", "0"],
        ["2:", "pipeline", "1"],
    ]
    assert lines[4].startswith("done: 3 models in ")
    gbdist.compress(model, X, "y", target="trees:10", passes=PIPELINES)
    assert capsys.readouterr().err == ""


def test_bad_input_is_refused_before_rows_are_looked_at(frame: pd.DataFrame, model: Any) -> None:
    with pytest.raises(ParameterError, match="target='small' cannot be used"):
        gbdist.compress(model, None, target="small")
    with pytest.raises(ParameterError, match="expected at least one pass"):
        gbdist.compress(model, None, target="size:0.5", passes=[])
    with pytest.raises(ParameterError, match=r"passes\[0\]='prefix' cannot be used: expected a Pass"):
        gbdist.compress(model, None, target="size:0.5", passes=[["prefix"]])
    with pytest.raises(ParameterError, match="passes=7 cannot be used: expected a sequence of passes, or of pipelines"):
        gbdist.compress(model, None, target="size:0.5", passes=7)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="passes='prefix' cannot be used: expected a sequence of passes"):
        gbdist.compress(model, None, target="size:0.5", passes=["prefix", "depth"])  # type: ignore[list-item]
    with pytest.raises(ParameterError, match="seed='a' cannot be used: expected a whole number"):
        gbdist.compress(model, frame, "y", target="size:0.5", seed="a")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="is not fitted"):
        gbdist.compress(catboost.CatBoostRegressor(), frame, "y", target="size:0.5")


def test_passes_that_do_not_apply_are_an_error_where_they_were_asked_for(frame: pd.DataFrame, model: Any) -> None:
    with pytest.raises(ModelError, match="trees=99 cannot be kept of a model of 30"):
        gbdist.compress(model, frame.drop(columns="w"), "y", target="size:0.5", passes=[Reweight(trees=99)])


def test_a_likelihood_is_turned_round_so_that_the_best_model_has_the_largest(frame: pd.DataFrame) -> None:
    X = frame[["a", "b"]]
    y = np.exp(-frame["b"].to_numpy()) * np.where(
        np.arange(len(frame)) % 4, 1.0, -1.0
    )  # below 0: seen for so long only
    options = {"iterations": 20, "depth": 2, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
    given = catboost.CatBoostRegressor(**options, loss_function="Cox").fit(X, y)
    small, report = gbdist.compress(given, X, y, target="trees:15", passes=[[Drop("prefix", trees=n)] for n in (15, 1)])
    assert report.metric == "minus Cox"
    assert report.tried[1].loss < report.tried[2].loss
    assert (small.tree_count_, report.chosen) == (15, 1)
    assert report.before.loss < report.after.loss
