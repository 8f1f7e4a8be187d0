"""``select_features``: CatBoost's recursive elimination of columns, on data that are quantized once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gbdist.elimination.loss_graph import LossGraph
from gbdist.elimination.ranks import Eliminated, Question
from gbdist.estimators.base import progress_asked
from gbdist.estimators.columns import ColumnRules
from gbdist.estimators.listeners import close, tell_line
from gbdist.estimators.outcome import TrainResult
from gbdist.estimators.parameters.snapshots import refuse_snapshots
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.repeated_fits import RepeatedFits, repeated_fits
from gbdist.estimators.request import Request
from gbdist.estimators.selection_arguments import Selection, Wanted
from gbdist.estimators.sources import Given, groups_of, sources_of
from gbdist.models.catboost_format import cbm_bytes
from gbdist.models.splits import has_splits

_BY_VALUES = "RecursiveByPredictionValuesChange"
#: So many columns are named in a line.
_NAMED = 20


@dataclass(frozen=True, eq=False)
class Selected:
    """What a selection leaves: CatBoost's summary, and the last fit, None if that was not asked for."""

    summary: dict[str, Any]
    result: TrainResult | None


def select_columns(
    X: Any,
    y: Any,
    wanted: Wanted,
    *,
    parameters: dict[str, object],
    classifier: bool,
    client: Any,
    cat_nan: str | None,
    on_disk: bool | None,
    eval_sets: Sequence[Any] = (),
    eval_fraction: float | None = None,
    callbacks: Any = None,
    **data: Any,
) -> Selected:
    """Select columns of X and y; ``data`` are the other parts of a ``Given``, all else is as of ``training.train``.

    Raises
    ------
    ParameterError, DataError, ClusterError
    """
    fix = "Leave it out: what was selected is told once all steps are done."
    refuse_snapshots(parameters, "it to be left out with select_features", fix)
    given, columns = Given(X, y, **data), ColumnRules(parameters, True, cat_nan)
    request = Request(
        parameters=parameters,
        classifier=classifier,
        pool=X if isinstance(X, DaskPool) else None,
        sources=sources_of(given, eval_sets, eval_fraction, columns),
        eval_pools=tuple((number, one) for number, one in enumerate(eval_sets) if isinstance(one, DaskPool)),
        initial=None,
        listener=None,
        callbacks=None,
        aggregation=None,
        columns=columns,
        groups=() if given.group_id is None else groups_of(given, eval_sets, of_models=False),
        on_disk=on_disk,
    )
    selection = wanted.checked(request.feature_names, parameters)
    with repeated_fits(request, client) as fits:
        return select(fits, selection, parameters, callbacks)


def select(fits: RepeatedFits, selection: Selection, parameters: dict[str, object], callbacks: Any = None) -> Selected:
    """Train and eliminate in turn, and train with what is left, if that is asked for.

    The fits are those of ``ignored_features``; progress is reported, and ``callbacks`` are called, for each alone.
    """
    graph, measure = LossGraph(), fits.measure
    gone: list[int] = []

    def fit(words: str) -> TrainResult:
        told, listener = tuple(sorted([*selection.ignored, *gone])), progress_asked(parameters)
        try:
            tell_line(listener, words)
            return fits.fit({**parameters, "ignored_features": told} if told else parameters, listener, callbacks)
        finally:
            close(listener)

    def ask(result: TrainResult, count: int) -> Eliminated:
        left = tuple(column for column in selection.columns if column not in gone)
        effects = _effects(result.model, left) if count and selection.algorithm == _BY_VALUES else None
        question = Question(
            cbm_bytes(result.model),
            measure,
            fits.borders,
            selection.names,
            selection.algorithm,
            left,
            count,
            effects,
            selection.kind,
        )
        found = fits.eliminate(question)
        graph.measure(len(gone), found.loss)
        return found

    for step, count in enumerate(selection.counts):
        words = f"selection, step {step + 1} of {len(selection.counts)}: {_words(selection, gone)}"
        found = ask(fit(words), count)
        for number, column in enumerate(found.columns):
            gone.append(column)
            if found.losses:
                graph.estimate(len(gone), found.losses[number])
    final = None
    if selection.train_final:
        final = fit(f"selection, final model: {_words(selection, gone)}")
        ask(final, 0)
    return Selected(_summary(selection, gone, graph), final)


def _words(selection: Selection, gone: Sequence[int]) -> str:
    last = ", ".join(repr(selection.names[column]) for column in gone[-_NAMED:])
    words = f"{len(selection.columns) - len(gone)} of {len(selection.columns)} columns left"
    return f"{words}, without {'… ' if len(gone) > _NAMED else ''}{last}" if gone else words


def _effects(model: Any, columns: Sequence[int]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """How much predictions change with each of some columns, float64 [n_columns], as CatBoost says of the model alone."""
    if not has_splits(model):
        return np.zeros(len(columns))
    effects = np.asarray(model.get_feature_importance(type="PredictionValuesChange"), np.float64)
    return effects[list(columns)]


def _summary(selection: Selection, gone: Sequence[int], graph: LossGraph) -> dict[str, Any]:
    """What CatBoost returns, under its names."""
    kept = [column for column in selection.columns if column not in gone]
    return {
        "selected_features": kept,
        "eliminated_features_names": [selection.names[column] for column in gone],
        "loss_graph": graph.told(),
        "eliminated_features": list(gone),
        "selected_features_names": [selection.names[column] for column in kept],
    }
