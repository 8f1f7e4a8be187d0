"""Arguments that ``fit`` does not have, which users of CatBoost give it: where each belongs."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.table import ALIASES, EVAL_SET_OF_GROUPS, TABLE, Refused

#: What only a ranker's ``fit`` takes.
_OF_GROUPS: Final = frozenset({"group_id", "group_weight", "subgroup_id", "pairs", "pairs_weight"})
#: What a ranker's ``fit`` does not take, and what to do instead.
_NOT_OF_RANKERS: Final = {
    "eval_fraction": f"Set groups apart yourself: {EVAL_SET_OF_GROUPS}.",
    "baseline": "Start from a model: init_model=...",
    "pairs_weight": "Give the weights as a third column of pairs.",
}
#: Values of at most as many characters are shown.
_SHOWN: Final = 60


def refuse_arguments(given: Mapping[str, object], estimator: str, fit: Callable[..., Any], *, ranker: bool) -> None:
    """ParameterError for the first argument that ``fit`` of the estimator does not have."""
    if not given:
        return
    name, value = next(iter(given.items()))
    text = repr(value)
    short = len(text) <= _SHOWN
    what_to_do = _fix(name, text if short else "...", estimator, fit, ranker)
    raise ParameterError(name, value if short else type(value).__name__, "an argument that fit has", what_to_do)


def _fix(name: str, text: str, estimator: str, fit: Callable[..., Any], ranker: bool) -> str:
    if ranker and name in _NOT_OF_RANKERS:
        return _NOT_OF_RANKERS[name]
    if name in _OF_GROUPS:
        return "Use DaskCatBoostRanker, whose rows have groups."
    rule = TABLE.get(ALIASES.get(name, name))
    if isinstance(rule, Refused):
        return rule.fix
    if rule is not None:
        return f"Give it to the estimator: {estimator}({name}={text})."
    near = difflib.get_close_matches(name, [*inspect.signature(fit).parameters, *TABLE, *ALIASES], n=1)
    return f"Did you mean {near[0]}?" if near else "Leave it out: docs/parity.md lists what there is."
