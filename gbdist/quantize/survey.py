"""What must be known of the whole data before a row is quantized: one small record a partition, merged on the client."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.quantize.exact import exact_count, exact_sums
from gbdist.quantize.groups import GroupFacts, survey_groups
from gbdist.quantize.raw import FeatureTable, RawPart
from gbdist.quantize.unbinned import UnbinnedFacts, survey_columns
from gbdist.quantize.vectors import LabelVector, baseline_matrix, label_columns, label_vector, number_vector

LABEL_LIMIT = 2_000
_PROBE_ROWS = 20_000
_NAN_BLOCK_CELLS = 1 << 18


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """Facts of the labels of one partition, or of all.

    ``values`` are the sorted distinct labels, None where there are more than ``LABEL_LIMIT``; ``rows_of_value`` and
    ``weight_of_value`` (exact integers, ``exact.to_float`` rounds one) belong to them. ``minimum`` and ``maximum`` are 0 for
    strings. ``n_missing`` counts labels that are not there, ``n_infinite`` those that are no finite number.
    """

    kind: str
    n_rows: int
    n_missing: int
    n_infinite: int
    minimum: float
    maximum: float
    values: tuple[int | float | bool | str, ...] | None
    rows_of_value: tuple[int, ...]
    weight_of_value: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WeightFacts:
    """Facts of the weights (float32) of one partition, or of all; ``total`` is an exact sum, ``n_bad`` counts NaN and inf."""

    n_rows: int
    n_bad: int
    n_negative: int
    total: int
    maximum: float


@dataclass(frozen=True, slots=True)
class BaselineFacts:
    """Shape of a baseline; ``n_bad`` counts NaN and inf."""

    n_rows: int
    dimension: int
    n_bad: int


@dataclass(frozen=True, slots=True)
class IntervalFacts:
    """Facts of two labels a row as the ends of an interval, −1 for none: how many rows are no interval, by what is wrong.

    ``n_crossed`` have a lower end above the upper one, ``n_open`` have neither, ``n_not_positive`` have one at 0 or below.
    """

    n_crossed: int = 0
    n_open: int = 0
    n_not_positive: int = 0


@dataclass(frozen=True, slots=True)
class PartSurvey:
    """What one partition says of itself: O(columns + labels) numbers. ``problem`` is what stopped the survey, if anything.

    ``names`` and ``has_nan`` are of the columns that are binned; ``targets`` has the facts of each label of a row.
    ``fold_rows`` is how many rows have a number that folds go by, None without.
    """

    number: int
    n_rows: int
    nbytes: int
    names: tuple[str, ...]
    named: bool
    has_nan: tuple[bool, ...]
    targets: tuple[LabelFacts, ...] = ()
    weight: WeightFacts | None = None
    baseline: BaselineFacts | None = None
    problem: DataError | None = None
    group: GroupFacts | None = None
    unbinned: tuple[UnbinnedFacts, ...] = ()
    intervals: IntervalFacts = field(default_factory=IntervalFacts)
    fold_rows: int | None = None


def survey_part(part: RawPart) -> PartSurvey:
    """Look at every value of one partition once. Never raises for bad data: ``merge_surveys`` does."""
    try:
        table = part.open()
    except DataError as problem:
        return failed_survey(part.number, problem)
    size = (part.number, table.n_rows, table.nbytes, table.names, table.named)
    try:
        weight = _weights(part)
        unbinned, unbinned_nbytes = survey_columns(part.unbinned, part.number) if table.n_rows else ((), 0)
        return PartSurvey(
            part.number,
            table.n_rows,
            table.nbytes + unbinned_nbytes,
            table.names,
            table.named,
            has_nan=_nan_flags(table),
            targets=_targets(part, weight),
            weight=_weight_facts(weight),
            baseline=_baseline_facts(part),
            group=None if part.group is None else survey_groups(part.group, part.number),
            unbinned=unbinned,
            intervals=_intervals(part),
            fold_rows=None if part.fold is None else len(part.fold),
        )
    except DataError as problem:
        return PartSurvey(*size, has_nan=(), problem=problem)


def failed_survey(number: int, problem: DataError) -> PartSurvey:
    """Survey of a partition that cannot be read at all."""
    return PartSurvey(number, 0, 0, (), False, has_nan=(), problem=problem)


def _nan_flags(table: FeatureTable) -> tuple[bool, ...]:
    if table.dense is None:
        # A partition without rows may have columns of any type: an empty pandas column is often "object".
        return tuple(table.n_rows > 0 and bool(np.isnan(table.column(f)).any()) for f in range(len(table.names)))
    flags = np.zeros(len(table.names), dtype=np.bool_)
    if table.dense.dtype.kind == "f":
        step = max(1, _NAN_BLOCK_CELLS // max(1, len(table.names)))
        for start in range(0, table.n_rows, step):
            flags |= np.isnan(table.dense[start : start + step]).any(axis=0)
    return tuple(flags.tolist())


def _weights(part: RawPart) -> NDArray[np.float32] | None:
    return None if part.weight is None else number_vector(part.weight, f"sample_weight of partition {part.number}")


def _weight_facts(weight: NDArray[np.float32] | None) -> WeightFacts | None:
    if weight is None:
        return None
    good = weight[np.isfinite(weight)].astype(np.float64)
    maximum = float(good.max()) if good.size else 0.0
    return WeightFacts(
        weight.shape[0], weight.shape[0] - good.shape[0], int((weight < 0).sum()), exact_sums(good)[0], maximum
    )


def _baseline_facts(part: RawPart) -> BaselineFacts | None:
    if part.baseline is None:
        return None
    matrix = baseline_matrix(part.baseline, f"baseline of partition {part.number}")
    return BaselineFacts(matrix.shape[1], matrix.shape[0], int((~np.isfinite(matrix)).sum()))


def _targets(part: RawPart, weight: NDArray[np.float32] | None) -> tuple[LabelFacts, ...]:
    columns = () if part.label is None else label_columns(part.label)
    return tuple(_label_facts(column, f"y of partition {part.number}", weight) for column in columns)


def _intervals(part: RawPart) -> IntervalFacts:
    columns = () if part.label is None else label_columns(part.label)
    if len(columns) != 2:
        return IntervalFacts()
    try:
        low, high = (number_vector(column, "y") for column in columns)
    except DataError:  # strings, which no loss of two labels takes
        return IntervalFacts()
    no_low, no_high = low == -1.0, high == -1.0
    not_positive = ((low <= 0.0) & ~no_low) | ((high <= 0.0) & ~no_high)
    return IntervalFacts(
        n_crossed=int(((low > high) & ~no_high & ~no_low).sum()),
        n_open=int((no_low & no_high).sum()),
        n_not_positive=int(not_positive.sum()),
    )


def _label_facts(label: object, where: str, weight: NDArray[np.float32] | None) -> LabelFacts:
    vector = label_vector(label, where)
    n_infinite = int(np.isinf(vector.values).sum()) if vector.kind == "float" else 0
    low, high = 0.0, 0.0
    if vector.kind in ("integer", "float", "boolean"):
        low, high = float(vector.values.min()), float(vector.values.max())
    usable = vector.n_missing + n_infinite == 0 and (
        weight is None or (weight.shape[0] == vector.n_rows and bool(np.isfinite(weight).all()))
    )
    values, rows, weights = _distinct(vector, weight if usable else None)
    return LabelFacts(vector.kind, vector.n_rows, vector.n_missing, n_infinite, low, high, values, rows, weights)


def _distinct(
    vector: LabelVector, weight: NDArray[np.float32] | None
) -> tuple[tuple[int | float | bool | str, ...] | None, tuple[int, ...], tuple[int, ...]]:
    """Sorted distinct labels, with rows and exact weight of each; None for more than the limit."""
    if vector.kind not in ("integer", "float", "boolean", "string"):
        return (), (), ()
    if len(pd.unique(vector.values[:_PROBE_ROWS])) > LABEL_LIMIT:
        return None, (), ()
    codes, found = pd.factorize(vector.values, sort=True)
    if len(found) > LABEL_LIMIT:
        return None, (), ()
    rows = np.bincount(codes, minlength=len(found)).tolist()
    if weight is None:
        weights = [exact_count(n) for n in rows]
    else:
        weights = exact_sums(weight.astype(np.float64), codes.astype(np.int64), len(found))
    return tuple(np.asarray(found).tolist()), tuple(rows), tuple(weights)
