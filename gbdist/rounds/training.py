"""What a rank trains: its trees, round after round, on its own rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import catboost
import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.noise import noise_left
from gbdist.boosting.rows import Rows
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist.rounds.native import grow_trees, predict_raw
from gbdist.rounds.spec import RoundsSpec


@dataclass(frozen=True)
class Grown:
    """What a rank brings to a merge.

    Parameters
    ----------
    models : one ``.cbm`` a round, without start value; none where another rank of its group brings those of the group
    start : float64 [dimension], the value that CatBoost started the first of them from
    """

    models: tuple[bytes, ...]
    start: NDArray[np.float64]


class Trainer:
    """Lets CatBoost grow the trees of one rank. The pool and ``grow`` belong to one thread.

    Parameters
    ----------
    pool : of the training set; it has a baseline while CatBoost trains, and none otherwise
    rows : those of the pool
    n_rows : over all ranks
    """

    def __init__(self, pool: catboost.Pool, rows: Rows, n_rows: int, spec: RoundsSpec, rank: int) -> None:
        self._pool, self._rows, self._n_rows = pool, rows, n_rows
        self._spec, self._rank = spec, rank
        self._start = rows.baseline

    def grow(self, number: int, wanted: Callable[[], bool]) -> Grown:
        """Grow the trees of a round, while ``wanted`` says so between two of them."""
        before = self._start
        model, start = grow_trees(self._pool, before, self._options(number, first=before is None), wanted)
        if before is None:
            before = np.repeat(start[:, None], self._rows.n_rows, axis=1)
        if self._spec.goes_on_alone:
            self._start = before + predict_raw(model, self._pool, self._spec.threads)
        return Grown((fixed_cbm_bytes(model),), start)

    def go_on_from(self, predictions: NDArray[np.float64]) -> None:
        """Start the next round from raw predictions, float64 [dimension, n_rows], and not from the rank's own model."""
        self._start = predictions

    def _options(self, number: int, *, first: bool) -> dict[str, Any]:
        spec = self._spec
        options = dict(spec.options) | dict(spec.devices[self._rank])
        options |= {
            "iterations": spec.trees_in(number),
            "random_seed": spec.seed_of(self._rank, number),
            "thread_count": spec.threads,
            "verbose": False,
            "allow_writing_files": False,
            # A rank may hold rows of one class, or of one value, alone.
            "allow_const_label": True,
        }
        # CatBoost's score noise fades out as a model grows, and each round is a new model to it.
        faded = noise_left(self._n_rows, spec.trees_until(number), spec.learning_rate)
        options["random_strength"] = spec.random_strength * faded
        if not first:
            options["boost_from_average"] = False
        return options
