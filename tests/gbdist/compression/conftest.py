"""Random ensembles, with and without categorical columns, and their rows as ranks have them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.boosting.rows import Rows, Segment
from gbdist.compression.passes.base import PassData, measure_of
from gbdist.compression.passes.columns import binned, columns_of
from gbdist.models.ensemble import Ensemble
from gbdist_cluster.collective.threads import run_threads

from ..models import conftest as of_models

make_ensemble = of_models.make_ensemble
make_categorical = of_models.make_categorical
raw_features = of_models.raw_features

Result = TypeVar("Result")


def rows_of(
    ensemble: Ensemble,
    features: NDArray[np.float32],
    label: NDArray[np.float32],
    hashes: NDArray[np.uint32] | None = None,
    weight: NDArray[np.float32] | None = None,
) -> Rows:
    """All rows of a data set as one rank has them; features float32 [n_rows, n_binned]."""
    return Rows(binned(ensemble, features, hashes), label, weight, None, (Segment(0, features.shape[0], 0),))


def part_of(rows: Rows, ranges: Sequence[tuple[int, int]]) -> Rows:
    """Some ranges of a data set's rows, a segment each, in the order in which they are told."""
    chosen = np.concatenate([np.arange(start, stop) for start, stop in ranges]).astype(np.intp)
    ends = np.cumsum([0, *(stop - start for start, stop in ranges)]).tolist()
    return replace(
        rows,
        bins=np.ascontiguousarray(np.asarray(rows.bins)[:, chosen]),
        label=rows.label[chosen],
        weight=None if rows.weight is None else rows.weight[chosen],
        segments=tuple(Segment(a, b, start) for (a, b), (start, _) in zip(pairwise(ends), ranges, strict=True)),
    )


def data_of(ensemble: Ensemble, rows: Rows, collective: Collective | None = None, **more: int) -> PassData:
    """What one rank gives a pass; alone unless it has a collective."""
    options = {"seed": 7, "threads": 1, **more}
    return PassData(rows, columns_of(ensemble), collective or SingleRank(), measure_of(ensemble), **options)


def on_ranks(
    ensemble: Ensemble, rows: Rows, placement: Sequence[Sequence[tuple[int, int]]], work: Callable[[PassData], Result]
) -> list[Result]:
    """Do some work on as many ranks as the placement has ranges of rows for; the result of each."""
    parts = [part_of(rows, ranges) for ranges in placement]
    return run_threads(len(parts), lambda collective: work(data_of(ensemble, parts[collective.rank], collective)))


def placements(n_rows: int) -> list[list[list[tuple[int, int]]]]:
    """One, two and three ranks; of the last, one has two ranges that are not in order, and one has no rows."""
    third = n_rows // 3
    return [
        [[(0, n_rows)]],
        [[(0, third)], [(third, n_rows)]],
        [[(2 * third, n_rows), (0, third)], [(0, 0)], [(third, 2 * third)]],
    ]
