"""Rows with categorical columns, whole or cut into ranks, what a run makes of them first, and CatBoost's hashes of strings."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import catboost
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.boosting.crew import Crew
from gbdist.boosting.params import BoostParams
from gbdist.boosting.rows import Rows, Segment, UnbinnedColumn
from gbdist.categories.begin import CategoricalStart, begin, categorical_features
from gbdist.categories.deal import deal
from gbdist.categories.features import CategoricalFeatures
from gbdist.categories.rules import CategoricalColumn, CategoryRules, StatisticRule
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective
from gbdist_cluster.collective.threads import run_threads

Result = TypeVar("Result")

SIMPLE = (StatisticRule("Borders", (0.0, 0.5, 1.0)), StatisticRule("Counter", (0.0,)))


@dataclass(frozen=True)
class CategoricalTable:
    """Rows of a data set; ``sizes`` say how many values its categorical columns have, which come after the binned ones."""

    rows: Rows
    n_bins: NDArray[np.int64]
    sizes: tuple[int, ...]

    @property
    def hashes(self) -> list[NDArray[np.uint32]]:
        return [np.asarray(column.values) for column in self.rows.unbinned]

    def rules(self, one_hot: Sequence[int] = (), **more: Any) -> CategoryRules:
        """Rules in which the columns ``one_hot``, counted among the categorical ones, are one-hot."""
        columns = tuple(
            CategoricalColumn(
                column.position, f"c{i}", tuple(np.unique(column.values).tolist()) if i in one_hot else None
            )
            for i, column in enumerate(self.rows.unbinned)
        )
        return CategoryRules(columns, **{"simple": SIMPLE, "combined": SIMPLE, **more})

    def part(self, start: int, stop: int) -> Rows:
        """Some rows, as a rank has them."""
        return self.rows_of([(start, stop)])

    def rows_of(self, ranges: Sequence[tuple[int, int]]) -> Rows:
        """Several ranges of rows, each a segment."""
        rows, chosen = self.rows, np.concatenate([np.arange(start, stop) for start, stop in ranges])
        ends = np.cumsum([0, *(stop - start for start, stop in ranges)]).tolist()
        return replace(
            rows,
            bins=np.ascontiguousarray(rows.bins[:, chosen]),
            label=rows.label[chosen],
            weight=None if rows.weight is None else rows.weight[chosen],
            baseline=None if rows.baseline is None else np.ascontiguousarray(rows.baseline[:, chosen]),
            segments=tuple(
                Segment(first, last, start) for (first, last), (start, _) in zip(pairwise(ends), ranges, strict=True)
            ),
            unbinned=tuple(replace(each, values=np.asarray(each.values)[chosen]) for each in rows.unbinned),
        )

    def cut(self, n_ranks: int, empty: Sequence[int] = ()) -> list[Rows]:
        """The rows of each of some ranks, as equal as may be; those in ``empty`` have none."""
        shares = [0 if rank in empty else 1 for rank in range(n_ranks)]
        ends = [self.rows.n_rows * sum(shares[:rank]) // sum(shares) for rank in range(n_ranks + 1)]
        return [self.part(start, stop) for start, stop in pairwise(ends)]


def on_ranks(parts: Sequence[Any], work: Callable[[Any, Collective], Result]) -> list[Result]:
    """Do work on a rank for each part."""
    return run_threads(len(parts), lambda collective: work(parts[collective.rank], collective))


@dataclass(frozen=True)
class Begun:
    """A run before its first tree, on one rank."""

    start: CategoricalStart
    features: CategoricalFeatures
    rank: int

    @property
    def train(self) -> Rows:
        return self.start.sets[0]


def begun_on_ranks(
    tables: Sequence[CategoricalTable],
    params: BoostParams,
    work: Callable[[Begun], Result],
    n_ranks: int = 1,
    empty: Sequence[int] = (),
) -> list[Result]:
    """Begin a run on the first table, with the others as eval sets, and do some work with it on each rank."""

    def on_rank(sets: Sequence[Rows], collective: Collective) -> Result:
        with Crew(params.threads) as crew:
            start = begin(sets, tables[0].n_bins, params, collective, crew)
            return work(Begun(start, categorical_features(start, start.sets[0], crew), collective.rank))

    cuts = [table.cut(n_ranks, empty) for table in tables]
    return on_ranks([[cut[rank] for cut in cuts] for rank in range(n_ranks)], on_rank)


def in_order(table: CategoricalTable, params: BoostParams) -> CategoricalTable:
    """The rows in the order of which permutations are made."""
    assert params.categories is not None
    rows, _ = deal(table.rows, params.random_seed, has_time=params.categories.has_time, collective=SingleRank())
    return replace(table, rows=rows)


#: A description of each loss that has options of its own.
DESCRIPTIONS = {
    "Quantile": "Quantile:alpha=0.7",
    "LogLinQuantile": "LogLinQuantile:alpha=0.3",
    "Lq": "Lq:q=2.5",
    "Expectile": "Expectile:alpha=0.3",
    "Huber": "Huber:delta=1.5",
    "MultiQuantile": "MultiQuantile:alpha=0.2,0.5,0.7",
    "Tweedie": "Tweedie:variance_power=1.3",
    "Focal": "Focal:focal_alpha=0.3;focal_gamma=2",
}


def described(loss: str) -> str:
    """A description of a loss or metric, with options if it needs any."""
    return DESCRIPTIONS.get(loss, loss)


def params_of(rules: CategoryRules | None, classes: int = 2, loss: str = "", **more: Any) -> BoostParams:
    """Parameters of a classifier, or of a regressor for 0 ``classes``."""
    loss = loss or {0: "RMSE", 2: "Logloss"}.get(classes, "MultiClass")
    return BoostParams(
        objective=make_objective(loss, classes),
        metrics=make_metrics(loss, classes, loss),
        categories=rules,
        **{"iterations": 5, "depth": 4, "learning_rate": 0.3, "random_seed": 3, **more},
    )


def make_table(
    n_rows: int = 1_000,
    sizes: Sequence[int] = (5, 40, 300),
    n_binned: int = 2,
    classes: int = 2,
    seed: int = 0,
    *,
    weighted: bool = False,
    dimension: int = 0,
    wide: bool = False,
    skewed: Sequence[int] = (),
    unseen: float = 0.0,
) -> CategoricalTable:
    """Rows whose label depends on all columns and on pairs of them; of a regressor for 0 ``classes``.

    ``dimension`` is that of the baseline. Columns in ``skewed`` have one value in nine rows of ten. Tables have the same values
    whatever the seed, so that one may be an eval set of another, but for a share of ``unseen`` ones.
    """
    generator, of_values = np.random.default_rng(seed), np.random.default_rng(12345)
    bins = generator.integers(0, 300 if wide else 40, (n_binned, n_rows))
    target = generator.normal(size=n_rows) * 0.5 + bins.sum(axis=0) / (200 if wide else 30)
    unbinned, before = [], np.zeros(n_rows, np.int64)
    for i, size in enumerate(sizes):
        pool = np.unique(of_values.integers(0, 2**32, 2 * size, dtype=np.uint32))[:: 1 if size < 2 else 2][:size]
        effect = of_values.normal(size=pool.shape[0])
        codes = generator.integers(0, pool.shape[0], n_rows)
        if i in skewed:
            codes[generator.random(n_rows) < 0.9] = 0
        target = target + effect[codes] + 2 * of_values.normal(size=(7, 7))[before % 7, codes % 7]
        before = codes
        hashes = np.where(generator.random(n_rows) < unseen, generator.integers(0, 2**32, n_rows), pool[codes])
        unbinned.append(UnbinnedColumn(n_binned + i, "hash", hashes.astype(np.uint32)))
    label = np.digitize(target, np.quantile(target, np.arange(1, classes) / classes)) if classes else target
    rows = Rows(
        bins=bins.astype(np.uint16 if wide else np.uint8),
        label=label.astype(np.float32),
        weight=(0.2 + generator.random(n_rows)).astype(np.float32) if weighted else None,
        baseline=generator.normal(size=(dimension, n_rows)) if dimension else None,
        segments=(Segment(0, n_rows, 0),),
        unbinned=tuple(unbinned),
    )
    return CategoricalTable(rows, np.full(n_binned, 300 if wide else 40, np.int64), tuple(sizes))


@pytest.fixture
def catboost_hashes(tmp_path: Path) -> Callable[[Sequence[str]], np.ndarray]:
    """Hashes of strings, uint32 [n]: CatBoost writes those of a pool into a JSON model that it saves with it."""

    def hashes(strings: Sequence[str]) -> np.ndarray:
        column = pd.DataFrame({"c": pd.Series(list(strings), dtype=object)})
        pool = catboost.Pool(column, np.arange(len(column)) % 2, cat_features=[0])
        model = catboost.CatBoostRegressor(iterations=1, verbose=0, allow_writing_files=False).fit(pool)
        model.save_model(str(tmp_path / "hashes.json"), format="json", pool=pool)
        written = json.loads((tmp_path / "hashes.json").read_text())["features_info"]["cat_features_hash"]
        known = {each["value"]: each["hash"] for each in written}
        return np.array([known[string] for string in strings], dtype=np.uint32)

    return hashes
