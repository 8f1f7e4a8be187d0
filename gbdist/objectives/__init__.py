"""Losses: one class each, by family, behind the contract of ``base``."""

from gbdist.errors import ParameterError
from gbdist.objectives.base import Bounds, LeafScales, Objective
from gbdist.objectives.classification import CrossEntropy, Logloss, MultiClass, MultiClassOneVsAll
from gbdist.objectives.regression import RMSE

__all__ = [
    "RMSE",
    "Bounds",
    "CrossEntropy",
    "LeafScales",
    "Logloss",
    "MultiClass",
    "MultiClassOneVsAll",
    "Objective",
    "make_objective",
]

LOSSES = ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll", "RMSE")


def make_objective(name: str, n_classes: int) -> Objective:
    """Objective of CatBoost's ``loss_function``; ``n_classes`` matters to the multi-class ones alone.

    Raises
    ------
    ParameterError
        For any other name, and for options (``"Logloss:border=0.3"``), which no loss here has.
    """
    match name:
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
    raise ParameterError("loss_function", name, f"one of {', '.join(LOSSES)}", _fix(name))


def _fix(name: str) -> str:
    loss, colon, _ = name.partition(":")
    if colon and loss in LOSSES:
        return f"Use {loss!r} without options."
    return "Use one of these, or train this loss with catboost on one machine."
