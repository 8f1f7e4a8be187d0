"""How rows are chosen to train and to test, for Dask collections and in memory, and how estimators are judged by it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gbdist.selection.cross_validation import cv
    from gbdist.selection.features import select_features
    from gbdist.selection.grouped import GroupKFold, StratifiedGroupKFold
    from gbdist.selection.kfold import KFold, RepeatedKFold, StratifiedKFold
    from gbdist.selection.out_of_fold import cross_val_predict
    from gbdist.selection.overlapping import OverlappingSplit
    from gbdist.selection.predefined import PredefinedSplit
    from gbdist.selection.sets import ShuffleSplit
    from gbdist.selection.timed import TimeSeriesSplit
    from gbdist.selection.train_test import train_test_split
    from gbdist.selection.validate import cross_val_score, cross_validate

__all__ = [
    "DaskSearchCV",
    "GroupKFold",
    "KFold",
    "OverlappingSplit",
    "PredefinedSplit",
    "RepeatedKFold",
    "ShuffleSplit",
    "StratifiedGroupKFold",
    "StratifiedKFold",
    "TimeSeriesSplit",
    "cross_val_predict",
    "cross_val_score",
    "cross_validate",
    "cv",
    "select_features",
    "train_test_split",
]

#: Imported when first asked for: the rules in here are pure, and need neither Dask nor scikit-learn.
_WHERE = {
    "DaskSearchCV": "search",
    "GroupKFold": "grouped",
    "KFold": "kfold",
    "OverlappingSplit": "overlapping",
    "PredefinedSplit": "predefined",
    "RepeatedKFold": "kfold",
    "ShuffleSplit": "sets",
    "StratifiedGroupKFold": "grouped",
    "StratifiedKFold": "kfold",
    "TimeSeriesSplit": "timed",
    "cross_val_predict": "out_of_fold",
    "cross_val_score": "validate",
    "cross_validate": "validate",
    "cv": "cross_validation",
    "select_features": "features",
    "train_test_split": "train_test",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"gbdist.selection.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'gbdist.selection' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
