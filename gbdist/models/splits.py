"""Whether a CatBoost model asks for any feature, and how its trees grow: some of CatBoost's own answers take it for granted."""

from typing import Any

import numpy as np

from gbdist.errors import ModelError
from gbdist.models.loss import training_params

_SYMMETRIC = "SymmetricTree"


def has_splits(model: Any) -> bool:
    """Whether any tree has a split."""
    return bool(np.max(model.get_tree_leaf_counts(), initial=1) > 1)


def is_symmetric(model: Any) -> bool:
    """Whether the trees are those of the default grow_policy, by what the model was trained with."""
    return bool(training_params(model).get("tree_learner_options", {}).get("grow_policy", _SYMMETRIC) == _SYMMETRIC)


def require_splits(model: Any, kind: str) -> None:
    """ModelError where CatBoost would end the process: importances of some kinds, of a model without any split.

    These are LossFunctionChange, and values of SHAP where trees are not symmetric.
    """
    if (kind == "LossFunctionChange" or not is_symmetric(model)) and not has_splits(model):
        problem = f"{kind} of a model in which no tree has a split"
        raise ModelError(problem, "Every row has the same prediction: there is no feature that has a part in it.")
