"""The data sets of a fit, checked without computing anything, and the columns of them that are not binned."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gbdist.errors import DataError, ParameterError
from gbdist.estimators.columns import ColumnRules, Columns, unbinned_of, with_columns_of
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation.inputs import Parts, collect
from gbdist.estimators.preparation.pipeline import Source
from gbdist.estimators.preparation.split import split_for
from gbdist.quantize.pairs import Pairs, read_pairs
from gbdist.quantize.unbinned import KINDS


@dataclass(frozen=True, eq=False)
class GroupGiven:
    """Of a data set that is ranked: whether its weights are those of groups, and the pairs that were given, if any."""

    weights_groups: bool = False
    pairs: Pairs | None = None


@dataclass(frozen=True, eq=False)
class Given:
    """A data set as the user gave it; X may be a ``DaskPool``, which has the others. ``fold`` is a number that folds go by."""

    X: Any
    y: Any = None
    sample_weight: Any = None
    baseline: Any = None
    group_id: Any = None
    group_weight: Any = None
    pairs: Any = None
    fold: Any = None

    def collect(self) -> Parts:
        """Keep the parts together; see ``inputs.collect``. Weights of groups are those of their rows."""
        weight = self.sample_weight if self.group_weight is None else self.group_weight
        return collect(self.X, self.y, weight, self.baseline, self.group_id, self.fold)

    def of_groups(self, name: str) -> GroupGiven:
        """What is about groups, checked; ``name`` is what errors call the data set."""
        where = f"{name}, " if name else ""
        if self.sample_weight is not None and self.group_weight is not None:
            fix = "A row's weight is its group's, or its own."
            raise DataError(f"{where}group_weight", "a value beside sample_weight", "one of the two", fix)
        pairs = None if self.pairs is None else read_pairs(self.pairs, f"{where}pairs")
        return GroupGiven(self.group_weight is not None, pairs)


def groups_of(train: Given, eval_sets: Sequence[Given], *, of_models: bool) -> tuple[GroupGiven, ...]:
    """What a ranker was given for the groups of each data set; ``of_models`` refuses what CatBoost's pools are not given."""
    named = [("", train), *((eval_name(i, len(eval_sets)), one) for i, one in enumerate(eval_sets))]
    groups = tuple(one.of_groups(name) for name, one in named)
    for (name, _), one in zip(named, groups, strict=True):
        if of_models and (one.weights_groups or one.pairs is not None):
            what = "group_weight" if one.weights_groups else "pairs"
            where = f"{name}, {what}" if name else what
            raise DataError(
                where, "a value", "None with aggregate='models'", 'Leave it out, or set aggregate="histograms".'
            )
    return groups


def pairs_in(groups: Sequence[GroupGiven]) -> list[Pairs]:
    """The pairs of each data set that has any."""
    return [one.pairs for one in groups if one.pairs is not None]


def sources_of(
    train: Given, eval_sets: Sequence[Any], eval_fraction: float | None, rules: ColumnRules
) -> tuple[Source, ...]:
    """What has to be quantized, the training set first (unless it is a pool); nothing is computed.

    ``eval_sets`` are (X, y), (X, y, sample_weight), ``Given`` or ``DaskPool`` each.
    """
    _require_pools_of_numbers([train.X, *eval_sets], rules)
    sources = []
    if isinstance(train.X, DaskPool):
        _require_alone(train)
        columns = train.X.columns
        if rules.hashed:
            columns.require_named(rules, "the DaskPool")
    else:
        parts = train.collect()
        sources = [Source(replace(parts, unbinned=unbinned_of(parts, rules), cat_nan=rules.cat_nan))]
        columns = Columns.of(sources[0].parts)
    if eval_fraction is not None:
        return _split(sources[0] if sources else None, eval_sets, eval_fraction)
    for number, one in enumerate(eval_sets):
        name = eval_name(number, len(eval_sets))
        if isinstance(one, DaskPool):
            _require_columns_of(columns, one, name)
        else:
            sources.append(_eval_source(one, name, columns, rules.cat_nan))
    return tuple(sources)


def _require_columns_of(train: Columns, pool: DaskPool, name: str) -> None:
    """DataError for an eval set, called ``name``, whose categorical columns are not those of the training set."""
    if pool.columns.unbinned != train.unbinned:
        found = f"a DaskPool with {pool.columns.in_words}"
        fix = "Make the training set a DaskPool, and this one with DaskPool(X, y, borders_of=that_pool)."
        raise DataError(name, found, f"{train.in_words}, as in the training set", fix)


def _require_pools_of_numbers(sets: Sequence[Any], rules: ColumnRules) -> None:
    """ParameterError for columns that CatBoost itself would be given, beside pools, which have no values of theirs."""
    pools = [one for one in sets if isinstance(one, DaskPool)]
    if rules.hashed or not pools:
        return
    if any(pool.columns.unbinned for pool in pools):
        expected = "'histograms' with a DaskPool of categorical columns, which keeps nothing but their hashes"
        raise ParameterError("aggregate", "models", expected, "Pass the collections themselves.")
    for parameter in KINDS.values():
        given = rules.named(parameter)
        if given:
            expected = "it to be left out with a DaskPool, which holds bins of numeric columns alone"
            raise ParameterError(parameter, list(given), expected, "Pass the collections themselves.")


def _require_alone(pooled: Given) -> None:
    beside = (
        ("y", pooled.y),
        ("sample_weight", pooled.sample_weight),
        ("baseline", pooled.baseline),
        ("fold", pooled.fold),
    )
    for name, given in beside:
        if given is not None:
            raise DataError(name, "a value beside a DaskPool", "None", f"Give {name} to DaskPool.")


def _split(train: Source | None, eval_sets: Sequence[Any], eval_fraction: float) -> tuple[Source, ...]:
    """Two sides of the training set."""
    if eval_sets:
        expected = "None beside eval_set"
        raise ParameterError("eval_fraction", eval_fraction, expected, "Give one of the two.")
    if train is None:
        expected = "None with a DaskPool, whose rows are quantized already"
        raise ParameterError("eval_fraction", eval_fraction, expected, "Give eval_set=DaskPool(..., borders_of=pool).")
    side = split_for(eval_fraction)
    return Source(train.parts, "", side), Source(train.parts, "eval_fraction", side.other())


def _eval_source(given: Any, name: str, train: Columns, cat_nan: str | None) -> Source:
    if isinstance(given, tuple) and len(given) in (2, 3):
        given = Given(*given)
    if not isinstance(given, Given):
        found = f"a {type(given).__name__}" + (f" of {len(given)}" if isinstance(given, tuple) else "")
        raise DataError(name, found, "(X, y), (X, y, sample_weight) or a DaskPool", "Pass eval_set=(X_val, y_val).")
    try:
        parts = given.collect()
    except DataError as error:
        where, *others = error.args
        raise DataError(f"{name}, {where}", *others) from None
    return Source(with_columns_of(train, parts, cat_nan, name), name)


def eval_name(number: int, count: int) -> str:
    """What errors call an eval set."""
    return "eval_set" if count == 1 else f"eval_set[{number}]"
