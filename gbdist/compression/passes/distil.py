"""A student of fewer and shallower trees, grown to say what its teacher says.

Model compression after Buciluă, Caruana and Niculescu-Mizil (KDD 2006): the teacher's raw values are the student's labels, and
rows that nobody has labelled teach as well as those of the training set. The trainer is our own, by squared error.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.events import Event
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams
from gbdist.boosting.population import survey_population
from gbdist.boosting.rows import Rows
from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.passes.derivatives import expand
from gbdist.compression.passes.monotone import constraints_of
from gbdist.compression.passes.noise import (
    Swaps,
    copies_for,
    draw_donors,
    extent_of,
    likeness_of,
    noised,
    segments_with_copies,
)
from gbdist.compression.passes.outputs import raw_predictions
from gbdist.compression.passes.settle import Lesson, settled
from gbdist.compression.passes.sizes import is_number, rows_given
from gbdist.compression.passes.student_columns import StudentColumn, features_of, student_columns, translated
from gbdist.compression.passes.weights import with_leaf_weights
from gbdist.errors import ModelError, ParameterError
from gbdist.metrics import make_metrics
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree
from gbdist.objectives import make_objective

#: Copies bring a student about as many rows, of all ranks, where there are fewer.
WANTED_ROWS = 200_000
#: However few rows there are, a student gets no more copies of them.
MOST_COPIES = 20
#: Deviations of a raw value below this are none.
_LEAST_DEVIATION = 1e-100


@dataclass(frozen=True)
class Distil(Pass):
    """Grow a student on the teacher's raw values.

    The student has the teacher's columns, borders, classes and options; its trees are symmetric, and as leaf weights it has
    those of the rows themselves, without copies.

    Parameters
    ----------
    trees : int
        How many the student has.
    depth : int
        Of its trees, 1 to 16.
    learning_rate : float
        Above 0, at most 1. What a teacher says has no noise to be careful about: far larger ones than in training are best.
    copies : int or None
        How many copies of the rows, with some cells changed, the student sees beside the rows; None: as many as bring it about
        ``WANTED_ROWS`` rows. Each takes as much memory as the rows.
    noise : float
        Probability, 0 to 1, that a cell of a copy is that of another row.
    likeness : float
        Above 0, at most 1: that other row is among this share of the rows, those of which the teacher says about the same.
    labels : float
        How far, 0 to 1, the student aims from what the teacher says of a row itself towards the row's label: that share of a
        Newton step of the model's loss. 0 does without labels, as do losses that have no derivatives of a row alone.
        For rows that the teacher was not trained on: those that it was, it knows by heart as it is.
    emphasis : float
        How much one of the rows counts, in copies of it; at least 1.
    rounds : int
        How often leaf values settle together in the end (``settle``); 0 for never, as it is where columns are monotone.
    l2_leaf_reg : float
        As in training, not negative.
    """

    name: ClassVar[str] = "distil"
    needs_rows: ClassVar[bool] = True

    trees: int
    depth: int = 6
    learning_rate: float = 0.5
    copies: int | None = None
    noise: float = 0.3
    likeness: float = 0.05
    labels: float = 0.0
    emphasis: float = 2.0
    rounds: int = 3
    l2_leaf_reg: float = 1.0

    def __post_init__(self) -> None:
        """Raise ParameterError for a value out of its range."""
        fix = "Leave it out to use what is usual."
        for name, least in (("trees", 1), ("depth", 1), ("copies", 0), ("rounds", 0)):
            value = getattr(self, name)
            if value is not None and not (is_number(value, int) and value >= least):
                raise ParameterError(name, value, f"an integer, at least {least}", fix)
        if self.depth > 16:
            raise ParameterError("depth", self.depth, "at most 16", fix)
        for name in ("learning_rate", "likeness"):
            if not (is_number(getattr(self, name)) and 0.0 < getattr(self, name) <= 1.0):
                raise ParameterError(name, getattr(self, name), "a number above 0, at most 1", fix)
        for name in ("noise", "labels"):
            if not (is_number(getattr(self, name)) and 0.0 <= getattr(self, name) <= 1.0):
                raise ParameterError(name, getattr(self, name), "a number, 0 to 1", fix)
        for name, least in (("l2_leaf_reg", 0), ("emphasis", 1)):
            if not (is_number(getattr(self, name)) and least <= getattr(self, name) < np.inf):
                raise ParameterError(name, getattr(self, name), f"a number, at least {least}", fix)

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        """See ``Pass.apply``."""
        data = rows_given(data, self.name)
        teacher = data.teacher_of(ensemble)
        columns = student_columns(ensemble, data.columns)
        if not columns:
            raise ModelError("no tree of the model has a split, so a student has nothing to learn", "Keep the model.")
        lessons = self._lessons(teacher, data)
        rows = self._rows(lessons, columns, data)
        n_bins = np.array([len(column.splits) + 1 for column in columns], np.int64)
        constraints = constraints_of(teacher)
        params = replace(
            self._params(teacher.dimension, data),
            monotone_constraints=tuple(constraints[column.feature] for column in columns),
        )
        grown = boost(rows, [], n_bins, params, data.collective, [_Asks(data)])
        trees = [tree for tree in grown.trees if isinstance(tree, ObliviousTree)]
        if self.rounds and not any(constraints):
            trees = settled(trees, Lesson(rows, grown.predictions), self.rounds, self.l2_leaf_reg, data)
        return replace(
            ensemble,
            trees=with_leaf_weights([lessons.unscaled(translated(tree, columns)) for tree in trees], data),
            bias=teacher.bias + lessons.mean,
            options=_of_symmetric_trees(ensemble.options),
        )

    def _lessons(self, teacher: Ensemble, data: PassData) -> "_Lessons":
        """What the teacher says of the rows, and what they are labelled with."""
        raw = raw_predictions(teacher, data)
        steps = None
        if self.labels > 0.0:
            expansion = expand(raw, data)
            if expansion.first is not None:
                # A row without weight has neither.
                counts = expansion.curvature > 0.0
                steps = self.labels * np.divide(
                    expansion.first, expansion.curvature, out=np.zeros_like(raw), where=counts
                )
        return _Lessons.of(teacher, raw, steps, data)

    def _params(self, dimension: int, data: PassData) -> BoostParams:
        """How the student is trained: without noise of any kind, for its labels have none."""
        loss = "RMSE" if dimension == 1 else "MultiRMSE"
        return BoostParams(
            objective=make_objective(loss, dimension),
            metrics=make_metrics(loss, dimension, loss),
            iterations=self.trees,
            depth=self.depth,
            learning_rate=self.learning_rate,
            l2_leaf_reg=self.l2_leaf_reg,
            score_function="L2",
            random_strength=0.0,
            metric_period=self.trees,
            random_seed=data.seed,
            threads=data.threads,
        )

    def _rows(self, lessons: "_Lessons", columns: Sequence[StudentColumn], data: PassData) -> Rows:
        """The student's rows: those that there are, then each copy, which are the rows behind all others, numbered on."""
        teacher, n_rows, copies = lessons.teacher, data.rows.n_rows, self._copies(lessons.n_rows)
        bins = np.empty((len(columns), (copies + 1) * n_rows), data.columns.dtype)
        label = np.empty((teacher.dimension, (copies + 1) * n_rows), np.float32)
        _write_bins(data.rows, columns, bins[:, :n_rows])
        label[:, :n_rows] = lessons.labels(lessons.raw if lessons.steps is None else lessons.raw + lessons.steps)
        if copies:
            likeness = likeness_of(lessons.raw)
            features = sorted({*features_of(columns), *teacher.tested})
            donors = draw_donors(features, likeness, lessons.n_rows, data)
            swaps = Swaps(self.noise, self.likeness)
        for copy in range(copies):
            asked = replace(data, rows=noised(teacher, likeness, donors, swaps, copy, data))
            place = slice((copy + 1) * n_rows, (copy + 2) * n_rows)
            _write_bins(asked.rows, columns, bins[:, place])
            label[:, place] = lessons.labels(raw_predictions(teacher, asked))
        weight = self._weights(data.rows.weight, n_rows, copies)
        segments = segments_with_copies(data.rows, copies, lessons.next_row)
        return Rows(bins, label if teacher.dimension > 1 else label[0], weight, None, segments)

    def _weights(self, weight: NDArray[np.float32] | None, n_rows: int, copies: int) -> NDArray[np.float32] | None:
        """Weights of the rows and of their copies, float32 [(copies + 1) × n_rows]; None where all are 1."""
        if weight is None and (not copies or self.emphasis == 1.0):
            return None
        own = np.ones(n_rows, np.float32) if weight is None else weight
        return np.concatenate([own * np.float32(self.emphasis if copies else 1.0), *[own] * copies])

    def _copies(self, n_rows: int) -> int:
        """How many copies of ``n_rows`` rows of all ranks there are to be."""
        return copies_for(n_rows, WANTED_ROWS, MOST_COPIES) if self.copies is None else self.copies


@dataclass(frozen=True, eq=False)
class _Lessons:
    """How raw values become a student's labels, which float32 holds well: without their mean, in units of their deviation.

    Parameters
    ----------
    teacher : Ensemble
    raw : float64 [dimension, n]
        What the teacher says of this rank's rows.
    steps : float64 [dimension, n] or None
        How far from there labels are aimed at.
    n_rows : rows of all ranks
    next_row : the number after the largest one of any row
    mean, deviation : float64 [dimension], of raw values without the teacher's bias, over all ranks
    """

    teacher: Ensemble
    raw: NDArray[np.float64]
    steps: NDArray[np.float64] | None
    n_rows: int
    next_row: int
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def of(
        cls, teacher: Ensemble, raw: NDArray[np.float64], steps: NDArray[np.float64] | None, data: PassData
    ) -> "_Lessons":
        """Agree on what is the same for all ranks; five rounds."""
        values = raw - teacher.bias[:, np.newaxis]
        first = survey_population(replace(data.rows, label=values.astype(np.float32)), data.collective)
        mean = np.array(first.label_means)
        squares = (values - mean[:, np.newaxis]) ** 2
        second = survey_population(replace(data.rows, label=squares.astype(np.float32)), data.collective)
        deviation = np.sqrt(np.array(second.label_means))
        deviation = np.where(deviation > _LEAST_DEVIATION, deviation, 1.0)
        return cls(teacher, raw, steps, *extent_of(data), mean, deviation)

    def labels(self, raw: NDArray[np.float64]) -> NDArray[np.float32]:
        """Labels of raw values, float32 [dimension, n] of float64."""
        values = raw - self.teacher.bias[:, np.newaxis]
        return ((values - self.mean[:, np.newaxis]) / self.deviation[:, np.newaxis]).astype(np.float32)

    def unscaled(self, tree: ObliviousTree) -> ObliviousTree:
        """A tree of labels as one of raw values."""
        return replace(tree, leaf_values=tree.leaf_values * self.deviation)


@dataclass(frozen=True, eq=False)
class _Asks:
    """Asks after each tree whether anybody still waits for the student."""

    data: PassData

    def hear(self, event: Event) -> bool:
        """See ``events.Listener``."""
        self.data.check()
        return False


def _write_bins(rows: Rows, columns: Sequence[StudentColumn], out: NDArray[Any]) -> None:
    for row, column in zip(out, columns, strict=True):
        np.take(column.bin_of, np.asarray(rows.bins[column.feature]), out=row)


def _of_symmetric_trees(options: dict[str, Any]) -> dict[str, Any]:
    """Options of a model, which are to say how its trees are now: CatBoost's own answers go by that."""
    learner = options.get("tree_learner_options")
    if not learner or learner.get("grow_policy", "SymmetricTree") == "SymmetricTree":
        return options
    return {**options, "tree_learner_options": {**learner, "grow_policy": "SymmetricTree"}}
