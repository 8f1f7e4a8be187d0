"""A search space beside an estimator: whether it has these parameters, may have these values, and how long its trials are."""

import difflib
from typing import Any, Final

from gbdist.errors import ParameterError
from gbdist.estimators.base import DaskCatBoost
from gbdist.estimators.networks import parameters as of_networks
from gbdist.estimators.networks.base import DaskMLP
from gbdist.estimators.parameters.aggregation import AGGREGATION
from gbdist.estimators.parameters.canonical import under_one_name
from gbdist.estimators.parameters.table import ALIASES, STOPS, TABLE, names_in, names_of
from gbdist.estimators.parameters.value_checks import check_value
from gbdist.selection.evaluating.lockstep import lockstep_parameters
from gbdist.selection.searching.spaces import Space

#: CatBoost's default.
_ITERATIONS: Final = 1000
_OURS: Final = ("cat_nan", "bins_on_disk")


def check_space(space: Space, estimator: Any) -> None:
    """ParameterError for a parameter that the estimator does not have, and for an end of a range that it cannot have.

    Values that only some others go with are none: trials with such fail.
    """
    for name, dimension in space.dimensions.items():
        _require_parameter(name, estimator)
        for value in dimension.ends():
            try:
                if isinstance(estimator, DaskCatBoost):
                    _of_trees(name, value, estimator)
                elif isinstance(estimator, DaskMLP):
                    _of_network(name, value, estimator)
            except ParameterError as error:
                named, *rest = error.args
                raise ParameterError(f"space: {named}", *rest) from None


def most_iterations(estimator: Any, n_splits: int) -> int:
    """The most iterations of a trial with this estimator: trees where folds are grown in lock-step, else folds."""
    parameters = lockstep_parameters(estimator)
    return n_splits if parameters is None else int(parameters.get("iterations", _ITERATIONS))  # type: ignore[call-overload]


def longest(space: Space, estimator: Any, n_splits: int) -> int:
    """The most iterations of any trial."""
    most = most_iterations(estimator, n_splits)
    if lockstep_parameters(estimator) is None:
        return most
    dimensions = space.dimensions
    ends = [end for name in names_in(dimensions, "iterations") for end in dimensions[name].ends()]
    return max(map(int, ends), default=most)


def without_stopping(estimator: Any, iterations: int) -> None:
    """Give trees that stop early as many iterations as were best, as there is nothing to stop them by on all rows."""
    if not isinstance(estimator, DaskCatBoost):
        return
    given = estimator.given_parameters()
    changed: dict[str, Any] = {}
    stops = names_in(given, *STOPS)
    if stops and given.get("aggregate") != "models":  # whose trees are those of several models
        known = next(iter(names_in(given, "iterations")), "iterations")
        changed = {known: max(1, iterations), **dict.fromkeys(stops)}
    if given.get("use_best_model"):
        changed["use_best_model"] = None
    estimator.set_params(**changed)


def _require_parameter(name: str, estimator: Any) -> None:
    """Trees and networks take any name, and are asked about it later; what is nested is scikit-learn's to know."""
    if isinstance(estimator, DaskCatBoost | DaskMLP):
        return
    known = estimator.get_params()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        fix = f"Did you mean {near[0]!r}?" if near else "estimator.get_params() has all of them."
        raise ParameterError("space", name, f"a parameter of {type(estimator).__name__}", fix)


def _of_trees(name: str, value: Any, estimator: DaskCatBoost) -> None:
    if name in AGGREGATION or name in _OURS or value is None:
        return
    given, key = estimator.given_parameters(), ALIASES.get(name, name)
    for other in names_of(key):
        if other in given and other != name:
            raise ParameterError(name, value, f"{key} under one name", f"The estimator has {other} too.")
    for _, _written in under_one_name({name: value}, TABLE.keys(), classifier=estimator._is_classifier):
        if given.get("aggregate") != "models":  # whose parameters CatBoost itself checks
            kind = {"classifier": estimator._is_classifier, "ranker": estimator._is_ranker}
            check_value(name, value, TABLE[key], **kind)


def _of_network(name: str, value: Any, estimator: DaskMLP) -> None:
    if value is None:
        return
    if name not in of_networks.TABLE:
        of_networks.check_parameters({name: value}, classifier=estimator._is_classifier)
        return
    of_networks.TABLE[name].check(name, value)
