"""Which columns are not binned: those that the user names, and for histograms those that are categorical by their types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.columns import position_of
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.tables import column
from gbdist.quantize.categories import is_categorical
from gbdist.quantize.merge_surveys import check_columns
from gbdist.quantize.unbinned import HASHED, KINDS

#: Position among the features, and kind.
Unbinned = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class ColumnRules:
    """What is said of columns that are not numbers.

    Parameters
    ----------
    parameters : ``canonical``'s answer, which may name columns
    hashed : bool
        Whether categorical columns are kept as hashes, and found by their types where none are named: for histograms.
    cat_nan : str or None
        The text that stands for missing values in categorical columns; None: there may be none.
    """

    parameters: Mapping[str, object] = field(default_factory=dict)
    hashed: bool = True
    cat_nan: str | None = None

    def named(self, parameter: str) -> Sequence[object]:
        """Columns that a parameter names."""
        given: Any = self.parameters.get(parameter, ())
        return tuple(given)

    @property
    def by_type(self) -> bool:
        """Whether categorical columns are found by their types."""
        return self.hashed and "cat_features" not in self.parameters


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a training set; ``named`` says whether it has names of its own."""

    names: tuple[str, ...]
    named: bool
    unbinned: Unbinned

    @classmethod
    def of(cls, parts: Parts) -> "Columns":
        """The columns of a data set that is not quantized yet."""
        return cls(parts.feature_names, parts.labels is not None, parts.unbinned)

    @property
    def in_words(self) -> str:
        """The categorical columns by name."""
        listed = ", ".join(repr(self.names[position]) for position, _ in self.unbinned)
        return f"the categorical columns {listed}" if listed else "no categorical columns"

    def require_named(self, rules: ColumnRules, owner: str) -> None:
        """ParameterError for ``cat_features`` that are not these, which those of a pool are."""
        if rules.by_type:
            return
        given = rules.named("cat_features")
        positions = positions_of("cat_features", given, self.names, named=self.named)
        if sorted(set(positions)) != [position for position, _ in self.unbinned]:
            fix = f"Leave it out: {owner}'s are taken."
            raise ParameterError("cat_features", list(given), self.in_words, fix)


def with_columns_of(train: Columns, parts: Parts, cat_nan: str | None, name: str) -> Parts:
    """An eval set, called ``name``, whose columns are binned or not as those of the training set are."""
    if not train.unbinned:
        return parts
    # They are taken by position, so that all of them must be known to fit already.
    if len(train.names) != len(parts.feature_names) or (train.named and parts.labels is not None):
        check_columns(name, parts.feature_names, train.names)
    return replace(parts, unbinned=train.unbinned, cat_nan=cat_nan)


def unbinned_of(parts: Parts, rules: ColumnRules) -> Unbinned:
    """Columns of a data set that are not binned, ascending in position; ParameterError for a named one that is not there.

    Nothing is computed: of a lazy collection the types are looked at that it announces.
    """
    if rules.by_type:
        return tuple((position, HASHED) for position in _categorical(parts))
    kinds: dict[int, str] = {}
    for kind, parameter in KINDS.items():
        given = rules.named(parameter)
        for position in positions_of(parameter, given, parts.feature_names, named=parts.labels is not None):
            if kinds.setdefault(position, kind) != kind:
                name = next(each for each in given if position_of(each, parts.feature_names) == position)
                expected = f"a column of one kind, and {name!r} is in {KINDS[kinds[position]]} too"
                raise ParameterError(parameter, list(given), expected, "Name it once.")
    return tuple(
        (position, HASHED if rules.hashed and kind == "cat" else kind) for position, kind in sorted(kinds.items())
    )


def positions_of(parameter: str, given: Sequence[object], names: Sequence[str], *, named: bool) -> list[int]:
    """Positions of the columns that a parameter names, which needs that X is ``named``; ParameterError for one it has not."""
    positions = []
    for each in given:
        position = position_of(each, names)
        if position is None or (isinstance(each, str) and not named):
            raise _not_there(parameter, given, each, names, named)
        positions.append(position)
    return positions


def _not_there(
    parameter: str, given: Sequence[object], wanted: object, names: Sequence[str], named: bool
) -> ParameterError:
    if isinstance(wanted, int):
        expected = f"positions from 0 to {len(names) - 1}"
    else:
        expected = "names of features" if named else "positions, as X has no column names"
    fix = f"X has: {', '.join(names[:20])}." if named else f"X has {len(names)} columns."
    return ParameterError(parameter, list(given), expected, fix)


def _categorical(parts: Parts) -> list[int]:
    """Positions of the columns of a frame whose types are categorical."""
    if parts.labels is None:
        return []
    table = parts.features._meta if parts.lazy else parts.features
    columns = (column(table, label) for label in parts.labels)
    return [at for at, values in enumerate(columns) if is_categorical(values, look=not parts.lazy)]
