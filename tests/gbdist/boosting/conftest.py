"""Quantized tables with a signal, and ways to boost them on one rank or several."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows, Segment
from gbdist_cluster.collective.threads import run_threads


@dataclass(frozen=True)
class Table:
    """Quantized rows of a whole data set, to be cut into ranks."""

    rows: Rows
    n_bins: NDArray[np.int64]

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

    def boost(self, params: BoostParams, evals: tuple["Table", ...] = ()) -> BoostResult:
        return boost(self.rows, [table.rows for table in evals], self.n_bins, params, SingleRank())

    def boost_on_ranks(self, params: BoostParams, n_ranks: int, evals: tuple["Table", ...] = ()) -> list[BoostResult]:
        def cut(table: Table, rank: int) -> Rows:
            n_rows = table.rows.n_rows
            return table.part(n_rows * rank // n_ranks, n_rows * (rank + 1) // n_ranks)

        return run_threads(
            n_ranks,
            lambda c: boost(cut(self, c.rank), [cut(e, c.rank) for e in evals], self.n_bins, params, c),
        )


MakeTable = Callable[..., Table]


@pytest.fixture
def make_table() -> MakeTable:
    """Builds a table whose label depends on its first features; no column is repeated, so only real ties tie."""

    def make(
        n_rows: int = 3_000,
        n_features: int = 6,
        classes: int = 0,
        seed: int = 7,
        weighted: bool = False,
        bins: int = 40,
    ) -> Table:
        rng = np.random.default_rng(seed)
        values = rng.normal(size=(n_features, n_rows))
        target = values[0] * 2 + np.sin(3 * values[1]) + (values[2] > 0.3) + rng.normal(size=n_rows) * 0.3
        if classes:
            target = np.digitize(target, np.quantile(target, np.arange(1, classes) / classes))
        edges = np.quantile(values, np.arange(1, bins) / bins, axis=1).T
        binned = np.stack([np.searchsorted(e, v, side="left") for e, v in zip(edges, values, strict=True)])
        rows = Rows(
            bins=binned.astype(np.uint8),
            label=target.astype(np.float32),
            weight=(0.2 + rng.random(n_rows)).astype(np.float32) if weighted else None,
            baseline=None,
            segments=(Segment(0, n_rows, 0),),
        )
        return Table(rows, np.full(n_features, bins, np.int64))

    return make
