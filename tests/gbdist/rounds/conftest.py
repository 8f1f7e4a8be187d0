"""Tables with a signal, quantized, and ways to train on them in rounds on one rank or several."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import catboost
import numpy as np
import pytest
from numpy.typing import NDArray

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.params import BoostParams, Stopping
from gbdist.boosting.rows import Rows, Segment
from gbdist.metrics.native import any_metrics
from gbdist.models.merge import sum_of_parts
from gbdist.objectives import LOSSES, make_objective
from gbdist.quantize.binning import bin_part
from gbdist.quantize.borders import FeatureBorders, choose_borders
from gbdist.quantize.raw import RawPart
from gbdist.rounds.loop import RankData, RoundsResult, run_rounds
from gbdist.rounds.spec import RoundsSpec
from gbdist_cluster.collective.threads import run_threads


@dataclass(frozen=True)
class Table:
    """Raw and quantized rows of a whole data set, to be cut into ranks."""

    values: NDArray[np.float32]
    rows: Rows
    borders: tuple[FeatureBorders, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"f{i}" for i in range(len(self.borders)))

    def part(self, start: int, stop: int) -> Rows:
        rows = self.rows
        return replace(
            rows,
            bins=np.ascontiguousarray(rows.bins[:, start:stop]),
            label=rows.label[start:stop],
            weight=None if rows.weight is None else rows.weight[start:stop],
            baseline=None if rows.baseline is None else np.ascontiguousarray(rows.baseline[:, start:stop]),
            segments=(Segment(0, stop - start, start),),
        )

    def train(self, spec: RoundsSpec, n_ranks: int = 1, evals: "tuple[Table, ...]" = ()) -> list[RoundsResult]:
        """What every rank returns."""

        def cut(table: Table, rank: int) -> Rows:
            n_rows = table.rows.n_rows
            return table.part(n_rows * rank // n_ranks, n_rows * (rank + 1) // n_ranks)

        def work(collective: Any) -> RoundsResult:
            rank = collective.rank
            data = RankData(cut(self, rank), tuple(cut(e, rank) for e in evals), self.borders, self.names)
            return run_rounds(data, spec, collective)

        return [work(SingleRank())] if n_ranks == 1 else run_threads(n_ranks, work)

    def model(self, result: RoundsResult, class_names: Any = None) -> catboost.CatBoost:
        return sum_of_parts(result.parts, result.bias, self.names, class_names, {})


def boost_params(loss: str, classes: int, native: dict[str, object]) -> BoostParams | None:
    """How leaves are refitted: with the learning rate of the tables' runs."""
    if loss not in LOSSES or loss == "MAE":  # whose leaves are exact
        return None
    steps = 10 if loss == "Logloss" else 1
    return BoostParams(make_objective(loss, classes), (), learning_rate=0.2, leaf_estimation_iterations=steps)


MakeTable = Callable[..., Table]


@pytest.fixture
def make_table() -> MakeTable:
    """Builds a table whose label depends on its first features; one of them has NaNs."""

    def make(
        n_rows: int = 3_000, classes: int = 0, seed: int = 7, weighted: bool = False, nan_mode: str = "Min"
    ) -> Table:
        rng = np.random.default_rng(seed)
        values = rng.normal(size=(n_rows, 6)).astype(np.float32)
        values[:, 5] = 1.0
        target = values[:, 0] * 2 + np.sin(3 * values[:, 1]) + (values[:, 2] > 0.3) + rng.normal(size=n_rows) * 0.3
        if classes:
            target = np.digitize(target, np.quantile(target, np.arange(1, classes) / classes))
        values[rng.random(n_rows) < 0.2, 3] = np.nan
        borders = tuple(
            choose_borders(column, 40, "GreedyLogSum", nan_mode, bool(np.isnan(column).any())) for column in values.T
        )
        bins = np.empty((6, n_rows), np.uint8)
        bin_part(RawPart(values, None, None, None, 0), borders, bins)
        weight = (0.2 + rng.random(n_rows)).astype(np.float32) if weighted else None
        rows = Rows(bins, target.astype(np.float32), weight, None, (Segment(0, n_rows, 0),))
        return Table(values, rows, borders)

    return make


MakeSpec = Callable[..., RoundsSpec]


@pytest.fixture
def make_spec() -> MakeSpec:
    """Builds what a run is told: RMSE, four rounds of five trees, merged by their mean."""

    def make(
        loss: str = "RMSE", n_ranks: int = 1, classes: int = 1, eval_metric: str | None = None, **more: Any
    ) -> RoundsSpec:
        native: dict[str, object] = {"loss_function": loss, "depth": 4, "learning_rate": 0.2, **more.pop("options", {})}
        plain = RoundsSpec(
            options=native,
            learning_rate=0.2,
            random_strength=1.0,
            rounds=4,
            iterations=20,
            merge="average",
            refit=boost_params(loss, classes, native),
            metrics=any_metrics(eval_metric or loss, classes, loss),
            stopping=Stopping(),
            use_best_model=False,
            metric_period=1,
            random_seed=3,
            devices=tuple({} for _ in range(n_ranks)),
        )
        return replace(plain, **more)

    return make
