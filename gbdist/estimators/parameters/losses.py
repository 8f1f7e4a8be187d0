"""Which estimator trains a loss, and what errors say of a loss that an estimator does not train."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from catboost import CatBoostError
from catboost.core import is_classification_objective, is_ranking_metric, is_regression_objective

from gbdist.description import name_of
from gbdist.errors import ParameterError
from gbdist.estimators.parameters.table import CLASSIFIER_LOSSES, RANKER_LOSSES, REGRESSOR_LOSSES


@dataclass(frozen=True, slots=True)
class Kind:
    """The losses of one estimator: what they are for, and whether a name is one (CatBoostError if it is no loss).

    ``losses`` are those that are trained on histograms.
    """

    noun: str
    estimator: str
    trains: Callable[[str], bool]
    losses: tuple[str, ...]


CLASSES: Final = Kind("classes", "DaskCatBoostClassifier", is_classification_objective, CLASSIFIER_LOSSES)
NUMBERS: Final = Kind("one number a row", "DaskCatBoostRegressor", is_regression_objective, REGRESSOR_LOSSES)
RANKING: Final = Kind("ranking", "DaskCatBoostRanker", is_ranking_metric, RANKER_LOSSES)
KINDS: Final = (CLASSES, NUMBERS, RANKING)


def kind_of(*, classifier: bool, ranker: bool) -> Kind:
    """The losses of an estimator."""
    return RANKING if ranker else CLASSES if classifier else NUMBERS


def what_to_do(loss: object, kind: Kind) -> str:
    """What to do about a loss that an estimator does not train on histograms."""
    objects = "" if kind is RANKING else ", or pass an object (docs/custom.md)"
    others = f'Set aggregate="models" for CatBoost\'s other losses{objects}.'
    if not isinstance(loss, str):
        return others
    if found := [each for each in KINDS if _is_of(each, loss)]:
        return others if kind in found else f"Use {found[0].estimator}, or another loss."
    near = nearest(name_of(loss), [one for each in KINDS for one in each.losses])
    if not near:
        return f"Choose one of these{objects}."
    trains = [each.estimator for each in KINDS if any(repr(one) in near for one in each.losses)]
    return near if kind.estimator in trains else f"{near} {trains[0]} trains it."


def require_loss(name: str, loss: object) -> None:
    """ParameterError, which calls it ``name``, for what is no loss of any estimator: the nearest ones come first."""
    if not isinstance(loss, str) or any(_is_of(kind, loss) for kind in KINDS):
        return
    every = list(dict.fromkeys(one for kind in KINDS for one in kind.losses))
    near = difflib.get_close_matches(name_of(loss), every, n=3, cutoff=0.6)
    listed = [*near, *(one for one in every if one not in near)]
    fix = f"Did you mean {near[0]!r}?" if near else "Choose one of these, or pass an object (docs/custom.md)."
    raise ParameterError(name, loss, f"a loss: {', '.join(listed)}", fix)


def nearest(name: str, known: Iterable[str]) -> str:
    """``Did you mean 'Quantile'?``, whatever the case of the letters, or nothing."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
    return f"Did you mean {by_lower[near[0]]!r}?" if near else ""


def _is_of(kind: Kind, loss: str) -> bool:
    """Whether an estimator trains a loss, on histograms or by CatBoost."""
    if name_of(loss) in kind.losses:
        return True
    try:
        return bool(kind.trains(loss))
    except CatBoostError:
        return False
