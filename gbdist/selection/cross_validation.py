"""``cv``: CatBoost's function of that name, on a Dask cluster."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gbdist.description import name_of
from gbdist.errors import DataError, ParameterError
from gbdist.estimators.base import progress_asked, verbosity
from gbdist.estimators.listeners import close
from gbdist.estimators.outcome import FoldsResult
from gbdist.estimators.parameters.canonical import class_order
from gbdist.estimators.parameters.check import check_parameters, checked_bins_on_disk
from gbdist.estimators.parameters.losses import require_loss
from gbdist.estimators.parameters.snapshots import SNAPSHOTS, refuse_snapshots
from gbdist.estimators.parameters.table import ALIASES, CLASSIFIER_LOSSES, RANKER_LOSSES
from gbdist.estimators.parameters.talk import with_talk
from gbdist.estimators.plotting import plot_asked
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.sources import Given
from gbdist.models.history import HELD_OUT, LEARN
from gbdist.models.missing import note_cat_nan
from gbdist.selection.cv_folds import FoldsOfCv, check_groups

_NO_SNAPSHOTS = "Leave it out: CatBoost has no snapshots of cv either."
#: What CatBoost's function takes and this one does not, and what to do instead.
_REFUSED = {
    **dict.fromkeys(SNAPSHOTS, _NO_SNAPSHOTS),
    "metric_update_interval": "Leave it out: nothing is drawn while folds train.",
    "log_cout": "Leave it out; verbose says what is shown.",
    "log_cerr": "Leave it out; verbose says what is shown.",
}


def cv(
    pool: Any = None,
    params: Mapping[str, Any] | None = None,
    dtrain: Any = None,
    iterations: int | None = None,
    num_boost_round: int | None = None,
    fold_count: int | None = None,
    nfold: int | None = None,
    inverted: bool = False,
    partition_random_seed: int = 0,
    seed: int | None = None,
    shuffle: bool = True,
    logging_level: str | None = None,
    stratified: bool | None = None,
    as_pandas: bool = True,
    metric_period: int | None = None,
    verbose: Any = None,
    early_stopping_rounds: int | None = None,
    type: str = "Classical",
    return_models: bool = False,
    folds: Any = None,
    *,
    groups: Any = None,
    group_id: Any = None,
    group_weight: Any = None,
    pairs: Any = None,
    strict_borders: bool = False,
    plot: bool = False,
    plot_file: Any = None,
    client: Any = None,
    **others: Any,
) -> Any:
    """Train a model for each of some folds, side by side on one set of bins, and return the curves of all metrics.

    Parameters
    ----------
    pool : DaskPool, (X, y) or (X, y, sample_weight); ``dtrain`` is another name
        Whatever ``fit`` takes. Borders are chosen from all rows, as in CatBoost, unless they are ``strict_borders``.
    params : CatBoost's parameters under any of its names, ``loss_function`` among them, and gbdist's own (``cat_nan``, …)
    fold_count : int, 3 if left out; ``nfold`` is another name
    inverted : bool, or type="Inverted"
        Train on the rows of one fold, and score on all others. type="TimeSeries": rows are cut into one part more than there are
        folds, as they come; a fold trains on all parts up to one, and is scored on the next.
    partition_random_seed : seed of the folds; ``seed`` is another name
    shuffle : bool
        Whether rows are dealt to folds by hash; False: folds of neighbours.
    stratified : bool, optional
        Whether folds have the same shares of all classes; left out: for Logloss, MultiClass and MultiClassOneVsAll.
    iterations, num_boost_round, early_stopping_rounds, metric_period, verbose, logging_level : in place of those in ``params``
    as_pandas : bool
        A DataFrame; False: a dictionary of lists.
    return_models : bool
        Return (curves, list of a plain CatBoost model of each fold).
    folds : a splitter of gbdist.selection; of data in memory also scikit-learn's, or pairs (train, test) of row numbers
        In place of ``fold_count``, ``stratified`` and ``type``. With a DaskPool, splitters by row numbers or classes.
    groups : for splitters that look at groups, one value a row or the name of a column of X; left out: ``group_id``
    group_id, group_weight, pairs : for losses of ranking, whose folds are of whole groups; see ``DaskCatBoostRanker.fit``
    strict_borders : bool
        Choose the borders of each fold from the rows that it trains on: each fold is quantized by itself, from raw rows, with
        twice as many passes over them as there are folds.
    plot, plot_file : write a page with the curves, which opens in any browser; as ``fit``'s
    client : a Dask client or address; see the estimators

    Returns
    -------
    ``iterations``, and for each metric ``test-…-mean``, ``test-…-std``, ``train-…-mean`` and ``train-…-std``
        Early stopping looks at ``test-…-mean`` of the eval metric, and ends all folds after the same iteration.

    Raises
    ------
    ParameterError, DataError, ClusterError
        Before anything is trained, where something is wrong with what was given.
    """
    _refuse(others)
    page = plot_asked(plot, plot_file)
    given = with_talk(params or {}, verbose, logging_level)
    for name, value in (
        ("iterations", _one("iterations", iterations, "num_boost_round", num_boost_round)),
        ("metric_period", metric_period),
    ):
        _put(given, name, value)
    if early_stopping_rounds is not None:
        for name, value in (("od_type", "Iter"), ("od_wait", early_stopping_rounds)):
            _put(given, name, value)
        given.pop("od_pval", None)
    asked = FoldsOfCv(
        n_folds=_one("fold_count", fold_count, "nfold", nfold),
        seed=partition_random_seed if seed is None else seed,
        shuffle=shuffle,
        stratified=stratified,
        inverted=inverted,
        kind=type,
        folds=folds,
        groups=groups,
        strict=strict_borders,
    )
    data = _data(_one("pool", pool, "dtrain", dtrain), group_id, group_weight, pairs)
    result = _run(data, given, asked, client)
    if page is not None:
        from gbdist.selection.pages import page_of_folds  # loads Bokeh

        loss = str(given.get("loss_function", given.get("objective")))
        page.write_and_tell(page_of_folds(result, loss), verbosity(given))
    curves = _curves(result, int(given.get("metric_period") or 1))
    told = pd.DataFrame(curves) if as_pandas else curves
    return (told, _models(result, given.get("cat_nan"))) if return_models else told


def _run(data: Given, given: dict[str, Any], asked: FoldsOfCv, client: Any) -> FoldsResult:
    """Check the parameters, and train."""
    loss = given.get("loss_function", given.get("objective"))
    if loss is None:
        fix = 'Write params={"loss_function": "Logloss"}, for example.'
        raise ParameterError("loss_function", None, "a loss, which cv does not choose by itself", fix)
    require_loss("loss_function", loss)
    name = name_of(loss) if isinstance(loss, str) else ""
    classifier, ranker = name in CLASSIFIER_LOSSES, name in RANKER_LOSSES
    check_groups(data, name, ranker=ranker)
    asked.check()
    aggregation, parameters = check_parameters(given, classifier=classifier, ranker=ranker)
    if aggregation is not None:
        raise ParameterError("aggregate", "models", "'histograms' with cv", "Leave it out.")
    refuse_snapshots(parameters, "it to be left out", _NO_SNAPSHOTS)
    if parameters.get("task_type", "CPU") == "GPU":
        fix = "Models of both are the same, bit for bit."
        raise ParameterError("task_type", "GPU", "'CPU' for folds that train side by side", fix)
    folds, data = asked.of_data(data, name, classifier=classifier, client=client, order=class_order(parameters))
    from gbdist.estimators.training_folds import train_folds  # loads Numba's kernels

    listener = progress_asked(parameters)
    try:
        return train_folds(
            data,
            folds,
            # As in CatBoost, where folds keep all their trees.
            parameters={**parameters, "task_type": "CPU", "use_best_model": False},
            classifier=classifier,
            ranker=ranker,
            listener=listener,
            client=client,
            cat_nan=given.get("cat_nan"),
            on_disk=checked_bins_on_disk(given.get("bins_on_disk")),
            strict_borders=asked.strict,
        )
    finally:
        close(listener)


def _models(result: FoldsResult, cat_nan: str | None) -> list[Any]:
    """The models, which say what stood for missing values in their categorical columns, as those of a fit do."""
    models = result.models()
    for model in models:
        if model.get_cat_feature_indices():
            note_cat_nan(model, cat_nan)
    return models


def _curves(result: FoldsResult, period: int) -> dict[str, list[float]]:
    """CatBoost's columns; where the detector alone was told a value, between two periods, there is no row."""
    last = len(result.scores) - 1
    shown = [at for at, table in enumerate(result.scores) if at % period == 0 or (at == last and LEARN in table)]
    curves: dict[str, list[Any]] = {"iterations": shown}
    for metric in result.metrics:
        for data_set, words in ((HELD_OUT, "test"), (LEARN, "train")):
            for tables, kind in ((result.scores, "mean"), (result.deviations, "std")):
                values = [tables[at].get(data_set, {}).get(metric.name) for at in shown]
                if all(
                    value is not None for value in values
                ):  # metrics that are not computed of training rows have none
                    curves[f"{words}-{metric.name}-{kind}"] = values
    return curves


def _data(pool: Any, group_id: Any, group_weight: Any, pairs: Any) -> Given:
    """What is to be trained on."""
    beside = {"group_id": group_id, "group_weight": group_weight, "pairs": pairs}
    if isinstance(pool, DaskPool):
        return Given(pool, **beside)
    if isinstance(pool, tuple) and len(pool) in (2, 3):
        return Given(*pool, **beside)
    found = "nothing" if pool is None else f"a {pool.__class__.__name__}"
    raise DataError("pool", found, "a DaskPool, (X, y) or (X, y, sample_weight)", "Pass cv((X, y), params).")


def _one(name: str, value: Any, alias: str, other: Any) -> Any:
    """What was given under one of two names; ParameterError for both."""
    if value is not None and other is not None:
        raise ParameterError(alias, other, f"one of {name} and {alias}", "Leave one of them out.")
    return other if value is None else value


def _put(params: dict[str, Any], name: str, value: Any) -> None:
    """Set a parameter, in place of what ``params`` has under any of its names."""
    if value is None:
        return
    for known in [one for one in params if ALIASES.get(one, one) == name]:
        del params[known]
    params[name] = value


def _refuse(others: Mapping[str, Any]) -> None:
    """ParameterError for the first argument that cv does not have."""
    for name, value in others.items():
        if name not in _REFUSED:
            fix = "Give CatBoost's parameters in params."
            raise ParameterError(name, value, "an argument that cv has", fix)
        if value not in (None, False):
            raise ParameterError(name, value, "it to be left out", _REFUSED[name])
