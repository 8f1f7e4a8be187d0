"""The surveys of all partitions become one; every check on the input happens here."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace

import numpy as np

from gbdist.errors import DataError
from gbdist.quantize.groups import merge_groups
from gbdist.quantize.survey import LABEL_LIMIT, BaselineFacts, IntervalFacts, LabelFacts, PartSurvey, WeightFacts
from gbdist.quantize.unbinned import HASHED, UnbinnedFacts, merge_unbinned
from gbdist.quantize.vectors import LabelCoding

_LABEL_KINDS = ("integer", "float", "boolean", "string")
_FIX_ROWS = "Drop or repair those rows."


@dataclass(frozen=True, slots=True)
class DataSurvey:
    """What is known of the whole data; nothing but the ``part_…`` tuples depends on how the rows are partitioned.

    ``part_…`` are ordered by number of the partition, ``has_nan`` by column; ``names`` and ``has_nan`` are of the columns that
    are binned, ``unbinned`` of the others; ``targets`` has the facts of each label of a row. ``part_cuts`` has the rows of each
    partition where a rank's rows may begin, None for everywhere; ``group_kind`` is "integer" or "string" then. ``folded``:
    rows have a number that folds go by.
    """

    part_numbers: tuple[int, ...]
    part_rows: tuple[int, ...]
    part_nbytes: tuple[int, ...]
    names: tuple[str, ...]
    named: bool
    has_nan: tuple[bool, ...]
    targets: tuple[LabelFacts, ...]
    weight: WeightFacts | None
    baseline: BaselineFacts | None
    part_cuts: tuple[tuple[int, ...], ...] | None = None
    group_kind: str | None = None
    unbinned: tuple[UnbinnedFacts, ...] = ()
    intervals: IntervalFacts = field(default_factory=IntervalFacts)
    folded: bool = False

    @property
    def n_rows(self) -> int:
        """Rows of all partitions."""
        return sum(self.part_rows)

    @property
    def label(self) -> LabelFacts | None:
        """Facts of the label, where a row has one."""
        return self.targets[0] if len(self.targets) == 1 else None

    @property
    def labels(self) -> LabelCoding:
        """How labels are kept in shards."""
        return LabelCoding("float", None) if self.label is None else LabelCoding(self.label.kind, self.label.values)

    @property
    def hashed(self) -> tuple[int, ...]:
        """Positions, among all columns, of those that are kept as hashes."""
        return tuple(each.position for each in self.unbinned if each.kind == HASHED)

    @property
    def unbinned_row_bytes(self) -> int:
        """Bytes that a row takes beside its bins for the columns that are not binned: their mean, rounded up."""
        return -(-sum(each.nbytes for each in self.unbinned) // max(1, self.n_rows))


def merge_surveys(surveys: Sequence[PartSurvey]) -> DataSurvey:
    """Merge the surveys of all partitions of one data set; ``DataError`` for data that cannot be trained on."""
    parts = sorted(surveys, key=lambda survey: survey.number)
    for part in parts:
        if part.problem is not None:
            raise part.problem
    if not parts or sum(part.n_rows for part in parts) + sum(_rows_beside(part) for part in parts) == 0:
        raise DataError(
            "X", _no_rows(parts), "at least one row", "Check the filter or the path that the data come from."
        )
    _check_columns_of(parts)
    for part in parts:
        _check_lengths(part)
    filled = [part for part in parts if part.n_rows > 0]
    return DataSurvey(
        part_numbers=tuple(part.number for part in parts),
        part_rows=tuple(part.n_rows for part in parts),
        part_nbytes=tuple(part.nbytes for part in parts),
        names=parts[0].names,
        named=parts[0].named,
        has_nan=tuple(any(flags) for flags in zip(*(part.has_nan for part in parts), strict=True)),
        targets=_merge_targets(filled),
        weight=_merge_weights(filled),
        baseline=_merge_baselines(filled),
        part_cuts=merge_groups([(part.number, part.group) for part in parts]),
        group_kind=next((part.group.kind for part in filled if part.group is not None), None),
        unbinned=merge_unbinned((part.number, part.unbinned) for part in filled),
        intervals=IntervalFacts(*np.sum([astuple(part.intervals) for part in parts], axis=0).tolist()),
        folded=any(part.fold_rows is not None for part in filled),
    )


def check_columns(where: str, found: Sequence[str], expected: Sequence[str]) -> None:
    """``DataError`` at ``where`` unless both name the same columns in the same order; says what is missing or extra."""
    if list(found) == list(expected):
        return
    missing = [name for name in expected if name not in set(found)]
    extra = [name for name in found if name not in set(expected)]
    if missing or extra:
        faults = [f"{len(found)} columns"]
        faults += [f"missing {_some(missing)}"] if missing else []
        faults += [f"unexpected {_some(extra)}"] if extra else []
        raise DataError(where, ", ".join(faults), f"{len(expected)} columns", "Give every part the same columns.")
    position = next(f for f, name in enumerate(expected) if found[f] != name)
    raise DataError(
        where,
        f"column {found[position]!r} at position {position}",
        f"{expected[position]!r} there",
        "Give every part its columns in the same order.",
    )


def _no_rows(parts: Sequence[PartSurvey]) -> str:
    # scikit-learn's words, which its own checks look for.
    if parts and not parts[0].names:
        return f"0 feature(s) (shape=({parts[0].n_rows}, 0)) while a minimum of 1 is required."
    return f"0 rows in {len(parts)} partition(s)"


def _rows_beside(part: PartSurvey) -> int:
    """Rows that label and weight claim, so that an X without rows beside a y with some is told as a mismatch."""
    return max(part.targets[0].n_rows if part.targets else 0, part.weight.n_rows if part.weight else 0)


def _check_columns_of(parts: Sequence[PartSurvey]) -> None:
    first = parts[0]
    if not first.names and not any(part.unbinned for part in parts):
        raise DataError(
            "X",
            f"0 feature(s) (shape=({first.n_rows}, 0)) while a minimum of 1 is required.",
            "at least one column",
            "Give X at least one feature.",
        )
    repeated = [name for name, count in Counter(first.names).items() if count > 1]
    if repeated:
        raise DataError("X", f"column {repeated[0]!r} more than once", "distinct column names", "Rename or drop one.")
    for part in parts[1:]:
        check_columns(f"X of partition {part.number}", part.names, first.names)


def _check_lengths(part: PartSurvey) -> None:
    beside = (
        ("y", part.targets[0] if part.targets else None),
        ("sample_weight", part.weight),
        ("baseline", part.baseline),
        ("group_id", part.group),
    )
    counted = [(name, facts.n_rows) for name, facts in beside if facts is not None]
    for name, n_rows in [*counted, ("folds", part.n_rows if part.fold_rows is None else part.fold_rows)]:
        if n_rows != part.n_rows:
            raise DataError(
                f"partition {part.number}",
                f"{part.n_rows} rows in X but {n_rows} in {name}",
                "the same rows in both",
                f"Partition X and {name} alike, row by row.",
            )


def _merge_targets(parts: Sequence[PartSurvey]) -> tuple[LabelFacts, ...]:
    if not parts or not any(part.targets for part in parts):
        return ()
    first = parts[0]
    for part in parts:
        if not part.targets:
            fix = "Give every partition its y."
            raise DataError(f"partition {part.number}", "no y", "a y as in the other partitions", fix)
        if len(part.targets) != len(first.targets):
            found, expected = (f"{len(each.targets)} column(s)" for each in (part, first))
            fix = "Give y the same columns in every partition."
            raise DataError(f"y of partition {part.number}", found, f"{expected} as in partition {first.number}", fix)
    if len(first.targets) == 1:
        return (_merge_labels([(part.number, part.targets[0]) for part in parts], may_miss=False),)
    return tuple(
        _merge_labels([(part.number, part.targets[k]) for part in parts], may_miss=True)
        for k in range(len(first.targets))
    )


def _merge_labels(facts: Sequence[tuple[int, LabelFacts]], *, may_miss: bool) -> LabelFacts:
    """Facts of all partitions, given with their numbers; of several labels one may be missing, in whole partitions too."""
    for number, label in facts:
        where = f"y of partition {number}"
        n_bad = label.n_infinite + (0 if may_miss else label.n_missing)
        if n_bad:
            raise DataError(where, f"{n_bad} missing or infinite value(s)", "a finite label in every row", _FIX_ROWS)
        if may_miss and label.kind == "empty":
            continue
        if label.kind not in _LABEL_KINDS:
            raise DataError(where, f"{label.kind} values", "numbers, booleans or strings", "Convert y to one of these.")
    known = [(number, label) for number, label in facts if label.kind != "empty"]
    if not known:
        raise DataError("y", "a column without values", "a label in some row", "Leave the column out.")
    first_number, first = known[0]
    kind = first.kind
    for number, label in known[1:]:
        if {kind, label.kind} == {"integer", "float"}:
            kind = "float"
        elif label.kind != kind:
            raise DataError(
                f"y of partition {number}",
                f"{label.kind} values",
                f"{kind} as in partition {first_number}",
                "Give y the same type in every partition.",
            )
    n_missing = sum(label.n_missing for _, label in facts)
    return replace(_sum_labels([label for _, label in known], kind), n_missing=n_missing)


def _sum_labels(facts: Sequence[LabelFacts], kind: str) -> LabelFacts:
    rows: Counter[int | float | bool | str] = Counter()
    weights: Counter[int | float | bool | str] = Counter()
    for label in facts:
        for found, n, weight in zip(label.values or (), label.rows_of_value, label.weight_of_value, strict=True):
            value = float(found) if kind == "float" else found  # integers beside floats may become equal only here
            rows[value] += n
            weights[value] += weight
    known = all(label.values is not None for label in facts) and len(rows) <= LABEL_LIMIT
    if kind == "string" and not known:
        raise DataError(
            "y",
            f"more than {LABEL_LIMIT} different strings",
            f"at most {LABEL_LIMIT} classes",
            "Merge rare classes, or convert y to numbers for regression.",
        )
    ordered = sorted(rows) if known else []
    return LabelFacts(
        kind,
        sum(label.n_rows for label in facts),
        0,
        0,
        min(label.minimum for label in facts),
        max(label.maximum for label in facts),
        tuple(ordered) if known else None,
        tuple(rows[value] for value in ordered),
        tuple(weights[value] for value in ordered),
    )


def _merge_weights(parts: Sequence[PartSurvey]) -> WeightFacts | None:
    facts = [(part.number, part.weight) for part in parts if part.weight is not None]
    if not facts:
        return None
    if len(facts) < len(parts):
        absent = next(part.number for part in parts if part.weight is None)
        raise DataError(
            f"partition {absent}", "no sample_weight", "one as in the others", "Give every partition its weights."
        )
    for number, weight in facts:
        where = f"sample_weight of partition {number}"
        if weight.n_bad:
            raise DataError(where, f"{weight.n_bad} missing or infinite value(s)", "finite weights", _FIX_ROWS)
        if weight.n_negative:
            raise DataError(where, f"{weight.n_negative} negative value(s)", "weights of 0 or more", _FIX_ROWS)
    total = sum(weight.total for _, weight in facts)
    if total == 0:
        raise DataError("sample_weight", "only zeros", "at least one weight above 0", "Check how the weights are made.")
    return WeightFacts(
        sum(weight.n_rows for _, weight in facts), 0, 0, total, max(weight.maximum for _, weight in facts)
    )


def _merge_baselines(parts: Sequence[PartSurvey]) -> BaselineFacts | None:
    facts = [(part.number, part.baseline) for part in parts if part.baseline is not None]
    if not facts:
        return None
    first_number, first = facts[0]
    if len(facts) < len(parts):
        absent = next(part.number for part in parts if part.baseline is None)
        raise DataError(
            f"partition {absent}", "no baseline", "one as in the others", "Give every partition its baseline."
        )
    for number, baseline in facts:
        where = f"baseline of partition {number}"
        if baseline.n_bad:
            raise DataError(where, f"{baseline.n_bad} missing or infinite value(s)", "finite numbers", _FIX_ROWS)
        if baseline.dimension != first.dimension:
            raise DataError(
                where,
                f"{baseline.dimension} column(s)",
                f"{first.dimension} as in partition {first_number}",
                "Give every row the same number of raw values.",
            )
    return BaselineFacts(sum(baseline.n_rows for _, baseline in facts), first.dimension, 0)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
