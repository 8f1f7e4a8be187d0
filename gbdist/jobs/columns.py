"""Which columns of files are no numbers: those that a job names, else those whose type says that they are categories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gbdist.errors import ParameterError

_NAMED = 10
"""So many columns are named in a line."""


@dataclass(frozen=True, slots=True)
class ColumnKinds:
    """Names of the features that are no numbers."""

    categorical: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    embedding: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.categorical, *self.text, *self.embedding)

    @property
    def as_written(self) -> tuple[str, ...]:
        """Those that are read from a CSV file as they are written, whatever they look like."""
        return (*self.categorical, *self.text)


def kinds_of(model: Any) -> ColumnKinds:
    """Which features of a CatBoost model are no numbers."""
    names = [str(name) for name in model.feature_names_]
    categorical, text, embedding = (
        tuple(names[at] for at in positions)
        for positions in (
            model.get_cat_feature_indices(),
            model.get_text_feature_indices(),
            model.get_embedding_feature_indices(),
        )
    )
    return ColumnKinds(categorical, text, embedding)


def kinds_named(named: Mapping[str, Sequence[Any]], names: Sequence[str], others: Mapping[str, str]) -> ColumnKinds:
    """The columns that parameters name by name, or by position among the features.

    Parameters
    ----------
    named : columns by parameter; ``cat`` names categorical columns as ``cat_features`` does
    names : of all features, in order
    others : what other columns are, such as "the target"

    Raises
    ------
    ParameterError
        A column is named that is no feature.
    """
    from gbdist.estimators.columns import positions_of

    found: dict[str, tuple[str, ...]] = {}
    for parameter, given in named.items():
        for column in given:
            if column in others:
                expected = f"features, and {column!r} is {others[column]}"
                raise ParameterError(parameter, list(given), expected, f"Leave it out of {parameter}.")
        positions = positions_of(parameter, given, names, named=True)
        found[parameter] = tuple(names[position] for position in sorted(set(positions)))
    categorical = found.get("cat") or found.get("cat_features", ())
    return ColumnKinds(categorical, found.get("text_features", ()), found.get("embedding_features", ()))


def categorical_by_type(schema: Any, names: Sequence[str]) -> tuple[str, ...]:
    """Columns of a ``pyarrow.Schema`` that are categorical by their types: texts, dictionaries and pandas' categories."""
    import pyarrow.types as of

    from gbdist.quantize.raw import is_arrow_text

    # Parquet keeps pandas' categories of integers as integers, and says here what they were.
    stored = (schema.pandas_metadata or {}).get("columns", [])
    of_pandas = {column["name"] for column in stored if column.get("pandas_type") == "categorical"}
    kinds = {name: schema.field(name).type for name in names}
    return tuple(
        name for name, kind in kinds.items() if is_arrow_text(kind) or of.is_dictionary(kind) or name in of_pandas
    )


def in_words(categorical: Sequence[str], *, by_type: bool) -> str:
    """The line that names categorical columns."""
    how = " (by their types; --cat says otherwise)" if by_type else ""
    more = f" and {len(categorical) - _NAMED} more" if len(categorical) > _NAMED else ""
    return f"categorical columns{how}: {', '.join(map(repr, categorical[:_NAMED]))}{more}"
