"""gbdist: CatBoost models and neural networks trained on a Dask cluster, on data that no single machine holds."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gbdist.errors import ClusterError, DataError, GbdistError, ModelError, ParameterError, SnapshotError

if TYPE_CHECKING:
    from gbdist.compression.compress import compress
    from gbdist.estimators.classifier import DaskCatBoostClassifier
    from gbdist.estimators.fusion.stacking import DaskStackingClassifier, DaskStackingRegressor
    from gbdist.estimators.fusion.voting import DaskVotingClassifier, DaskVotingRegressor
    from gbdist.estimators.networks.classifier import DaskMLPClassifier
    from gbdist.estimators.networks.regressor import DaskMLPRegressor
    from gbdist.estimators.pool import DaskPool
    from gbdist.estimators.ranker import DaskCatBoostRanker
    from gbdist.estimators.regressor import DaskCatBoostRegressor

    __version__: str

__all__ = [
    "ClusterError",
    "DaskCatBoostClassifier",
    "DaskCatBoostRanker",
    "DaskCatBoostRegressor",
    "DaskMLPClassifier",
    "DaskMLPRegressor",
    "DaskPool",
    "DaskStackingClassifier",
    "DaskStackingRegressor",
    "DaskVotingClassifier",
    "DaskVotingRegressor",
    "DataError",
    "GbdistError",
    "ModelError",
    "ParameterError",
    "SnapshotError",
    "__version__",
    "compress",
]

#: Imported when first asked for: Dask, CatBoost, scikit-learn and Numba take a second or two to load.
_WHERE = {
    "DaskCatBoostClassifier": "gbdist.estimators.classifier",
    "DaskCatBoostRanker": "gbdist.estimators.ranker",
    "DaskCatBoostRegressor": "gbdist.estimators.regressor",
    "DaskMLPClassifier": "gbdist.estimators.networks.classifier",
    "DaskMLPRegressor": "gbdist.estimators.networks.regressor",
    "DaskPool": "gbdist.estimators.pool",
    "DaskStackingClassifier": "gbdist.estimators.fusion.stacking",
    "DaskStackingRegressor": "gbdist.estimators.fusion.stacking",
    "DaskVotingClassifier": "gbdist.estimators.fusion.voting",
    "DaskVotingRegressor": "gbdist.estimators.fusion.voting",
    "compress": "gbdist.compression.compress",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("gbdist")
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'gbdist' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
