"""Rows as a rank has them, made of a table with a signal, and of the borders of a CatBoost model."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from gbdist.boosting.rows import Rows, Segment, UnbinnedColumn
from gbdist.categories.hashing import category_hashes
from gbdist.quantize.borders import FeatureBorders
from gbdist_cluster.collective.threads import run_threads

N_ROWS = 240


@dataclass(frozen=True)
class Table:
    """Raw values, and quantized rows once there are borders."""

    frame: pd.DataFrame
    raw: NDArray[np.float64]
    cats: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.frame.columns)

    def pool(self, label: Any, **more: Any) -> catboost.Pool:
        return catboost.Pool(self.frame, label, cat_features=list(self.cats), **more)

    def borders(self, model: catboost.CatBoost) -> tuple[FeatureBorders, ...]:
        known = model.get_borders()
        return tuple(
            FeatureBorders(np.array(known.get(at, []), np.float32), "AsFalse" if name == "a" else "AsIs")
            for at, name in enumerate(self.names)
            if name not in self.cats
        )

    def rows(self, borders: tuple[FeatureBorders, ...], label: Any, group: Any = None) -> Rows:
        binned = [self.frame[name].to_numpy() for name in self.names if name not in self.cats]
        bins = [
            np.where(np.isnan(each), 0, np.searchsorted(one.values, each)).astype(np.uint8)
            for one, each in zip(borders, binned, strict=True)
        ]
        unbinned = tuple(
            UnbinnedColumn(self.names.index(name), "hash", category_hashes(self.frame[name].tolist()))
            for name in self.cats
        )
        label = np.asarray(label, np.float32)
        return Rows(np.array(bins), label, None, None, (Segment(0, N_ROWS, 0),), unbinned, group)


@pytest.fixture(scope="session")
def table() -> Table:
    """Five columns of numbers, "a" with NaNs, two of categories between them, and a number that some of them make."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(N_ROWS, 5)).astype(np.float32), columns=list("abcde"))
    frame.insert(2, "k", rng.choice(list("xyz"), N_ROWS))
    frame["l"] = rng.choice([f"v{number}" for number in range(12)], N_ROWS)
    raw = 2 * frame.a + frame.b * frame.c + 1.5 * (frame.k == "x") + frame.l.str[1:].astype(int) % 3
    frame.loc[rng.random(N_ROWS) < 0.1, "a"] = np.nan
    return Table(frame, raw.to_numpy(np.float64) + rng.normal(size=N_ROWS) * 0.2, ("k", "l"))


def part(rows: Rows, start: int, stop: int) -> Rows:
    """Neighbouring rows as another rank has them."""
    return replace(
        rows,
        bins=np.ascontiguousarray(rows.bins[:, start:stop]),
        label=rows.label[start:stop],
        weight=None if rows.weight is None else rows.weight[start:stop],
        segments=(Segment(0, stop - start, start),) if stop > start else (),
        unbinned=tuple(replace(one, values=one.values[start:stop]) for one in rows.unbinned),
        group=None if rows.group is None else rows.group[start:stop],
    )


def on_ranks(rows: Rows, cuts: list[int], work: Callable[[Rows, Any], Any]) -> list[Any]:
    """What each of some ranks makes of its part of the rows; they are cut at ``cuts``."""
    edges = [0, *cuts, rows.n_rows]
    parts = [part(rows, start, stop) for start, stop in pairwise(edges)]
    found: list[Any] = run_threads(len(parts), lambda collective: work(parts[collective.rank], collective))
    return found
