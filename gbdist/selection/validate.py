"""``cross_validate`` and ``cross_val_score``: scikit-learn's functions of these names, for data on a cluster too."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import ParameterError
from gbdist.selection.checks import true_or_false
from gbdist.selection.evaluation import Evaluation
from gbdist.selection.scoring import SCORE


def cross_validate(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    groups: Any = None,
    scoring: Any = None,
    cv: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    params: Mapping[str, Any] | None = None,
    pre_dispatch: Any = "2*n_jobs",
    return_train_score: bool = False,
    return_estimator: bool = False,
    return_indices: bool = False,
    error_score: Any = np.nan,
    sample_weight: Any = None,
    strict_borders: bool = False,
    client: Any = None,
) -> dict[str, Any]:
    """Fit and score an estimator on folds: trees for all of them side by side on one set of bins.

    Parameters
    ----------
    estimator : an estimator of gbdist's: trees, networks, ensembles; in memory also scikit-learn's
        With early stopping trees are scored at the best iteration of the mean over the folds, as ``cv`` finds it, unless
        ``use_best_model=False``; without, at the last one.
    X, y : what its ``fit`` takes; X may be a DaskPool, for trees
    groups : vector, or name of a column of X, optional
        For splitters by groups; of a ranker what its ``fit`` calls ``group_id``.
    scoring : name, callable, list of names or dictionary, optional
        Left out: the estimator's own ``score``, of a ranker NDCG. Names are scikit-learn's or CatBoost's
        (docs/selection.md), callables are given (estimator, X, y) of the rows of a fold. Greater is better: a loss of CatBoost's
        has its sign turned, and is called ``neg_…``.
    cv : splitter, number of folds or pairs of row numbers, optional
        Left out: 5 folds, stratified for classifiers, of whole groups for rankers, as scikit-learn cuts them.
    n_jobs, pre_dispatch, verbose : no effect
        The cluster's workers and threads are used. What is shown the estimator's own ``verbose`` says.
    params : "sample_weight" and "group_id" are taken
    return_train_score, return_estimator, return_indices : bool
        On collections ``indices`` are lazy masks.
    error_score : "raise" or a number
        The score of a fold that fails. Folds that train side by side fail together, with the error itself.
    sample_weight : vector, or name of a column of X, optional
        It counts in fits and, not as in scikit-learn, in scores.
    strict_borders : bool
        Whether each fold's borders are chosen from the rows that it trains on, in place of all.
    client : a Dask client or address; left out: the estimator's

    Returns
    -------
    dict
        ``test_score``, or ``test_…`` for each of several scores, and if asked for ``train_…``, ``estimator``, ``indices``; times
        in seconds, of folds side by side as many for each.

    Raises
    ------
    ParameterError, DataError, ModelError, ClusterError
        Before anything is trained, where something is wrong with what was given.
    """
    for name, value in (
        ("return_train_score", return_train_score),
        ("return_estimator", return_estimator),
        ("return_indices", return_indices),
    ):
        true_or_false(name, value)
    weight, groups = with_params(params, sample_weight, groups)
    evaluation = Evaluation(
        estimator,
        X,
        y,
        sample_weight=weight,
        groups=groups,
        cv=cv,
        scoring=scoring,
        client=client,
        strict_borders=strict_borders,
    )
    pairs = evaluation.rows.pairs if return_indices else ()
    scores = evaluation.run(
        estimator, return_models=return_estimator, train_scores=return_train_score, error_score=error_score
    )
    found: dict[str, Any] = {"fit_time": scores.fit_time, "score_time": scores.score_time}
    if return_estimator:
        found["estimator"] = scores.models
    if return_indices:
        found["indices"] = {side: tuple(pair[at] for pair in pairs) for at, side in enumerate(("train", "test"))}
    for scorer in evaluation.scorers:
        found[f"test_{scorer.name}"] = scores.test[scorer.name]
        if scores.train is not None:
            found[f"train_{scorer.name}"] = scores.train[scorer.name]
    return found


def cross_val_score(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    groups: Any = None,
    scoring: Any = None,
    cv: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    params: Mapping[str, Any] | None = None,
    pre_dispatch: Any = "2*n_jobs",
    error_score: Any = np.nan,
    sample_weight: Any = None,
    strict_borders: bool = False,
    client: Any = None,
) -> NDArray[np.float64]:
    """The score of each fold, float64 [n_folds]; see ``cross_validate``. ``scoring`` is one score."""
    if scoring is not None and not isinstance(scoring, str) and not callable(scoring):
        raise ParameterError("scoring", scoring, "one name or callable", "For several scores use cross_validate.")
    found = cross_validate(
        estimator,
        X,
        y,
        groups=groups,
        scoring=scoring,
        cv=cv,
        params=params,
        error_score=error_score,
        sample_weight=sample_weight,
        strict_borders=strict_borders,
        client=client,
    )
    scores: NDArray[np.float64] = found[f"test_{SCORE}"]
    return scores


def with_params(params: Mapping[str, Any] | None, sample_weight: Any, groups: Any) -> tuple[Any, Any]:
    """Weight and groups, of which ``params`` may have what is not given apart."""
    given = dict(params or {})
    weight = given.pop("sample_weight", None)
    ids = given.pop("group_id", None)
    if given:
        name, value = next(iter(given.items()))
        fix = "Set parameters of the estimator in the estimator."
        raise ParameterError("params", {name: value}, "sample_weight or group_id alone", fix)
    for name, one, other in (("sample_weight", sample_weight, weight), ("groups", groups, ids)):
        if one is not None and other is not None:
            raise ParameterError("params", f"{name} beside {name}", "one of the two", "Leave one of them out.")
    return (weight if sample_weight is None else sample_weight), (ids if groups is None else groups)
