"""Facts about all rows of a data set, agreed by the ranks once before the first tree."""

import struct
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.rows import Rows
from gbdist.kernels.cpu_histogram import as_weights
from gbdist.kernels.cpu_rows import weight_sum, weighted_label_sum

_RECORD = struct.Struct("<qddd?")


@dataclass(frozen=True, slots=True)
class Population:
    """What is true of a data set as a whole.

    Parameters
    ----------
    n_rows : rows over all ranks
    weighted : whether any rank has row weights
    total_weight : Σ weight
    label_bound, weight_bound, baseline_bound : largest absolute value
    label_mean : weighted mean of the labels
    """

    n_rows: int
    weighted: bool
    total_weight: float
    label_bound: float
    weight_bound: float
    baseline_bound: float
    label_mean: float


def survey_population(rows: Rows, collective: Collective) -> Population:
    """Agree on the facts of a data set; two rounds."""
    mine = _RECORD.pack(
        rows.n_rows,
        _largest(rows.label),
        1.0 if rows.weight is None else _largest(rows.weight),
        0.0 if rows.baseline is None else _largest(rows.baseline),
        rows.weight is not None,
    )
    records = [_RECORD.unpack(record) for record in collective.all_gather(mine)]
    n_rows = sum(record[0] for record in records)
    label_bound, weight_bound, baseline_bound = (max(record[i] for record in records) for i in (1, 2, 3))
    weighted = any(record[4] for record in records)
    rows = with_weights(rows, weighted)
    weight_scale = sum_scale(weight_bound, n_rows)
    label_scale = sum_scale(weight_bound * max(label_bound, 1e-100), n_rows)
    weights = as_weights(rows.weight)
    mine_sums = np.array(
        [
            weight_sum(weights, weight_scale) if weighted else 0,
            weighted_label_sum(rows.label, weights, label_scale),
        ],
        np.int64,
    )
    sums = collective.all_reduce(mine_sums)
    total_weight = int(sums[0]) / weight_scale if weighted else float(n_rows)
    return Population(
        n_rows=n_rows,
        weighted=weighted,
        total_weight=total_weight,
        label_bound=label_bound,
        weight_bound=weight_bound,
        baseline_bound=baseline_bound,
        label_mean=int(sums[1]) / label_scale / total_weight if total_weight > 0.0 else 0.0,
    )


def with_weights(rows: Rows, weighted: bool) -> Rows:
    """Write down weights of 1 where other ranks have weights: kernels count a row without weight as one unit."""
    if weighted and rows.weight is None:
        return replace(rows, weight=np.ones(rows.n_rows, np.float32))
    return rows


def _largest(values: NDArray[np.float32] | NDArray[np.float64]) -> float:
    return float(np.max(np.abs(values), initial=0.0))
