"""gbdist: CatBoost models trained on a Dask cluster, on data that no single machine holds."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gbdist.errors import ClusterError, DataError, GbdistError, ModelError, ParameterError

if TYPE_CHECKING:
    from gbdist.estimators.classifier import DaskCatBoostClassifier
    from gbdist.estimators.pool import DaskPool
    from gbdist.estimators.ranker import DaskCatBoostRanker
    from gbdist.estimators.regressor import DaskCatBoostRegressor

    __version__: str

__all__ = [
    "ClusterError",
    "DaskCatBoostClassifier",
    "DaskCatBoostRanker",
    "DaskCatBoostRegressor",
    "DaskPool",
    "DataError",
    "GbdistError",
    "ModelError",
    "ParameterError",
    "__version__",
]

#: Imported when first asked for: Dask, CatBoost, scikit-learn and Numba take a second or two to load.
_WHERE = {
    "DaskCatBoostClassifier": "gbdist.estimators.classifier",
    "DaskCatBoostRanker": "gbdist.estimators.ranker",
    "DaskCatBoostRegressor": "gbdist.estimators.regressor",
    "DaskPool": "gbdist.estimators.pool",
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
