"""``gbdist.compress``: a smaller model for a target, chosen among many, and the report of what that cost."""

from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Any, Final

import numpy as np

from gbdist.boosting.events import IterationDone, Listener, RunFinished, RunStarted
from gbdist.compression.candidates import families_for
from gbdist.compression.chance import FindPartLoss, PartLoss
from gbdist.compression.cost import measure_latency
from gbdist.compression.data import CompressionData, compression_data
from gbdist.compression.errors import TargetNotReached
from gbdist.compression.figures import Measured, ModelFigures, figures_of
from gbdist.compression.given import GivenModel, open_model
from gbdist.compression.passes.base import Pass
from gbdist.compression.pipeline import CompressionPipeline, losses
from gbdist.compression.report import CompressionReport
from gbdist.compression.search import Candidate, Search
from gbdist.compression.shares import Part
from gbdist.compression.targets import Targets, parse_targets
from gbdist.counted import MODELS
from gbdist.errors import ParameterError
from gbdist.estimators.fitted import scheduler_of
from gbdist.estimators.listeners import close, progress_listener
from gbdist.estimators.plotting import some_features
from gbdist.estimators.prediction.features import Expected
from gbdist.estimators.preparation.inputs import collect
from gbdist.models.ensemble import Ensemble
from gbdist.models.missing import cat_nan_of

#: Rows that latency is measured on.
_TIMED_ROWS: Final = 2_000


def compress(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    target: str,
    sample_weight: Any = None,
    holdout: Sequence[Any] | None = None,
    passes: Sequence[Pass | Sequence[Pass]] | None = None,
    cat_nan: str | None = None,
    seed: int = 0,
    client: Any = None,
    verbose: Any = None,
) -> tuple[Any, CompressionReport]:
    """Make a model smaller.

    Pipelines of passes are tried on some of the rows, models are chosen by their loss on others, and the report is made on rows
    that neither has seen. The same rows, target and seed give the same model, on any cluster. The model itself is not changed.

    Parameters
    ----------
    model : CatBoost model, fitted estimator of trees, or path of a .cbm
        Of numbers and categories, and of any loss that gbdist knows, apart from those of rankers.
    X, y, sample_weight : as of ``fit``
        In memory, or Dask collections, whose rows stay where they are. The columns are the model's, in its order.
    target : str
        "size:0.25", "size:200KB", "latency:0.5", "trees:250", "loss:+0.2%", "loss:0.3471"; see ``parse_target``. Several with
        commas between them have to be kept together. With a bound on the loss the smallest model is looked for, else the best.
    holdout : (X, y) or (X, y, sample_weight)
        Rows that the model was not trained on; needed where X is what it was trained on. Without it parts of X are held out.
    passes : sequence of Pass, or of sequences of Pass
        Pipelines to try in place of the usual ones: one, or several.
    cat_nan : str
        What stands for missing values in categorical columns; left out: what it was in training, if the model says so.
    seed : int
    client, verbose : as of the estimators

    Returns
    -------
    A CatBoost model, a classifier or a regressor as the one that was given, and the ``CompressionReport``.

    Raises
    ------
    TargetNotReached
        That carries the nearest model and its report.
    ParameterError, DataError, ModelError, ClusterError
        For a target, rows or a model that cannot be used.
    """
    started = perf_counter()
    aim, pipelines = parse_targets(target), _pipelines(passes)
    given = open_model(model)
    cat_nan = cat_nan_of(given.model) if cat_nan is None else cat_nan
    listener = progress_listener(verbose)
    try:
        with compression_data(
            X, y, sample_weight, model=given.ensemble, holdout=holdout, seed=seed, client=client, cat_nan=cat_nan
        ) as data:
            search = _searched(given, data, aim, pipelines, listener)
            chosen = search.best or search.nearest
            on_holdout = _harms([given.ensemble, chosen.ensemble], data, "holdout")
    finally:
        close(listener)
    written = given.written(chosen.ensemble)
    timed = _timed_rows(given, X, y, sample_weight, cat_nan, client)
    measured = [
        Measured(one.tried.figures, loss, measure_latency(each, timed) if len(timed) else None)
        for one, each, loss in zip((search.candidates[0], chosen), (given.model, written), on_holdout, strict=True)
    ]
    report = CompressionReport(
        name=given.name,
        target=aim.text,
        metric=_loss_name(data),
        before=measured[0],
        after=measured[1],
        tried=tuple(one.tried for one in search.candidates),
        chosen=search.place(chosen),
        reason=_reason(search),
        skipped=search.skipped,
        rows={str(part): n for part, n in data.rows.items()},
        seconds=perf_counter() - started,
    )
    if search.best is None:
        raise TargetNotReached(aim.text, _nearest_words(search), written, report)
    return written, report


def _timed_rows(given: GivenModel, X: Any, y: Any, sample_weight: Any, cat_nan: str | None, client: Any) -> Any:
    """Some rows as a frame, to measure latency on; none where the partition of a collection that is looked at has none."""
    parts = collect(X, y, sample_weight)
    expected = Expected.of(given.model, parts.labels, given.name, cat_nan)
    return some_features(parts, expected, _TIMED_ROWS, scheduler_of(client))


def _pipelines(passes: Any) -> list[CompressionPipeline] | None:
    if passes is None:
        return None
    if isinstance(passes, CompressionPipeline):
        return [passes]
    if isinstance(passes, Pass):
        return [CompressionPipeline([passes])]
    if isinstance(passes, str) or not isinstance(passes, Iterable):
        expected = "a sequence of passes, or of pipelines"
        raise ParameterError("passes", passes, expected, "Use those of gbdist.compression.passes.")
    listed = list(passes)
    if not listed:
        raise ParameterError("passes", passes, "at least one pass", "Leave it out for the usual ones.")
    if all(isinstance(one, Pass) for one in listed):
        return [CompressionPipeline(listed)]
    return [one if isinstance(one, CompressionPipeline) else CompressionPipeline(one) for one in listed]


def _harms(ensembles: Sequence[Ensemble], data: CompressionData, part: Part) -> list[float]:
    """``losses``, of which less is better: the metric of Cox, a likelihood, is turned round."""
    return [data.measure.harm(float(loss)) for loss in losses(ensembles, data, part)]


def _loss_name(data: CompressionData) -> str:
    metric = data.measure.metric
    return f"minus {metric.name}" if metric.is_max_optimal else metric.name


class _Workshop:
    """Makes models where the rows are, and measures them."""

    def __init__(self, given: GivenModel, data: CompressionData) -> None:
        self._given, self._data = given, data

    def made(self, passes: Sequence[Pass]) -> Ensemble:
        return CompressionPipeline(passes).apply(self._given.ensemble, self._data).ensemble

    def loss(self, ensemble: Ensemble) -> PartLoss:
        found, harm = self._data.ask(FindPartLoss(ensemble, "choice")), self._data.measure.harm
        return PartLoss(harm(found.whole), np.array([harm(one) for one in found.pieces.tolist()]))

    def figures(self, ensemble: Ensemble) -> ModelFigures:
        model = self._given.model if ensemble is self._given.ensemble else self._given.written(ensemble)
        return figures_of(ensemble, model)


def _searched(
    given: GivenModel,
    data: CompressionData,
    aim: Targets,
    pipelines: Sequence[CompressionPipeline] | None,
    listener: Listener | None,
) -> Search:
    """All that is tried: given pipelines once each, else the families for the model."""
    families = families_for(given.ensemble, data.rows["choice"]) if pipelines is None else ()
    count = 1 + (Search.most_tries(aim, families) if pipelines is None else len(pipelines))
    told = _Told(listener, _loss_name(data))
    told.tell(RunStarted(count, data.rows["passes"], len(given.ensemble.feature_names), data.ranks, counted=MODELS))
    search = Search(aim, _Workshop(given, data), told.hear)
    search.start(given.ensemble)
    search.over(families)
    for number, pipeline in enumerate(pipelines or ()):
        search.attempt(f"pipeline {number}", pipeline.passes)
    told.tell(RunFinished(len(search.candidates), "iterations"))
    return search


class _Told:
    """Tells a listener of each model that was tried, as an iteration of a run."""

    def __init__(self, listener: Listener | None, metric: str) -> None:
        self._listener, self._metric = listener, metric

    def hear(self, candidates: Sequence[Candidate], best: int) -> None:
        tried = candidates[-1].tried
        metrics = {tried.family: {self._metric: tried.loss, "kB": tried.figures.size / 1e3}}
        best_loss = candidates[best].tried.loss if best >= 0 else np.nan
        self.tell(IterationDone(len(candidates) - 1, metrics, best, best_loss))

    def tell(self, event: Any) -> None:
        if self._listener is not None:
            self._listener.hear(event)


def _reason(search: Search) -> str:
    """Why the chosen one is it."""
    kept = sum(one.tried.keeps for one in search.candidates)
    bounds = search.targets.words(search.bounds)
    if not kept:
        return f"no model keeps {bounds}; this one is the nearest"
    kind = "smallest" if search.targets.of_loss else "best"
    is_uncertain = any(one.tried.standard_error for one in search.candidates)
    where = f", by the loss{' and one standard error' if is_uncertain else ''} on the rows that models are chosen by"
    return f"the {kind} of {kept} model{'s' if kept > 1 else ''} within {bounds}{where}"


def _nearest_words(search: Search) -> str:
    """How near the nearest model is, for the error."""
    targets, tried = search.targets, search.nearest.tried
    found = targets.words([one.measure(tried.figures, tried.loss) for one in targets.each])
    loss = "" if targets.of_loss else f" at a loss of {tried.loss:.6g}"
    if targets.of_loss and tried.standard_error:
        loss = f", and a standard error of {tried.standard_error:.2g} to keep with it"
    words = targets.words(search.bounds)
    return f"the bound is {words}, and the nearest of {len(search.candidates)} models has {found}{loss}"
