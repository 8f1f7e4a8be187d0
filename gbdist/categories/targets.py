"""Classes of the target that statistics count: those of a classifier, or ranges of numbers."""

import numpy as np
from catboost.utils import calculate_quantization_grid
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.draws import Purpose, key_of
from gbdist.boosting.rows import Rows, labels_of
from gbdist.categories.rules import CategoryRules
from gbdist.errors import DataError
from gbdist.kernels.hashing import hash_numbers

#: Ranges are chosen from about this many rows, drawn by hash of their numbers.
_SAMPLED = 200_000
#: Classes are numbers of one byte.
_MOST_CLASSES = 256


def target_classes(
    rows: Rows, n_classes: int, rules: CategoryRules, seed: int, collective: Collective
) -> tuple[NDArray[np.uint8], int]:
    """Class of each row, uint8 [n], and how many classes there are.

    As in CatBoost (target_classifier.cpp): with several classes (``n_classes`` above 2) the class itself; else the label is cut
    at ``target_border_count`` borders (of several labels the first one, but no statistic is made of it). ``rows`` are numbered
    over all ranks without gaps.

    Raises DataError for more classes than statistics count.
    """
    if n_classes > 2:
        _check_number(n_classes, rules)
        return rows.label.astype(np.uint8), n_classes
    sample = _sample(rows, seed, collective)
    borders = np.asarray(
        calculate_quantization_grid(sample, rules.target_border_count, rules.target_border_type), np.float32
    )
    return np.searchsorted(borders, labels_of(rows.label)[0], side="left").astype(np.uint8), int(borders.shape[0]) + 1


def _check_number(n_classes: int, rules: CategoryRules) -> None:
    if n_classes > _MOST_CLASSES:
        name = rules.columns[rules.statistic_columns[0]].name
        raise DataError(
            "y",
            f"{n_classes} classes",
            f"at most {_MOST_CLASSES} where categorical columns become target statistics, as {name!r} does",
            "Join rare classes, leave such columns out of cat_features, or raise one_hot_max_size to their numbers of values.",
        )


def _sample(rows: Rows, seed: int, collective: Collective) -> NDArray[np.float32]:
    """Labels of sampled rows of all ranks, ascending."""
    n_rows = int(collective.all_reduce(np.array([rows.n_rows], np.int64))[0])
    limit = min((_SAMPLED << 64) // max(n_rows, 1), (1 << 64) - 1)
    mine = labels_of(rows.label)[0][
        hash_numbers(key_of(seed, Purpose.TARGET_SAMPLE), rows.numbers()) <= np.uint64(limit)
    ]
    return np.sort(np.concatenate([np.frombuffer(one, np.float32) for one in collective.all_gather(mine.tobytes())]))
