"""Models to export, of every kind that CatBoost trains on numbers."""

from typing import Any

import catboost
import numpy as np

QUIET = {"verbose": 0, "allow_writing_files": False, "thread_count": 2, "iterations": 30, "depth": 4}


def rows_of(seed: int = 0, missing: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """float32 [600, 4] and float64 [600]."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(600, 4)).astype(np.float32)
    label = features[:, 1] + features[:, 2] * features[:, 3]
    if missing:
        features[generator.random((600, 4)) < 0.15] = np.nan
        label += np.isnan(features[:, 0])
    return features, label


def trained(kind: str, **params: Any) -> Any:
    features, label = rows_of(missing=bool(params.pop("missing", False)))
    match kind:
        case "regression":
            return catboost.CatBoostRegressor(**QUIET, **params).fit(features, label * 100 + 50)
        case "several targets":
            model = catboost.CatBoostRegressor(**QUIET, loss_function="MultiRMSE", **params)
            return model.fit(features, np.stack([label, -label], axis=1))
        case "several labels":
            model = catboost.CatBoostClassifier(**QUIET, loss_function="MultiLogloss", **params)
            return model.fit(features, np.stack([label > 0, label > 1, label < 2], axis=1).astype(int))
        case "two classes":
            return catboost.CatBoostClassifier(**QUIET, **params).fit(features, np.where(label > 0, "yes", "no"))
        case "two numbers":
            return catboost.CatBoostClassifier(**QUIET, **params).fit(features, np.where(label > 0, 9, -5))
        case "booleans":
            return catboost.CatBoostClassifier(**QUIET, **params).fit(features, label > 0)
        case "classes":
            return catboost.CatBoostClassifier(**QUIET, **params).fit(features, np.digitize(label, [-1, 1]) * 2)
        case "ranking":
            pool = catboost.Pool(features, np.digitize(label, [-1, 1]), group_id=np.arange(600) // 10)
            return catboost.CatBoostRanker(**QUIET, **params).fit(pool)
    raise AssertionError(kind)
