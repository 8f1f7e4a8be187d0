"""Facts about all rows of a data set, agreed by the ranks once before the first tree."""

import struct
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.rows import Rows, labels_of
from gbdist.kernels.cpu_histogram import as_weights
from gbdist.kernels.cpu_rows import weight_sum, weighted_label_sum

_RECORD = struct.Struct("<qdd?")


@dataclass(frozen=True, slots=True)
class Population:
    """What is true of a data set as a whole.

    Parameters
    ----------
    n_rows : rows over all ranks
    weighted : whether any rank has row weights
    total_weight : Σ weight
    label_bound, weight_bound : largest absolute value
    baseline_bounds : the same of each raw value of the baseline; empty without one
    label_means : weighted mean of each label, of the rows that have it
    """

    n_rows: int
    weighted: bool
    total_weight: float
    label_bound: float
    weight_bound: float
    baseline_bounds: tuple[float, ...]
    label_means: tuple[float, ...]


def survey_population(rows: Rows, collective: Collective) -> Population:
    """Agree on the facts of a data set; two rounds."""
    mine = _RECORD.pack(
        rows.n_rows,
        _largest(rows.label),
        1.0 if rows.weight is None else _largest(rows.weight),
        rows.weight is not None,
    )
    # Ranks without rows may not know of a baseline.
    bounds = np.array([_largest(each) for each in (() if rows.baseline is None else rows.baseline)])
    every = collective.all_gather(mine + bounds.tobytes())
    records = [_RECORD.unpack_from(record) for record in every]
    baselines = [np.frombuffer(record, offset=_RECORD.size) for record in every if len(record) > _RECORD.size]
    n_rows = sum(record[0] for record in records)
    label_bound, weight_bound = (max(record[i] for record in records) for i in (1, 2))
    weighted = any(record[3] for record in records)
    rows = with_weights(rows, weighted)
    weight_scale = sum_scale(weight_bound, n_rows)
    label_scale = sum_scale(weight_bound * max(label_bound, 1e-100), n_rows)
    weights = as_weights(rows.weight)
    mine_sums = [weight_sum(weights, weight_scale) if weighted else rows.n_rows]
    for label in labels_of(rows.label):
        there = ~np.isnan(label)
        label, weight = (label, weights) if there.all() else (label[there], weights[there] if weighted else weights)
        mine_sums += [
            weight_sum(weight, weight_scale) if weighted else label.shape[0],
            weighted_label_sum(label, weight, label_scale),
        ]
    sums = collective.all_reduce(np.array(mine_sums, np.int64))
    total_weight, *of_labels = (sums[[0, *range(1, len(sums), 2)]] / (weight_scale if weighted else 1.0)).tolist()
    return Population(
        n_rows=n_rows,
        weighted=weighted,
        total_weight=total_weight,
        label_bound=label_bound,
        weight_bound=weight_bound,
        baseline_bounds=tuple(np.max(baselines, axis=0).tolist()) if baselines else (),
        label_means=tuple(
            int(total) / label_scale / weight if weight > 0.0 else 0.0
            for total, weight in zip(sums[2::2], of_labels, strict=True)
        ),
    )


def with_weights(rows: Rows, weighted: bool) -> Rows:
    """Write down weights of 1 where other ranks have weights: kernels count a row without weight as one unit."""
    if weighted and rows.weight is None:
        return replace(rows, weight=np.ones(rows.n_rows, np.float32))
    return rows


def _largest(values: NDArray[np.float32] | NDArray[np.float64]) -> float:
    return float(np.fmax.reduce(np.abs(values), axis=None, initial=0.0))
