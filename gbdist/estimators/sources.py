"""The data sets of a fit, checked without computing anything, and the columns of them that are not binned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gbdist.errors import DataError, ParameterError
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation.inputs import Parts, collect
from gbdist.estimators.preparation.pipeline import Source
from gbdist.estimators.preparation.split import split_for
from gbdist.quantize.merge_surveys import check_columns
from gbdist.quantize.unbinned import KINDS


@dataclass(frozen=True, eq=False)
class Given:
    """A data set as the user gave it; X may be a ``DaskPool``, which has the others."""

    X: Any
    y: Any = None
    sample_weight: Any = None
    baseline: Any = None
    group_id: Any = None

    def collect(self) -> Parts:
        """Keep the parts together; see ``inputs.collect``."""
        return collect(self.X, self.y, self.sample_weight, self.baseline, self.group_id)


def sources_of(
    train: Given, eval_sets: Sequence[Any], eval_fraction: float | None, parameters: Mapping[str, object]
) -> tuple[Source, ...]:
    """What has to be quantized, the training set first (unless it is a pool); nothing is computed.

    ``eval_sets`` are (X, y), (X, y, sample_weight), ``Given`` or ``DaskPool`` each; ``parameters`` name the columns that are not
    binned.
    """
    pooled = isinstance(train.X, DaskPool)
    if pooled or any(isinstance(one, DaskPool) for one in eval_sets):
        _refuse_columns(parameters)
    sources = []
    if pooled:
        _require_alone(train)
    else:
        parts = train.collect()
        sources = [Source(replace(parts, unbinned=unbinned_of(parts, parameters)))]
    if eval_fraction is not None:
        return _split(sources[0] if sources else None, eval_sets, eval_fraction)
    for number, one in enumerate(eval_sets):
        if not isinstance(one, DaskPool):
            sources.append(_eval_source(one, eval_name(number, len(eval_sets)), sources[0] if sources else None))
    return tuple(sources)


def unbinned_of(parts: Parts, parameters: Mapping[str, object]) -> tuple[tuple[int, str], ...]:
    """Positions among the features, and kinds, of the columns that are not binned; ParameterError for one that is not there."""
    kinds: dict[int, str] = {}
    for kind, parameter in KINDS.items():
        given: Any = parameters.get(parameter, ())
        for column in given:
            position = _position(column, parts, parameter, given)
            if kinds.setdefault(position, kind) != kind:
                expected = f"a column of one kind, and {column!r} is in {KINDS[kinds[position]]} too"
                raise ParameterError(parameter, list(given), expected, "Name it once.")
    return tuple(sorted(kinds.items()))


def _position(column: object, parts: Parts, parameter: str, given: Sequence[object]) -> int:
    names = parts.feature_names
    if isinstance(column, int):
        if 0 <= column < len(names):
            return column
        expected = f"positions from 0 to {len(names) - 1}"
    elif parts.labels is not None and column in names:
        return names.index(str(column))
    else:
        expected = "names of features" if parts.labels is not None else "positions, as X has no column names"
    fix = f"X has: {', '.join(names[:20])}." if parts.labels is not None else f"X has {len(names)} columns."
    raise ParameterError(parameter, list(given), expected, fix)


def _refuse_columns(parameters: Mapping[str, object]) -> None:
    for parameter in KINDS.values():
        given: Any = parameters.get(parameter)
        if given:
            expected = "it to be left out with a DaskPool, which holds bins of numeric columns alone"
            fix = "Pass the collections themselves."
            raise ParameterError(parameter, list(given), expected, fix)


def _require_alone(pooled: Given) -> None:
    beside = (("y", pooled.y), ("sample_weight", pooled.sample_weight), ("baseline", pooled.baseline))
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


def _eval_source(given: Any, name: str, train: Source | None) -> Source:
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
    if train is None or not train.parts.unbinned:
        return Source(parts, name)
    # The columns that are not binned are taken by position, so that all of them must be known to fit already.
    ours, theirs = train.parts, parts
    if len(ours.feature_names) != len(theirs.feature_names) or (ours.labels is not None and theirs.labels is not None):
        check_columns(name, theirs.feature_names, ours.feature_names)
    return Source(replace(parts, unbinned=train.parts.unbinned), name)


def eval_name(number: int, count: int) -> str:
    """What errors call an eval set."""
    return "eval_set" if count == 1 else f"eval_set[{number}]"
