"""What a ranker's parameters and data must be, beside what those of the other estimators must be."""

from collections.abc import Mapping, Sequence
from typing import Any

from gbdist.categories.rules import CategoryRules
from gbdist.description import described, name_of
from gbdist.errors import DataError, ParameterError
from gbdist.estimators.parameters.catboost_options import Written
from gbdist.estimators.parameters.table import RANKER_LOSSES

_WRONG_WAY = "CatBoost's own leaves have the wrong sign then"


def is_ranked(loss: str) -> bool:
    """Whether a loss, options included, is one of the ranker's."""
    return name_of(loss) in RANKER_LOSSES


def refuse_where_ranked(checked: Mapping[str, object], written: Mapping[str, Written]) -> None:
    """ParameterError for what CatBoost takes and does not do as it should, or does in a way of its own."""
    loss = name_of(str(checked["loss_function"]))
    expected = f"{{}} with loss_function={str(checked['loss_function'])!r}"
    if loss == "LambdaMart":
        for name, allowed in (
            ("l2_leaf_reg", 0.0),
            ("leaf_estimation_method", "Newton"),
            ("leaf_estimation_backtracking", "No"),
        ):
            if name in checked and checked[name] != allowed:
                why = f": {_WRONG_WAY}" if name != "leaf_estimation_backtracking" else ": there is no loss to compare"
                user, words = written[name], expected.format(repr(allowed))
                raise ParameterError(user.name, user.value, words + why, "Leave it out.")
        constraints: Any = checked.get("monotone_constraints", ())
        if any(constraints.values() if isinstance(constraints, Mapping) else constraints):
            user, words = written["monotone_constraints"], expected.format("none")
            raise ParameterError(user.name, user.value, f"{words}: {_WRONG_WAY}", "Leave it out.")
    if loss == "PairLogit" and checked.get("leaf_estimation_method", "Newton") != "Newton":
        user = written["leaf_estimation_method"]
        fix = 'Leave it out, or set aggregate="models".'
        raise ParameterError(user.name, user.value, expected.format("'Newton'"), fix)


def metric_of(options: Mapping[str, Any]) -> str:
    """The metric that CatBoost follows a ranking loss by, from its nested options."""
    metric = options["metrics"]["objective_metric"]
    return described(
        metric["type"], {key: value for key, value in metric["params"].items() if not key.startswith("__")}
    )


def refuse_statistics(rules: CategoryRules | None, loss: str) -> None:
    """DataError for a categorical column that would become statistics, whose order of rows takes groups apart."""
    if rules is None or not rules.statistic_columns:
        return
    name = rules.columns[rules.statistic_columns[0]].name
    fix = 'Raise one_hot_max_size, leave the column out, or set aggregate="models".'
    expected = f"at most one_hot_max_size of them with loss_function={loss!r} on histograms"
    raise DataError(f"column {name!r}", "more categories than are made columns of their own", expected, fix)


def refuse_row_weights(loss: str, weights: Sequence[tuple[str, bool, bool]]) -> None:
    """DataError where row weights would be those of pairs, or where data sets have weights of different kinds.

    ``weights`` says of each data set what errors call it, whether it has weights, and whether they are those of groups.
    """
    for name, weighted, of_groups in weights:
        where = f"{name}, " if name else ""
        if weighted and not of_groups and name_of(loss) in ("PairLogit", "YetiRank"):
            expected = f"None with loss_function={loss!r}, whose pairs weigh as their group does"
            fix = "Pass group_weight, one value a row and the same in a group."
            raise DataError(f"{where}sample_weight", "a weight for each row", expected, fix)
    kinds = {of_groups for _, weighted, of_groups in weights if weighted}
    if len(kinds) > 1:
        found, expected = "sample_weight in some data sets, group_weight in others", "one of the two"
        raise DataError("sample_weight", found, expected, "Weigh the rows of all data sets in the same way.")
