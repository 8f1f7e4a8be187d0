"""Passes one after the other, and the losses of what they leave."""

import pickle
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.events import IterationDone, RunFinished, RunStarted
from gbdist.categories.statistics import chunks
from gbdist.compression.data import CompressionData, Hear, compression_data
from gbdist.compression.given import open_model
from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.passes.outputs import losses_of, raw_predictions
from gbdist.compression.shares import Part, Shares
from gbdist.compression.work import Course
from gbdist.counted import PASSES
from gbdist.errors import ModelError, ParameterError
from gbdist.estimators.listeners import close, progress_listener
from gbdist.models.ensemble import Ensemble
from gbdist.models.missing import cat_nan_of
from gbdist.quantize.borders import FeatureBorders

#: Losses that are found at a time: predictions of as many are in memory.
_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class PassDone:
    """What a pass left: trees and leaves of the ensemble after it, and seconds that it took on rank 0."""

    name: str
    trees: int
    leaves: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Compressed:
    """An ensemble after some passes, and what each of them left."""

    ensemble: Ensemble
    passes: tuple[PassDone, ...] = ()


@dataclass(frozen=True, eq=False)
class CompressionPipeline:
    """Passes in their order.

    Raises
    ------
    ParameterError
        For something that is no pass, when the pipeline is made.
    """

    passes: tuple[Pass, ...]

    def __init__(self, passes: Sequence[Pass]) -> None:
        if isinstance(passes, str) or not isinstance(passes, Iterable):
            raise ParameterError("passes", passes, "a sequence of passes", "Put it into a list.")
        passes = tuple(passes)
        for number, one in enumerate(passes):
            if not isinstance(one, Pass):
                fix = "Use those of gbdist.compression.passes, or a subclass of Pass."
                raise ParameterError(f"passes[{number}]", one, "a Pass", fix)
        object.__setattr__(self, "passes", passes)

    @property
    def needs_rows(self) -> bool:
        """Whether any pass looks at rows."""
        return any(one.needs_rows for one in self.passes)

    def apply(
        self, ensemble: Ensemble, data: CompressionData | None = None, listener: Hear | None = None
    ) -> Compressed:
        """Run the passes; the ensemble that was given stays as it is.

        Parameters
        ----------
        data : CompressionData or None
            Of a model with the same features. Passes see its part "passes". None where no pass looks at rows: then all is done in
            this process, as it is with data where no pass does.
        listener : callable or None
            Hears of each pass, in this thread.

        Raises
        ------
        ModelError
            Where a pass does not apply, or ``data`` are of a model with other features.
        ParameterError
            Where a pass needs rows and there are no data.
        """
        if self.needs_rows:
            if data is None:
                needy = next(one.name for one in self.passes if one.needs_rows)
                raise ParameterError("data", None, f"rows, which the pass {needy!r} looks at", "Give X and y.")
            require_same_features(ensemble, data.ensemble)
            return data.ask(RunPasses(ensemble, self.passes), listener)
        return run_passes(ensemble, self.passes, None, Course.here(listener))

    def compress(
        self,
        model: Any,
        X: Any = None,
        y: Any = None,
        sample_weight: Any = None,
        *,
        seed: int = 0,
        client: Any = None,
        cat_nan: str | None = None,
        verbose: Any = None,
    ) -> Any:
        """Run the passes on a model and all the rows that are given; the CatBoost model that comes out.

        Nothing is kept from the passes: look at the result on other rows.

        Parameters
        ----------
        model : CatBoost model, fitted gbdist estimator of trees, or path of a ``.cbm``
            Stays as it is.
        X, y, sample_weight, seed, client, cat_nan : see ``compression_data``; X may be left out where no pass looks at rows
        verbose : as of ``fit``

        Raises
        ------
        ParameterError, DataError, ModelError, ClusterError
        """
        given, listener = open_model(model), progress_listener(verbose)
        hear = None if listener is None else listener.hear
        try:
            if X is None or not self.needs_rows:
                return given.written(self.apply(given.ensemble, None, hear).ensemble)
            with compression_data(
                *(X, y, sample_weight),
                model=given.ensemble,
                shares=Shares(0.0, 0.0),
                seed=seed,
                client=client,
                cat_nan=cat_nan_of(given.model) if cat_nan is None else cat_nan,
            ) as data:
                return given.written(self.apply(given.ensemble, data, hear).ensemble)
        finally:
            close(listener)


@dataclass(frozen=True, eq=False)
class RunPasses:
    """Work of ranks: the passes of a pipeline; see ``work.Work``."""

    ensemble: Ensemble
    passes: tuple[Pass, ...]
    part: Part = "passes"

    @property
    def count(self) -> int:
        """See ``Work``."""
        return len(self.passes)

    def on_rank(self, data: PassData, course: Course) -> Compressed:
        """See ``Work``."""
        return run_passes(self.ensemble, self.passes, data, course)


@dataclass(frozen=True, eq=False)
class FindLosses:
    """Work of ranks: the loss of each of several ensembles on a part; see ``work.Work``."""

    ensembles: tuple[Ensemble, ...]
    part: Part
    count: int = 0

    def on_rank(self, data: PassData, course: Course) -> list[float]:
        """See ``Work``."""
        found: list[float] = []
        for some in chunks(self.ensembles, _TOGETHER):
            found += losses_of([raw_predictions(ensemble, data) for ensemble in some], data)
        return found


def losses(ensembles: Sequence[Ensemble], data: CompressionData, part: Part) -> NDArray[np.float64]:
    """The metric of the model's loss of each of several ensembles on a part of the rows, float64 [n]: the same on any cluster.

    ``data.measure.metric.is_max_optimal`` says whether larger is better. One run of the gang, whatever the number of ensembles.
    """
    for ensemble in ensembles:
        require_same_features(ensemble, data.ensemble)
    return np.array(data.ask(FindLosses(tuple(ensembles), part)), np.float64)


def run_passes(ensemble: Ensemble, passes: Sequence[Pass], data: PassData | None, course: Course) -> Compressed:
    """Run passes on one rank; what another rank has done before this gang is not done again."""
    so_far = Compressed(ensemble)
    if data is not None:
        data = replace(data, teacher=ensemble)
        so_far = _furthest(course.kept or so_far, data.collective)
        rows, size = data.losses.n_rows, data.collective.size
        course.hear(RunStarted(len(passes), rows, len(ensemble.feature_names), size, {}, len(so_far.passes), PASSES))
    for number in range(len(so_far.passes), len(passes)):
        so_far = _with_pass(so_far, passes[number], data)
        course.keep(so_far)
        done = so_far.passes[-1]
        figures = {"trees": float(done.trees), "leaves": float(done.leaves)}
        course.hear(IterationDone(number, {done.name: figures}, -1, np.nan))
    if data is not None:
        course.hear(RunFinished(len(passes), "iterations"))
    return so_far


def _with_pass(so_far: Compressed, one: Pass, data: PassData | None) -> Compressed:
    if data is not None:
        data.check()
    since = time.perf_counter()
    made = one.apply(so_far.ensemble, data)
    require_same_features(made, so_far.ensemble)
    done = PassDone(one.name, len(made.trees), made.n_leaves, time.perf_counter() - since)
    return Compressed(made, (*so_far.passes, done))


def _furthest(mine: Compressed, collective: Collective) -> Compressed:
    """What the rank has that did most passes; after the same ones all have the same."""
    counts = [int.from_bytes(item, "little") for item in collective.all_gather(len(mine.passes).to_bytes(8, "little"))]
    source = counts.index(max(counts))
    if min(counts) == max(counts):
        return mine
    sent = collective.all_gather(pickle.dumps(mine) if collective.rank == source else b"")[source]
    found: Compressed = pickle.loads(sent)
    return found


def require_same_features(ensemble: Ensemble, other: Ensemble) -> None:
    """ModelError unless two ensembles have the same columns, so that the bins of one are those of the other."""
    if ensemble.borders is other.borders and ensemble.categories is other.categories:
        return
    same = len(ensemble.features) == len(other.features) and all(
        _same_feature(mine, theirs) for mine, theirs in zip(ensemble.features, other.features, strict=True)
    )
    if not same:
        raise ModelError(
            "the ensemble has other borders or categories than the rows were cut by",
            "Make the data with this model, and let passes keep the features of the ensemble as they are.",
        )


def _same_feature(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, FeatureBorders) and isinstance(theirs, FeatureBorders):
        return mine.nan_treatment == theirs.nan_treatment and np.array_equal(mine.values, theirs.values)
    return bool(mine == theirs)
