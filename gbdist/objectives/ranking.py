"""Losses of ranking by CatBoost's names (``kernels.grouped``)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, ClassVar

from gbdist.description import Description, Option, parse_description
from gbdist.kernels import cpu
from gbdist.kernels import grouped as kinds
from gbdist.objectives.base import Bounds, kernel_weight, widened
from gbdist.objectives.grouped import Grouped, GroupParts, GroupRows

#: 2 to the power of a label stays an ordinary number, and so do sums over all rows.
LARGEST_EXPONENT = 60.0
_FINITE = Option(None, -math.inf, math.inf, "a number")
#: Sums of what falls off by a decay, and powers of e, are bounded by these.
_DECAY = Option(None, 0.0, 1.0, "from 0 to 1", open_low=False, open_high=False)
_NOT_NEGATIVE = Option(None, 0.0, math.inf, "0 or above", open_low=False)


@dataclass(frozen=True, slots=True)
class QueryRMSE(Grouped):
    """CatBoost's TQueryRmseError."""

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``."""
        d = 2.0 * (label_bound + prediction_bound)
        return widened(Bounds(d, 1.0, 0.5 * d * d))

    def write(self, rows: GroupRows, parts: GroupParts, *, with_loss: bool, kernels: ModuleType = cpu) -> None:
        """See ``Grouped.write``."""
        weight = kernel_weight(rows.weight)
        out = (parts.first, parts.second, parts.loss)
        kernels.query_rmse_derivatives(rows.label, weight, rows.starts, rows.prediction, *out)


@dataclass(frozen=True, slots=True)
class QuerySoftMax(Grouped):
    """CatBoost's TQuerySoftMaxError; ``options`` are (λ, β)."""

    options: tuple[float, float]

    @property
    def lowest_label(self) -> float:
        """See ``Grouped.lowest_label``."""
        return 0.0

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``; a probability counts as at least 1e-300."""
        shrink, beta = map(abs, self.options)
        target = self.groups.largest * label_bound
        return widened(Bounds(beta * (target + label_bound), beta * target * (beta + shrink), 691.0 * label_bound))

    def write(self, rows: GroupRows, parts: GroupParts, *, with_loss: bool, kernels: ModuleType = cpu) -> None:
        """See ``Grouped.write``."""
        weight = kernel_weight(rows.weight)
        out = (parts.first, parts.second, parts.loss)
        kernels.query_softmax_derivatives(rows.label, weight, rows.starts, rows.prediction, self.options, *out)


@dataclass(frozen=True, slots=True)
class PairLogit(Grouped):
    """CatBoost's TPairLogitError: of the given pairs, else of all pairs of rows of a group with different labels."""

    counts_pairs: ClassVar[bool] = True
    takes_pairs: ClassVar[bool] = True

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``."""
        pairs = max(float(self.groups.largest), self.groups.pair_weight)
        return widened(Bounds(pairs, pairs, pairs * (2.0 * prediction_bound + 1.0)))

    def write(self, rows: GroupRows, parts: GroupParts, *, with_loss: bool, kernels: ModuleType = cpu) -> None:
        """See ``Grouped.write``."""
        out = (parts.first, parts.second, parts.count, parts.loss)
        if rows.pairs is None:
            weight = kernel_weight(rows.weight)
            kernels.label_pair_derivatives(rows.label, weight, rows.starts, rows.prediction, with_loss, *out)
        else:
            kernels.listed_pair_derivatives(rows.pairs, rows.pair_starts, rows.starts, rows.prediction, with_loss, *out)


@dataclass(frozen=True, slots=True)
class LambdaMart(Grouped):
    """CatBoost's TLambdaMartError for NDCG and DCG; the weights of rows do not count."""

    options: kinds.LambdaOptions

    @property
    def lowest_label(self) -> float:
        """See ``Grouped.lowest_label``; of less than 0 NDCG is no measure."""
        return 0.0

    @property
    def largest_label(self) -> float:
        """See ``Grouped.largest_label``."""
        return LARGEST_EXPONENT if self.options[3] else math.inf

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``. A swap changes NDCG by at most 1, and counts up to a hundred times where it is normalized."""
        sigma, normalizes = self.options[:2]
        pairs = float(self.groups.largest)
        most = math.log2(1.0 + 200.0 * sigma * pairs * pairs) + 1.0 if normalizes else sigma * pairs
        return widened(Bounds(most, sigma * most, 1.0))

    def write(self, rows: GroupRows, parts: GroupParts, *, with_loss: bool, kernels: ModuleType = cpu) -> None:
        """See ``Grouped.write``."""
        scratch = rows.scratch[1:]
        out = (parts.first, parts.second)
        kernels.lambda_mart_derivatives(rows.label, rows.starts, rows.prediction, self.options, scratch, *out)


@dataclass(frozen=True, slots=True)
class YetiRank(Grouped):
    """CatBoost's YetiRank: PairLogit of pairs that are drawn anew for each tree, and again for its leaves."""

    options: kinds.YetiOptions
    permutations: int
    counts_pairs: ClassVar[bool] = True

    @property
    def n_draws(self) -> int:
        """See ``Grouped.n_draws``."""
        return self.permutations

    @property
    def lowest_label(self) -> float:
        """See ``Grouped.lowest_label``; what CatBoost follows the loss by is no measure of less than 0."""
        return 0.0

    @property
    def largest_label(self) -> float:
        """See ``Grouped.largest_label``."""
        return LARGEST_EXPONENT if self.options[0] != kinds.CLASSIC and self.options[4] else math.inf

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``."""
        mode, _, _, neighbours, exponential, _, _, _ = self.options
        pairs = 2.0 * min(neighbours, self.groups.largest)
        worth = 2.0 * label_bound
        if mode != kinds.CLASSIC:
            gain = math.exp2(min(label_bound, LARGEST_EXPONENT)) if exponential else label_bound
            worth = 1.0 if mode == kinds.NDCG else gain
        return widened(Bounds(pairs * worth, pairs * worth, 1.0))

    def write(self, rows: GroupRows, parts: GroupParts, *, with_loss: bool, kernels: ModuleType = cpu) -> None:
        """See ``Grouped.write``."""
        kernels.yeti_rank_derivatives(
            rows.label,
            kernel_weight(rows.weight),
            rows.starts,
            rows.ranked_by,
            rows.prediction,
            (rows.first_rows, rows.draw_keys),
            self.options,
            rows.scratch,
            parts.first,
            parts.second,
            parts.count,
        )


def _number(given: Description, key: str, default: float, option: Option) -> float:
    alone = replace(given, options=tuple(one for one in given.options if one[0] == key))
    return alone.numbers({key: replace(option, default=default)})[key]


def _whole(given: Description, key: str, default: int, *, or_all: bool = True) -> int:
    """An integer of at least 1; −1 stands for all where there may be as many."""
    words = "an integer of at least 1" + (", or -1 for all" if or_all else "")
    value = _number(given, key, default, Option(None, -math.inf, math.inf, words))
    if value == -1 and or_all:
        return kinds.ALL
    if value < 1 or value != int(value):
        raise given.refused(f"{key} to be {words}", f"Correct {key}.")
    return int(value)


def _choice(given: Description, key: str, default: str, choices: Mapping[str, Any]) -> Any:
    value = dict(given.options).get(key, default)
    if value not in choices:
        known = ", ".join(choices)
        raise given.refused(
            f"{key} to be one of {known}", f'Correct {key}; aggregate="models" takes what CatBoost does.'
        )
    return choices[value]


def _known(given: Description, keys: tuple[str, ...]) -> None:
    for key, _ in given.options:
        if key not in keys:
            words = f"no option but {', '.join(keys)}" if keys else "no options"
            raise given.refused(words, f"Leave {key!r} out.")


_GAINS = {"Base": False, "Exp": True}
_DISCOUNTS = {"LogPosition": False, "Position": True}
_TRUTH = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}


def _query_rmse(given: Description) -> Grouped:
    _known(given, ())
    return QueryRMSE(given.text)


def _query_softmax(given: Description) -> Grouped:
    _known(given, ("lambda", "beta"))
    shrink, beta = _number(given, "lambda", 0.01, _FINITE), _number(given, "beta", 1.0, _NOT_NEGATIVE)
    return QuerySoftMax(given.text, (shrink, beta))


def _pair_logit(given: Description) -> Grouped:
    _known(given, ())
    return PairLogit(given.text)


def _lambda_mart(given: Description) -> Grouped:
    _known(given, ("metric", "sigma", "norm", "top", "type", "denominator"))
    _choice(given, "metric", "NDCG", {"NDCG": True, "DCG": True})
    options = (
        _number(given, "sigma", 1.0, Option(None, 0.0, math.inf, "above 0")),
        _choice(given, "norm", "true", _TRUTH),
        _whole(given, "top", -1),
        _choice(given, "type", "Base", _GAINS),
        _choice(given, "denominator", "LogPosition", _DISCOUNTS),
    )
    return LambdaMart(given.text, options)


def _yeti_rank(given: Description) -> Any:
    known = (
        "mode",
        "permutations",
        "decay",
        "top",
        "num_neighbors",
        "dcg_type",
        "dcg_denominator",
        "noise",
        "noise_power",
    )
    _known(given, known)
    mode = _choice(given, "mode", "Classic", {"Classic": kinds.CLASSIC, "DCG": kinds.DCG, "NDCG": kinds.NDCG})
    options = (
        mode,
        _number(given, "decay", 0.85, _DECAY),
        _whole(given, "top", -1),
        1 if mode == kinds.CLASSIC else _whole(given, "num_neighbors", 1),
        _choice(given, "dcg_type", "Base", _GAINS),
        _choice(given, "dcg_denominator", "LogPosition", _DISCOUNTS),
        _choice(given, "noise", "Gumbel", {"Gumbel": kinds.GUMBEL, "Gauss": kinds.GAUSS, "No": kinds.NO_NOISE}),
        _number(given, "noise_power", 1.0, _FINITE),
    )
    return YetiRank(given.text, options, _whole(given, "permutations", 10, or_all=False))


#: By CatBoost's names: from a description to the loss; ParameterError for an option that it has not, or out of range.
RANKING: dict[str, Callable[[Description], Grouped]] = {
    "YetiRank": _yeti_rank,
    "QueryRMSE": _query_rmse,
    "QuerySoftMax": _query_softmax,
    "PairLogit": _pair_logit,
    "LambdaMart": _lambda_mart,
}


def ranking_loss(description: str, parameter: str = "loss_function") -> Grouped:
    """The loss of a description such as "YetiRank:mode=NDCG", whose name is one of ``RANKING``."""
    given = parse_description(description, parameter)
    return RANKING[given.metric](given)
