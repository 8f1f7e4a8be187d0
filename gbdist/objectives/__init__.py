"""Losses: one class each, by family, behind the contract of ``base``."""

from gbdist.description import parse_description
from gbdist.objectives.base import Bounds, LeafScales, Objective
from gbdist.objectives.classification import CrossEntropy, Logloss, MultiClass, MultiClassOneVsAll
from gbdist.objectives.grouped import Grouped
from gbdist.objectives.pointwise import FAMILIES, MultiQuantile, Pointwise, multi_quantile, rule_of
from gbdist.objectives.ranking import RANKING, ranking_loss
from gbdist.objectives.regression import RMSE

__all__ = [
    "LOSSES",
    "RANKING",
    "RMSE",
    "Bounds",
    "CrossEntropy",
    "Grouped",
    "LeafScales",
    "Logloss",
    "MultiClass",
    "MultiClassOneVsAll",
    "MultiQuantile",
    "Objective",
    "Pointwise",
    "make_objective",
]

LOSSES = ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll", "RMSE", *FAMILIES, "MultiQuantile")


def make_objective(description: str, n_classes: int) -> Objective | Grouped:
    """Objective of CatBoost's ``loss_function``; ``n_classes`` matters to the multi-class ones alone.

    Raises
    ------
    ParameterError
        For any other name, and for an option that the loss has not, or whose value is out of its range.
    """
    given = parse_description(description, "loss_function")
    if given.metric in FAMILIES:
        return Pointwise(description, rule_of(description))
    if given.metric == "MultiQuantile":
        return multi_quantile(description)
    if given.metric in RANKING:
        return ranking_loss(description)
    if given.metric in LOSSES:
        given.numbers({})
    match given.metric:
        case "RMSE":
            return RMSE()
        case "Logloss":
            return Logloss()
        case "CrossEntropy":
            return CrossEntropy()
        case "MultiClass":
            return MultiClass(n_classes)
        case "MultiClassOneVsAll":
            return MultiClassOneVsAll(n_classes)
    fix = "Use one of these, or train this loss with catboost on one machine."
    raise given.refused(f"one of {', '.join(LOSSES)}", fix)
