"""Losses: one class each, by family, behind the contract of ``base``."""

from gbdist.description import parse_description
from gbdist.objectives.base import Bounds, LeafScales, Objective, Unbounded
from gbdist.objectives.classification import CrossEntropy, Logloss, MultiClass, MultiClassOneVsAll
from gbdist.objectives.cox import Cox
from gbdist.objectives.grouped import Grouped
from gbdist.objectives.multi_target import MULTI_TARGET, MultiTarget
from gbdist.objectives.pointwise import FAMILIES, MultiQuantile, Pointwise, multi_quantile, rule_of
from gbdist.objectives.ranking import RANKING, ranking_loss
from gbdist.objectives.regression import RMSE
from gbdist.objectives.survival import SurvivalAft, survival_aft
from gbdist.objectives.uncertainty import RMSEWithUncertainty

__all__ = [
    "LOSSES",
    "MULTI_TARGET",
    "RANKING",
    "RMSE",
    "Bounds",
    "Cox",
    "CrossEntropy",
    "Grouped",
    "LeafScales",
    "Logloss",
    "MultiClass",
    "MultiClassOneVsAll",
    "MultiQuantile",
    "MultiTarget",
    "Objective",
    "Pointwise",
    "RMSEWithUncertainty",
    "SurvivalAft",
    "Unbounded",
    "make_objective",
]

LOSSES = (
    *("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll", "RMSE", *FAMILIES, "MultiQuantile"),
    *("RMSEWithUncertainty", *MULTI_TARGET, "SurvivalAft", "Cox"),
)


def make_objective(description: str, n_classes: int) -> Objective | Grouped | Unbounded:
    """Objective of CatBoost's ``loss_function``; ``n_classes`` is the number of classes, or of labels a row.

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
    if given.metric == "SurvivalAft":
        return survival_aft(description)
    if given.metric in RANKING:
        return ranking_loss(description)
    if given.metric in LOSSES:
        given.numbers({})
    if given.metric in MULTI_TARGET:
        return MultiTarget(given.metric, n_classes)
    match given.metric:
        case "RMSE":
            return RMSE()
        case "Cox":
            return Cox()
        case "RMSEWithUncertainty":
            return RMSEWithUncertainty()
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
