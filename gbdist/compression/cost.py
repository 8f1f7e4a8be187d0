"""What predictions of a model cost: by a fixed model of CatBoost's work, for choices; and measured, for reports."""

import statistics
import time
from dataclasses import dataclass, fields
from typing import Any

import catboost
import numpy as np
from numpy.typing import NDArray

from gbdist.compression.passes.worth import counted_weights
from gbdist.errors import ParameterError
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import OneHotFeature, StatisticFeature
from gbdist.models.tree import NonSymmetricTree, ObliviousTree
from gbdist.quantize.borders import FeatureBorders


@dataclass(frozen=True)
class Work:
    """What CatBoost does for one row of a large batch (catboost/libs/model/cpu/evaluator_impl.cpp), counted from the model.

    Parameters
    ----------
    columns : columns of numbers that are read
    borders : borders of numbers that any tree tests
    one_hot : values of categories that any tree tests
    projections : combinations of columns whose key is made
    statistics : numbers made of the counts of such a key, which is looked up
    trees, levels : symmetric trees, and all their levels
    vectors : those of them whose leaves have several values, which CatBoost takes one by one
    paths : other trees
    steps : nodes that a row meets in those, the mean over training rows, by leaf weights
    deepest : nodes on their longest ways, for rows go down side by side, and wait for the last
    leaves : leaf values that are read, one a tree and raw value
    """

    columns: int
    borders: int
    one_hot: int
    projections: int
    statistics: int
    trees: int
    levels: int
    vectors: int
    paths: int
    steps: float
    deepest: int
    leaves: int


#: Nanoseconds for one of each, fitted to CatBoost 1.2.10 on one thread by ``bench/latency.py``, which prints them: over
#: models of 48 shapes they are 2 % off in the median, and 8 % at most.
UNITS = {
    "columns": 3.9,
    "borders": 0.065,
    "one_hot": 2.0,
    "projections": 4.5,
    "statistics": 4.1,
    "trees": 0.25,
    "levels": 0.035,
    "vectors": 1.0,
    "paths": 2.2,
    "steps": 0.24,
    "deepest": 1.6,
    "leaves": 0.061,
}


def cost_of(ensemble: Ensemble) -> float:
    """Units of work for one row of a large batch: about nanoseconds on the machine that ``UNITS`` was fitted on.

    It follows from the model alone, so that what is chosen by it is chosen again; only the ratio of two models means anything
    elsewhere.
    """
    work = work_of(ensemble)
    return float(sum(UNITS[field.name] * getattr(work, field.name) for field in fields(Work)))


def work_of(ensemble: Ensemble) -> Work:
    """Count the work. What no tree uses is not there in the CatBoost model, and does not count."""
    features = ensemble.features
    tests = {split for tree in ensemble.trees for split in tree.splits}
    used = {split.feature for split in tests}
    statistics_used = [feature for f in used if isinstance(feature := features[f], StatisticFeature)]
    projections = {feature.projection for feature in statistics_used}
    of_numbers = {(s.feature, s.border) for s in tests if isinstance(features[s.feature], FeatureBorders)}
    of_numbers |= {split for projection in projections for split in projection.float_splits}
    one_hot = {(s.feature, s.border) for s in tests if isinstance(features[s.feature], OneHotFeature)}
    symmetric = [tree for tree in ensemble.trees if isinstance(tree, ObliviousTree)]
    others = [tree for tree in ensemble.trees if isinstance(tree, NonSymmetricTree)]
    ways = [_steps(tree) for tree in others]
    return Work(
        columns=len({feature for feature, _ in of_numbers}),
        borders=len(of_numbers),
        one_hot=len(one_hot),
        projections=len(projections),
        statistics=len(statistics_used),
        trees=len(symmetric),
        levels=sum(tree.depth for tree in symmetric),
        vectors=len(symmetric) if ensemble.dimension > 1 else 0,
        paths=len(others),
        steps=sum(_mean_steps(tree, steps) for tree, steps in zip(others, ways, strict=True)),
        deepest=sum(int(steps.max()) for steps in ways),
        leaves=len(ensemble.trees) * ensemble.dimension,
    )


def _steps(tree: NonSymmetricTree) -> NDArray[np.int64]:
    """Nodes on the way to each leaf, int64 [n_leaves]."""
    steps = np.zeros(tree.n_leaves, dtype=np.int64)
    depths = [0] * len(tree.nodes)
    for number, node in enumerate(tree.nodes):
        for child in (node.left, node.right):
            if child >= 0:
                depths[child] = depths[number] + 1
            else:
                steps[~child] = depths[number] + 1
    return steps


def _mean_steps(tree: NonSymmetricTree, steps: NDArray[np.int64]) -> float:
    """Nodes on the way of a row, by leaf weights; all leaves count alike where they have none."""
    weights = counted_weights(tree)
    return float(steps @ (weights / weights.sum()))


@dataclass(frozen=True)
class Latency:
    """Seconds a row on one thread, in a batch and alone.

    Parameters
    ----------
    batch : all rows at once, divided by their number
    single : one row at a time, CatBoost's own calls included
    n_rows : of the batch
    """

    batch: float
    single: float
    n_rows: int


def measure_latency(model: Any, rows: Any, *, repeats: int = 5, singles: int = 200) -> Latency:
    """Time a CatBoost model's raw predictions on one thread: medians.

    Rows are made a ``catboost.Pool`` before the clock runs: what that takes does not depend on the model, and for texts is far
    more than the trees take.

    Parameters
    ----------
    model : a CatBoost model
    rows : a ``catboost.Pool``, or what one is made of, with the model's own categorical columns; at least one row
    repeats : batches that are timed
    singles : predictions of a single row that are timed, of different rows as far as there are any
    """
    pool = rows if isinstance(rows, catboost.Pool) else catboost.Pool(rows, **_columns_of(model))
    n_rows = pool.num_row()
    if n_rows == 0:
        raise ParameterError("rows", "no rows", "at least one row", "Pass some of the rows that the model is for.")
    alone = [pool.slice([k % n_rows]) for k in range(min(singles, n_rows))]
    for few in (pool, alone[0]):
        _seconds(model, few)  # the first call makes what later ones find
    batch = statistics.median(_seconds(model, pool) for _ in range(repeats))
    single = statistics.median(_seconds(model, alone[k % len(alone)]) for k in range(singles))
    return Latency(batch / n_rows, single, n_rows)


def _columns_of(model: Any) -> dict[str, Any]:
    """Which columns of rows are what, as the model has them."""
    return {
        "cat_features": list(model.get_cat_feature_indices()),
        "text_features": list(model.get_text_feature_indices()),
        "embedding_features": list(model.get_embedding_feature_indices()),
        "feature_names": list(model.feature_names_),
    }


def _seconds(model: Any, pool: catboost.Pool) -> float:
    start = time.perf_counter()
    model.predict(pool, prediction_type="RawFormulaVal", thread_count=1)
    return time.perf_counter() - start
