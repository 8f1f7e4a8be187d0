"""Metrics of ranking: what each group scores, added up over all groups as integers."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.description import Description, Option, parse_description
from gbdist.kernels import cpu_grouped, cpu_ranking
from gbdist.kernels import cpu_ranking as kinds
from gbdist.kernels.cpu_ranking import ScoreRule
from gbdist.kernels.grouped import ALL
from gbdist.metrics.base import Scored
from gbdist.metrics.limbs import exact_of, limbs_of
from gbdist.metrics.sums import Rounds, ratio, scales
from gbdist.objectives.base import kernel_weight
from gbdist.objectives.ranking import LARGEST_EXPONENT
from gbdist.quantize.exact import exact_sums, to_float
from gbdist.quantize.groups import group_starts

_NO_WEIGHT = np.empty(0, np.float32)
_F8 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows in the host's memory, and where their groups start: int64 [n_groups + 1]."""

    label: NDArray[np.float32]
    weight: NDArray[np.float32]
    prediction: _F8
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, scored: Scored, use_weights: bool) -> "_Rows":
        """The rows of a metric; without groups every row is one."""
        scored = scored.on_host()
        n_rows = scored.label.shape[0]
        begins = np.arange(n_rows) if scored.group is None else group_starts(scored.group)
        weight = kernel_weight(scored.weight) if use_weights else _NO_WEIGHT
        return cls(scored.label, weight, scored.predictions[0], np.append(begins, n_rows).astype(np.int64))

    @property
    def group_weights(self) -> _F8:
        """Weight of each group: that of its first row."""
        first = self.starts[:-1]
        return self.weight[first].astype(np.float64) if self.weight.shape[0] else np.ones(len(first))


def _mean(values: _F8, weights: _F8, bounds: tuple[float, float]) -> Rounds:
    """Σ values / Σ weights over all groups, whose absolute sums over all ranks are at most ``bounds``."""
    units = scales(*bounds)
    sums = [np.rint(part * unit).astype(np.int64).sum() for part, unit in zip((values, weights), units, strict=True)]
    return ratio((yield np.array(sums, np.int64)), units)


def _most(scored: Scored, use_weights: bool) -> float:
    """Σ weights of all groups is at most this: a group weighs as its first row."""
    total = max(scored.total_weight, 1.0)
    return total if use_weights and scored.weight is not None else max(total, float(scored.total_rows))


@dataclass(frozen=True, slots=True)
class GroupScore:
    """Mean over the groups of what each scores; ``largest`` is the most that a group can, by row of it if ``by_row``.

    Labels must be from ``labels[0]`` to ``labels[1]``.
    """

    name: str
    use_weights: bool
    skip_train: bool
    rule: ScoreRule
    labels: tuple[float, float]
    is_max_optimal: bool = True

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        rows = _Rows.of(scored, self.use_weights)
        order, scores = np.empty(len(rows.label), np.int32), np.zeros(len(rows.starts) - 1)
        cpu_ranking.rank_rows(rows.prediction, rows.label, rows.starts, order)
        cpu_ranking.score_groups(self.rule, rows.label, rows.prediction, rows.starts, order, scores)
        weights = rows.group_weights
        most = _most(scored, self.use_weights)
        largest = 1.0
        if self.rule[0] == kinds.DCG:  # every row adds its gain, so that a group has as many of them as rows
            gain = math.exp2(min(scored.label_bound, LARGEST_EXPONENT)) if self.rule[4] else scored.label_bound
            largest = max(gain, 1.0) * max(1.0, float(scored.total_rows))
        elif self.rule[0] == kinds.PFOUND:  # decay × (1 − relevance) each time: a geometric series at most
            largest = 1.0 / (1.0 - self.rule[3]) if self.rule[3] < 1.0 else float(max(1, scored.total_rows))
        return (yield from _mean(scores * weights, weights, (most * max(largest, 1.0), most)))


@dataclass(frozen=True, slots=True)
class GroupLoss:
    """``QueryRMSE``, ``QuerySoftMax`` or ``QueryCrossEntropy`` (``kind``), with their options."""

    name: str
    use_weights: bool
    skip_train: bool
    kind: str
    options: tuple[float, float]
    labels: tuple[float, float]
    is_max_optimal: bool = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        rows = _Rows.of(scored, self.use_weights)
        losses = np.zeros(len(rows.starts) - 1)
        first, second = np.empty((2, len(rows.label)))
        w = rows.weight.astype(np.float64) if rows.weight.shape[0] else np.ones(len(rows.label))
        most = _most(scored, self.use_weights)
        y, a = scored.label_bound, scored.prediction_bound
        given = (rows.label, rows.weight, rows.starts, rows.prediction)
        if self.kind == "QueryRMSE":
            cpu_grouped.query_rmse_derivatives(*given, first, second, losses)
            mean = yield from _mean(2.0 * losses, w, (most * 4.0 * (y + a + 1.0) ** 2, most))
            return math.sqrt(max(mean, 0.0))
        if self.kind == "QuerySoftMax":
            cpu_grouped.query_softmax_derivatives(*given, self.options, first, second, losses)
            return (yield from _mean(losses, w * rows.label, (most * 700.0 * max(y, 1.0), most * max(y, 1.0))))
        alpha = self.options[0]
        cpu_ranking.query_cross_entropy(rows.label, rows.weight, rows.prediction, rows.starts, alpha, losses)
        return (yield from _mean(losses, w, (most * (3.0 * a + 50.0), most)))


@dataclass(frozen=True, slots=True)
class PairLoss:
    """``PairLogit``: mean over the given pairs, else over all pairs of rows of a group with different labels."""

    name: str
    use_weights: bool
    skip_train: bool
    labels: tuple[float, float] = (-math.inf, math.inf)
    is_max_optimal: bool = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``; how many pairs there are decides the scale, which costs a round."""
        rows = _Rows.of(scored, self.use_weights)
        n_rows, n_groups = len(rows.label), len(rows.starts) - 1
        losses, (first, second), count = np.zeros(n_groups), np.empty((2, n_rows)), np.empty(n_rows, np.float32)
        out = (first, second, count, losses)
        if scored.pairs is None:
            weights = rows.group_weights * _pairs_of_labels(rows)
            cpu_grouped.label_pair_derivatives(rows.label, rows.weight, rows.starts, rows.prediction, True, *out)
        else:
            pairs = scored.pairs
            group = np.searchsorted(rows.starts, pairs.winner, side="right") - 1
            starts = np.searchsorted(group, np.arange(n_groups + 1)).astype(np.int64)
            listed = (pairs.winner, pairs.loser, pairs.weight)
            cpu_grouped.listed_pair_derivatives(listed, starts, rows.starts, rows.prediction, True, *out)
            weights = np.zeros(n_groups)
            np.add.at(weights, group, pairs.weight.astype(np.float64))
        # Exactly, so that the scale does not depend on which rank has which groups.
        most = to_float(exact_of((yield limbs_of(exact_sums(weights)[0])))) + 1.0
        return (yield from _mean(losses, weights, (most * (2.0 * scored.prediction_bound + 1.0), most)))


def _pairs_of_labels(rows: _Rows) -> _F8:
    """Number of pairs of rows with different labels in each group, float64 [n_groups]."""
    group = np.repeat(np.arange(len(rows.starts) - 1), np.diff(rows.starts))
    order = np.lexsort((rows.label, group))
    label, group = rows.label[order], group[order]
    new = np.flatnonzero(np.concatenate([[True], (label[1:] != label[:-1]) | (group[1:] != group[:-1])])[: len(label)])
    sizes = np.diff(np.append(new, len(label))).astype(np.int64)
    equal = np.zeros(len(rows.starts) - 1, np.int64)
    np.add.at(equal, group[new], sizes * sizes)
    return np.asarray((np.diff(rows.starts) ** 2 - equal) // 2, np.float64)


# ---- from descriptions

_TOP = Option(-1.0, -math.inf, math.inf, "an integer of at least 1, or -1 for all")
_BORDER = Option(0.5, -math.inf, math.inf, "a number")
_DECAY = Option(0.85, 0.0, 1.0, "from 0 to 1", open_low=False, open_high=False)
_SHARE = Option(0.95, 0.0, 1.0, "from 0 to 1", open_low=False, open_high=False)
_ANY = (-math.inf, math.inf)
_AT_LEAST_0, _PROBABILITY = (0.0, math.inf), (0.0, 1.0)
_GAINS, _DISCOUNTS = {"Base": False, "Exp": True}, {"LogPosition": False, "Position": True}
_AUCS = {"Classic": kinds.CLASSIC_AUC, "Ranking": kinds.RANKING_AUC}
#: CatBoost's hint is not to compute these on the learn set.
_SKIPPED = ("DCG", "NDCG", "PFound", "QueryAUC")
#: Which options each has, beside ``use_weights`` and hints, in the order in which CatBoost names them.
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "DCG": ("top", "type", "denominator"),
    "ERR": ("top",),
    "MAP": ("top", "border"),
    "MRR": ("top", "border"),
    "NDCG": ("top", "type", "denominator"),
    "PFound": ("decay", "top"),
    "PairLogit": (),
    "PrecisionAt": ("top", "border"),
    "QueryAUC": ("type",),
    "QueryCrossEntropy": ("alpha",),
    "QueryRMSE": (),
    "QuerySoftMax": ("beta", "lambda"),
    "RecallAt": ("top", "border"),
}
RANKING_METRICS = tuple(_OPTIONS)
#: CatBoost's means over groups that do not know weights.
_UNWEIGHTED = ("MAP", "PrecisionAt", "QueryAUC", "RecallAt")


def make_ranking_metric(
    description: str, *, group_weighted: bool, parameter: str = "eval_metric"
) -> "GroupScore | GroupLoss | PairLoss":
    """The metric of a description; ``group_weighted`` says that weights are those of groups: means over groups take no others.

    ``parameter`` is what errors name.

    Raises
    ------
    ParameterError
        For a metric or option that is not here, or out of range.
    """
    given = parse_description(description, parameter)
    if given.metric not in _OPTIONS:
        expected = f"one of {', '.join(RANKING_METRICS)} where rows are ranked"
        raise given.refused(expected, 'Choose one of these, or set aggregate="models" for CatBoost\'s others.')
    known = _OPTIONS[given.metric]
    for key, _ in given.options:
        if key not in known:
            words = (
                f"no option but {', '.join(known)}, use_weights and hints"
                if known
                else "no options but use_weights and hints"
            )
            raise given.refused(words, f"Leave {key!r} out.")
    if given.use_weights and given.metric in _UNWEIGHTED:
        raise given.refused("use_weights=false: groups count alike here", "Leave use_weights out.")
    wanted = given.use_weights is not False
    skip = given.metric in _SKIPPED if given.skip_train is None else given.skip_train
    name = _name(given)
    if given.metric == "PairLogit":
        return PairLoss(name, wanted, skip)
    if given.metric in _LOSSES:
        options, labels = _LOSSES[given.metric](given)
        return GroupLoss(name, wanted, skip, given.metric, options, labels)
    rule, labels = _rule(given)
    of_groups = wanted and group_weighted and given.metric not in _UNWEIGHTED
    return GroupScore(name, of_groups, skip, rule, labels)


_LOSSES: Mapping[str, Callable[[Description], tuple[tuple[float, float], tuple[float, float]]]] = {
    "QueryRMSE": lambda given: ((0.0, 0.0), _ANY),
    "QuerySoftMax": lambda given: ((_number(given, "lambda", 0.01), _number(given, "beta", 1.0)), _AT_LEAST_0),
    "QueryCrossEntropy": lambda given: ((_option(given, "alpha", _SHARE), 0.0), _PROBABILITY),
}


def _rule(given: Description) -> tuple[ScoreRule, tuple[float, float]]:
    """How groups are scored, and which labels they may have."""
    top, exponential = _top(given), _choice(given, "type", "Base", _GAINS) if given.metric in ("DCG", "NDCG") else False
    by_position = _choice(given, "denominator", "LogPosition", _DISCOUNTS)
    border, decay = _option(given, "border", _BORDER), _option(given, "decay", _DECAY)
    match given.metric:
        case "DCG" | "NDCG":
            kind, labels = (kinds.DCG if given.metric == "DCG" else kinds.NDCG), _AT_LEAST_0
            labels = (0.0, LARGEST_EXPONENT) if exponential else labels
        case "PFound" | "ERR":
            kind, labels = (kinds.PFOUND if given.metric == "PFound" else kinds.ERR), _PROBABILITY
            decay = decay if given.metric == "PFound" else 1.0
        case "QueryAUC":
            kind = _choice(given, "type", "Classic", _AUCS)
            labels = _PROBABILITY if kind == kinds.CLASSIC_AUC else _ANY
        case "MAP":
            kind, labels = kinds.MAP, _ANY
        case "MRR":
            kind, labels = kinds.MRR, _ANY
        case "PrecisionAt":
            kind, labels = kinds.PRECISION, _ANY
        case _:
            kind, labels = kinds.RECALL, _ANY
    return (kind, top, border, decay, bool(exponential), bool(by_position)), labels


def _option(given: Description, key: str, option: Option) -> float:
    alone = tuple(one for one in given.options if one[0] == key)
    return Description(given.text, given.metric, alone, None, None, given.parameter).numbers({key: option})[key]


def _number(given: Description, key: str, default: float) -> float:
    return _option(given, key, Option(default, -math.inf, math.inf, "a number"))


def _top(given: Description) -> int:
    value = _option(given, "top", _TOP)
    if value != -1 and (value < 1 or value != int(value)):
        raise given.refused(f"top to be {_TOP.words}", "Correct top.")
    return ALL if value == -1 else int(value)


def _choice(given: Description, key: str, default: str, choices: Mapping[str, Any]) -> Any:
    value = dict(given.options).get(key, default)
    if value not in choices:
        raise given.refused(f"{key} to be {' or '.join(choices)}", f"Correct {key}.")
    return choices[value]


def _name(given: Description) -> str:
    """CatBoost's name: options as given, those of DCG and NDCG in an order of their own and with the type."""
    options = dict(given.options)
    flag = [] if given.use_weights is None else [f"use_weights={str(given.use_weights).lower()}"]
    if given.metric in ("DCG", "NDCG"):
        options = {"type": "Base"} | options
        if options.get("top") == "-1":
            options.pop("top")
        options = {key: options[key] for key in _OPTIONS[given.metric] if key in options}
    shown = [*flag, *(f"{key}={value}" for key, value in options.items())]
    return f"{given.metric}:{';'.join(shown)}" if shown else given.metric
