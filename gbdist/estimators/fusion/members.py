"""The members of an ensemble: named estimators as scikit-learn's ensembles have them, their parameters and their checks."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.utils.validation import has_fit_parameter

from gbdist.errors import ParameterError
from gbdist.estimators.kept_parameters import KeptParameters

#: In place of an estimator: leave this member out.
DROP = "drop"
_EXAMPLE = '[("trees", DaskCatBoostClassifier()), ("network", DaskMLPClassifier())]'
#: Libraries whose estimators would take a Dask collection into this process, without a word.
_IN_MEMORY_ALONE = frozenset({"sklearn", "catboost"})


class Team(KeptParameters):
    """Keeps named estimators, whose parameters are parameters of its own: ``trees__depth``, or ``trees`` for the whole one."""

    _others: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # there are no others
    estimators: Sequence[tuple[str, Any]]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All parameters; with ``deep`` also each member under its name, and its parameters."""
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep:
            for name, estimator in self._named():
                params[name] = estimator
                if hasattr(estimator, "get_params"):
                    params |= {f"{name}__{key}": value for key, value in estimator.get_params(deep=True).items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, of members too, or put another estimator or "drop" in place of a member by its name.

        ParameterError for a name that is none.
        """
        if "estimators" in params:
            self.estimators = params.pop("estimators")
        names = [name for name, _ in self._named()]
        for name in [name for name in names if name in params]:
            put = params.pop(name)
            self.estimators = [(each, put if each == name else estimator) for each, estimator in self.estimators]
        own = type(self)._get_param_names()
        nested: dict[str, dict[str, Any]] = {}
        for name, value in params.items():
            owner, _, rest = name.partition("__")
            if owner not in own and owner not in names:
                known = ", ".join([*own, *names])
                raise ParameterError(name, value, "a parameter of the ensemble, or of a member", f"There are: {known}.")
            if rest:
                nested.setdefault(owner, {})[rest] = value
            else:
                setattr(self, name, value)
        for owner, of_owner in nested.items():
            target: Any = dict(self._named()).get(owner, getattr(self, owner, None))
            if not hasattr(target, "set_params"):
                name, value = next(iter(of_owner.items()))
                expected = f"{owner} to be an estimator, and it is {target!r}"
                raise ParameterError(f"{owner}__{name}", value, expected, f"Put one there first: {owner}=….")
            target.set_params(**of_owner)
        return self

    def _named(self) -> list[tuple[str, Any]]:
        """The members, as far as they are what they should be: ``fit`` complains of the rest."""
        given = self.estimators if isinstance(self.estimators, list | tuple) else []
        return [(pair[0], pair[1]) for pair in given if _is_member(pair)]


def _is_member(pair: Any) -> bool:
    """Whether it is a name and something."""
    return isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)


def checked_members(team: Team, *, classifier: bool) -> list[tuple[str, Any]]:
    """The members that take part, each with its name; ParameterError for what can be none."""
    given = team.estimators
    expected = "pairs of a name and an estimator"
    if not isinstance(given, list | tuple) or not given:
        raise ParameterError("estimators", given, f"a list of {expected}, at least one", f"As in {_EXAMPLE}.")
    if len(team._named()) < len(given):
        wrong = next(each for each in given if not _is_member(each))
        raise ParameterError("estimators", wrong, expected, f"As in {_EXAMPLE}.")
    names = [name for name, _ in given]
    own = type(team)._get_param_names()
    for at, name in enumerate(names):
        if name in names[:at]:
            raise ParameterError("estimators", name, "each name once", "Give every member a name of its own.")
        if "__" in name or name in own or not name:
            raise ParameterError("estimators", name, "names without __ that are no parameters", "Give it another name.")
    members = [(name, estimator) for name, estimator in given if estimator != DROP]
    if not members:
        raise ParameterError("estimators", list(names), "at least one that is not dropped", "Leave one in.")
    for name, estimator in members:
        require_kind(name, estimator, classifier=classifier)
    return members


def require_kind(name: str, estimator: Any, *, classifier: bool) -> None:
    """ParameterError unless an estimator is one of the kind."""
    if not hasattr(estimator, "fit") or not hasattr(estimator, "predict"):
        raise ParameterError(name, estimator, 'an estimator with fit and predict, or "drop"', f"As in {_EXAMPLE}.")
    if not (is_classifier if classifier else is_regressor)(estimator):
        kind = "classifier" if classifier else "regressor"
        found = type(estimator).__name__
        raise ParameterError(name, found, f"a {kind}: the estimator {name} should be a {kind}", "Use one.")


def require_method(members: Sequence[tuple[str, Any]], method: str, why: str) -> None:
    """ParameterError for a member that has not the method; ``why`` says what it is needed for, and how to do without."""
    for name, estimator in members:
        if not hasattr(estimator, method):
            raise ParameterError(name, type(estimator).__name__, f"an estimator with {method}", why)


def require_collections(members: Sequence[tuple[str, Any]]) -> None:
    """ParameterError for a member that would take a collection into this process."""
    for name, estimator in members:
        if not takes_collections(estimator):
            expected = "an estimator that takes Dask collections, as X is one"
            raise ParameterError(name, type(estimator).__name__, expected, "Use gbdist's, or pass X in memory.")


def require_weights(members: Sequence[tuple[str, Any]]) -> None:
    """ParameterError for a member whose ``fit`` has no weights."""
    for name, estimator in members:
        if not has_fit_parameter(estimator, "sample_weight"):
            expected = "an estimator whose fit takes sample_weight"
            raise ParameterError(name, type(estimator).__name__, expected, "Leave sample_weight out, or the member.")


def takes_collections(estimator: Any) -> bool:
    """Whether an estimator leaves Dask collections where they are; of a pipeline or a search nobody knows."""
    return type(estimator).__module__.partition(".")[0] not in _IN_MEMORY_ALONE


def checked_weights(weights: Any, names: Sequence[str], kept: Sequence[str]) -> NDArray[np.float64]:
    """Weight of each member that takes part, float64, of sum 1; ParameterError for what is no weight of ``names``."""
    if weights is None:
        return np.full(len(kept), 1.0 / len(kept))
    expected = f"{len(names)} numbers of at least 0, one for each of {list(names)}"
    try:
        values = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError("weights", weights, expected, "Leave it out for equal ones.") from None
    if values.shape != (len(names),) or not np.isfinite(values).all() or values.min() < 0.0:
        raise ParameterError("weights", weights, expected, "Leave it out for equal ones.")
    chosen = values[[name in kept for name in names]]
    if chosen.sum() <= 0.0:
        raise ParameterError("weights", weights, "one that is not 0 of a member that takes part", "Raise one.")
    return np.asarray(chosen / chosen.sum())


def fresh(estimator: Any, client: Any) -> Any:
    """An unfitted copy of a member; one without a client of its own has the ensemble's."""
    twin = clone(estimator)
    if client is not None and "client" in twin.get_params(deep=False) and twin.client is None:
        twin.client = client
    return twin


def fit_member(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Any:
    """Fit, with the weight if there is one."""
    return estimator.fit(X, y) if sample_weight is None else estimator.fit(X, y, sample_weight=sample_weight)
