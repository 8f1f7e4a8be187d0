"""What goes together with how trees are grown (``grow_policy``), beyond what CatBoost is asked about."""

from collections.abc import Mapping
from typing import Any, Final

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.catboost_options import Written

#: Distances between nodes are 16-bit numbers in CatBoost's models. A tree may have 65535 nodes to the left of its right child;
#: CatBoost itself trains larger ones, and crashes when they predict.
DEEPEST_BY_LEVEL: Final = 15
MOST_LEAVES: Final = 1 << 15


def check_growth(checked: Mapping[str, Any], written: Mapping[str, Written]) -> None:
    """ParameterError for trees that CatBoost's models cannot hold, or that it does not grow."""
    policy = checked.get("grow_policy", "SymmetricTree")
    if policy == "SymmetricTree":
        return
    fix = "Larger trees make CatBoost crash when they predict: lower it."
    if policy == "Depthwise" and checked.get("depth", 0) > DEEPEST_BY_LEVEL:
        user = written["depth"]
        raise ParameterError(user.name, user.value, f"at most {DEEPEST_BY_LEVEL} with grow_policy='Depthwise'", fix)
    if policy == "Lossguide" and checked.get("max_leaves", 0) > MOST_LEAVES:
        user = written["max_leaves"]
        raise ParameterError(user.name, user.value, f"at most {MOST_LEAVES} with grow_policy='Lossguide'", fix)
    given = checked.get("monotone_constraints", ())
    if any(given.values() if isinstance(given, Mapping) else given):
        user = written["monotone_constraints"]
        expected = f"no constraints with grow_policy='{policy}', as in CatBoost"
        raise ParameterError(user.name, user.value, expected, "Leave one of them out.")
