"""``cross_val_predict``: each row predicted by the model of the fold that tested it, lazily on collections."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import dask
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import is_classifier

from gbdist.errors import DataError, ModelError, ParameterError
from gbdist.estimators.fitted import is_pool, scheduler_of
from gbdist.estimators.fusion.forms import Chunks, frame_like, lengths_of
from gbdist.estimators.prediction.questions import text_of
from gbdist.estimators.preparation.inputs import is_lazy
from gbdist.estimators.preparation.tables import count_rows
from gbdist.selection.evaluation import Evaluation
from gbdist.selection.grouped import GroupSplitter
from gbdist.selection.kfold import KFold, StratifiedKFold
from gbdist.selection.masks import is_frame_or_series
from gbdist.selection.validate import with_params

#: Methods that an estimator may have.
_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "predict_raw")
#: Answers that do not depend on which classes a model knows.
_OF_ROWS = ("predict", "Class")
#: What is said of a class that a fold has not trained on.
_MISSING = {"predict_proba": 0.0, "predict_log_proba": -np.inf, "Probability": 0.0, "LogProbability": -np.inf}


def cross_val_predict(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    groups: Any = None,
    cv: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    params: Mapping[str, Any] | None = None,
    pre_dispatch: Any = "2*n_jobs",
    method: str = "predict",
    sample_weight: Any = None,
    strict_borders: bool = False,
    client: Any = None,
) -> Any:
    """Predict each row by the model of the fold that tested it. Folds are trained now; of collections predictions are lazy.

    Parameters
    ----------
    estimator, X, y, groups, cv, params, sample_weight, strict_borders, client : see ``cross_validate``; X is no DaskPool
        Folds must test each row once.
    n_jobs, pre_dispatch, verbose : no effect
    method : "predict", "predict_proba" or another method of the estimator; of trees also CatBoost's prediction types
        Such as "RawFormulaVal".

    Returns
    -------
    array, or Dask Series, DataFrame or Array
        What the method says of the rows, in their order; lazily like X, with its index and divisions or its chunks of rows. A
        class that a fold did not train on has the probability 0 there.

    Raises
    ------
    ParameterError, DataError, ModelError, ClusterError
    """
    if is_pool(X):
        raise DataError("X", "a DaskPool", "rows with their raw values", "Pass the collection that it was made of.")
    ask = _asker(estimator, method)
    weight, groups = with_params(params, sample_weight, groups)
    evaluation = Evaluation(
        estimator, X, y, sample_weight=weight, groups=groups, cv=cv, client=client, strict_borders=strict_borders
    )
    rows = evaluation.rows
    tests = [test for _, test in rows.pairs]
    _require_once(cv, rows.given.X, tests, scheduler_of(evaluation.client))
    models = evaluation.fit(estimator)
    answers = [ask(model, rows.test_features(fold)) for fold, model in enumerate(models)]
    every = _places(models, method)
    if is_lazy(X):
        return _lazily(X, answers, tests, every)
    return _in_order(tests, [places.spread(answer) for places, answer in zip(every, answers, strict=True)])


def _asker(estimator: Any, method: Any) -> Callable[[Any, Any], Any]:
    """What asks a fitted estimator about rows. ParameterError for a method that it has not."""
    types = getattr(estimator, "_prediction_types", ())
    if method in types:
        return lambda model, X: model.predict(X, method)
    if method in _METHODS and callable(getattr(estimator, method, None)):
        return lambda model, X: getattr(model, method)(X)
    known = [name for name in _METHODS if callable(getattr(estimator, name, None))]
    expected = f"one of {', '.join([*known, *types])}, which {type(estimator).__name__} has"
    raise ParameterError("method", method, expected, "Change it.")


def _require_once(cv: Any, X: Any, tests: Sequence[Any], scheduler: Any) -> None:
    """DataError unless each row is tested by one fold; masks are computed only where the splitter does not promise it."""
    if cv is None or isinstance(cv, Integral | KFold | StratifiedKFold | GroupSplitter):
        return
    if is_lazy(X):
        task = dask.delayed(_most_and_least)
        columns = zip(*_partitions(tests, X.npartitions), strict=True)
        how = {} if scheduler is None else {"scheduler": scheduler}
        found = np.array(dask.compute(*[task(masks) for masks in map(list, columns)], **how))
    else:
        n_rows = count_rows(X)
        found = np.array([_most_and_least([np.isin(np.arange(n_rows), test) for test in tests])])
    for times in (found[:, 0].min(initial=1), found[:, 1].max(initial=1)):
        if times != 1:
            fix = "Use one that does, such as KFold; cross_validate(…, return_estimator=True) has the models of any."
            raise DataError("cv", f"{cv!r}, which tests some row {times} times", "folds that test each row once", fix)


def _most_and_least(masks: Sequence[NDArray[np.bool_]]) -> tuple[int, int]:
    """By how many folds the rows are tested, at least and at most; 1 without rows."""
    times = np.sum([np.asarray(mask) for mask in masks], axis=0)
    return (int(times.min()), int(times.max())) if times.size else (1, 1)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the columns of a fold's answer belong among ``n_columns``; None where they are all of them.

    ``missing`` is what stands in the others, ``names`` are those of columns of frames.
    """

    places: tuple[int, ...] | None = None
    n_columns: int = 0
    missing: float = 0.0
    names: tuple[str, ...] = ()

    def spread(self, answer: Any) -> Any:
        """The answer with all columns."""
        if self.places is None:
            return answer
        values = np.asarray(answer, np.float64)
        out = np.full((len(values), self.n_columns), self.missing)
        out[:, list(self.places)] = values
        return pd.DataFrame(out, index=answer.index, columns=list(self.names)) if hasattr(answer, "index") else out


def _places(models: Sequence[Any], method: str) -> list[_Places]:
    """Of each fold's answers. ModelError for answers that cannot be put together, as folds know different classes."""
    known = [np.asarray(model.classes_).tolist() for model in models if is_classifier(model)]
    if method in _OF_ROWS or all(classes == known[0] for classes in known):
        return [_Places()] * len(models)
    if method not in _MISSING:
        problem = f"Folds that know different classes give answers of {method!r} that cannot be put together"
        raise ModelError(problem, "Use StratifiedKFold, or predict_proba")
    every = sorted(set().union(*known))
    names = text_of(every)
    return [_Places(tuple(map(every.index, one)), len(every), _MISSING[method], names) for one in known]


def _lazily(X: Any, answers: Sequence[Any], tests: Sequence[Any], every: Sequence[_Places]) -> Any:
    """Answers of folds, lazy ones about the rows that each tested, as one collection with the partitions of X."""
    n_parts, n_folds = X.npartitions, len(answers)
    of_part = list(zip(*_partitions([*answers, *tests], n_parts), strict=True))
    task = dask.delayed(_put_together)
    pieces = [task(list(one[:n_folds]), list(one[n_folds:]), list(every)) for one in of_part]
    if is_frame_or_series(X):
        meta = every[0].spread(answers[0]._meta)
        return frame_like(X, meta).join(pieces, lengths_of(X))
    first = answers[0]
    tail = first.shape[1:] if every[0].places is None else (every[0].n_columns,)
    dtype = np.result_type(*(one.dtype for one in answers))
    return Chunks(dtype, tuple(tail)).join(pieces, lengths_of(X))


def _put_together(answers: Sequence[Any], masks: Sequence[Any], every: Sequence[_Places]) -> Any:
    spread = [places.spread(answer) for places, answer in zip(every, answers, strict=True)]
    return _in_order([np.flatnonzero(np.asarray(mask)) for mask in masks], spread)


def _in_order(tests: Sequence[Any], answers: Sequence[Any]) -> Any:
    """Answers about rows of these numbers, which are all rows there are, in the order of the rows."""
    order = np.argsort(np.concatenate([np.asarray(test) for test in tests]), kind="stable")
    if hasattr(answers[0], "iloc"):
        return pd.concat(answers).iloc[order]
    return np.concatenate([np.asarray(answer) for answer in answers])[order]


def _partitions(collections: Sequence[Any], n_parts: int) -> list[list[Any]]:
    """Partitions of some collections, delayed."""
    from gbdist.estimators.preparation.lazy_parts import LazyParts  # loads distributed, which only collections need

    parts = LazyParts(collections, n_parts)
    return [parts.delayed(number) or [] for number in range(len(collections))]
