"""Pipelines in this process: passes in their order, what they leave, and what is refused."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pandas as pd
import pytest

from gbdist.boosting.events import IterationDone, RunFinished, RunStarted
from gbdist.compression.data import CompressionData, compression_data
from gbdist.compression.given import open_model
from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.pipeline import CompressionPipeline, losses
from gbdist.compression.shares import Shares
from gbdist.errors import ModelError, ParameterError
from gbdist.models.catboost_format import cbm_bytes, fixed_cbm_bytes
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.ensemble import Ensemble

from .tables import Prefix, Recount, fitted, make_frame, same_bits


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return make_frame(300)


@pytest.fixture(scope="module")
def model(rows: pd.DataFrame) -> Any:
    return fitted(rows)


@pytest.fixture(scope="module")
def data(rows: pd.DataFrame, model: Any) -> Iterator[CompressionData]:
    with compression_data(rows, "y", "w", model=model, shares=Shares(0.2, 0.2)) as data:
        yield data


def test_passes_run_in_their_order_and_tell_what_they_left(data: CompressionData) -> None:
    heard: list[Any] = []
    before = data.ensemble.trees
    found = CompressionPipeline([Prefix(5), Recount(), Prefix(3)]).apply(data.ensemble, data, heard.append)
    leaves = {count: sum(tree.n_leaves for tree in before[:count]) for count in (3, 5)}
    assert [(done.name, done.trees, done.leaves) for done in found.passes] == [
        ("prefix", 5, leaves[5]),
        ("recount", 5, leaves[5]),
        ("prefix", 3, leaves[3]),
    ]
    assert all(done.seconds >= 0.0 for done in found.passes)
    alone = CompressionPipeline([Recount()]).apply(replace(data.ensemble, trees=before[:5]), data).ensemble
    assert same_bits(found.ensemble, replace(alone, trees=alone.trees[:3]))
    assert data.ensemble.trees is before
    started, *done, finished = heard
    assert isinstance(started, RunStarted)
    assert (started.iterations, started.rows, started.ranks, started.counted) == (3, data.rows["passes"], 1, "passes")
    assert [(type(one), one.iteration) for one in done] == [(IterationDone, number) for number in range(3)]
    assert done[2].metrics == {"prefix": {"trees": 3.0, "leaves": float(leaves[3])}}
    assert isinstance(finished, RunFinished)


def test_a_model_becomes_a_model_and_stays_as_it_is(rows: pd.DataFrame, model: Any) -> None:
    before = fixed_cbm_bytes(model)
    small = CompressionPipeline([Prefix(4), Recount()]).compress(model, rows, "y", "w")
    assert (type(small), small.tree_count_, model.tree_count_) == (type(model), 4, 12)
    with compression_data(rows, "y", "w", model=model, shares=Shares(0.0, 0.0)) as whole:
        found = CompressionPipeline([Prefix(4), Recount()]).apply(whole.ensemble, whole).ensemble
    assert cbm_bytes(small) == cbm_bytes(open_model(model).written(found))
    X = rows.drop(columns=["y", "w"])
    alone = CompressionPipeline([Prefix(4)]).compress(model)
    assert (alone.predict(X) == model.predict(X, ntree_end=4)).all()
    assert fixed_cbm_bytes(model) == before


def test_lines_tell_of_passes(rows: pd.DataFrame, model: Any, capsys: pytest.CaptureFixture[str]) -> None:
    CompressionPipeline([Prefix(4), Recount()]).compress(model, rows, "y", "w", verbose=True)
    first, second, third, last = capsys.readouterr().err.splitlines()
    assert first == "compressing with 300 rows × 4 features, ranks: 1"
    assert second.startswith("0:")
    assert "prefix trees 4" in second
    assert third.startswith("1:")
    assert "recount trees 4" in third
    assert last.startswith("done: 2 passes in ")


def test_passes_see_their_own_part_of_the_rows(data: CompressionData, rows: pd.DataFrame) -> None:
    (tree, *_) = CompressionPipeline([Recount()]).apply(data.ensemble, data).ensemble.trees
    seen = rows["w"][Shares(0.2, 0.2).side("passes", 0).mask(0, len(rows))]
    assert tree.leaf_weights.sum() == pytest.approx(seen.sum(), rel=1e-6)


def test_passes_that_need_no_rows_run_without_data(data: CompressionData) -> None:
    found = CompressionPipeline([Prefix(2)]).apply(data.ensemble)
    assert same_bits(found.ensemble, replace(data.ensemble, trees=data.ensemble.trees[:2]))
    assert not CompressionPipeline([Prefix(2)]).needs_rows


def test_a_pipeline_without_passes_leaves_the_ensemble(data: CompressionData) -> None:
    assert CompressionPipeline([]).apply(data.ensemble, data).ensemble is data.ensemble


def test_passes_that_need_rows_are_refused_without_data(data: CompressionData) -> None:
    with pytest.raises(ParameterError) as refused:
        CompressionPipeline([Prefix(2), Recount()]).apply(data.ensemble)
    assert str(refused.value) == (
        "data=None cannot be used: expected rows, which the pass 'recount' looks at. Give X and y."
    )


def test_what_is_no_pass_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"passes\[1\]='drop' cannot be used: expected a Pass"):
        CompressionPipeline([Prefix(1), "drop"])  # type: ignore[list-item]
    with pytest.raises(ParameterError) as refused:
        CompressionPipeline(Prefix(1))  # type: ignore[arg-type]
    assert str(refused.value) == (
        "passes=Prefix(trees=1) cannot be used: expected a sequence of passes. Put it into a list."
    )


@dataclass(frozen=True)
class Forgets(Pass):
    """Leaves out a column, which passes may not."""

    name: ClassVar[str] = "forgets"
    needs_rows: ClassVar[bool] = False

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        return replace(ensemble, borders=ensemble.borders[1:])


def test_a_pass_that_changes_the_features_is_refused(data: CompressionData) -> None:
    with pytest.raises(ModelError, match="the ensemble has other borders or categories"):
        CompressionPipeline([Forgets()]).apply(data.ensemble, data)


def test_an_ensemble_of_other_features_is_refused(data: CompressionData, rows: pd.DataFrame) -> None:
    other = from_catboost(fitted(make_frame(300, seed=5)))
    with pytest.raises(ModelError, match="the ensemble has other borders or categories"):
        CompressionPipeline([Recount()]).apply(other, data)
    with pytest.raises(ModelError, match="the ensemble has other borders or categories"):
        losses([other], data, "choice")


def test_more_ensembles_than_are_scored_together_have_their_losses(data: CompressionData) -> None:
    prefixes = [replace(data.ensemble, trees=data.ensemble.trees[:count]) for count in range(12)]
    together = losses(prefixes, data, "choice").tolist()
    assert together == [losses([one], data, "choice")[0] for one in prefixes]
    assert together[0] > together[-1]


def test_losses_of_nothing_are_none(data: CompressionData) -> None:
    assert losses([], data, "choice").shape == (0,)
