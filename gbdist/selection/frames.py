"""A column beside a Dask DataFrame or Series, computed from the facts of each of its partitions: an expression of Dask's own.

``map_partitions`` will not do: functions learn the number of a partition from it, but after Dask's optimizer has picked
partitions and joined small files, so that these are other ones. Here the facts are operands, which Dask picks and joins too.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from dask._task_spec import DataNode, Task, TaskRef
from dask.dataframe.dask_expr import new_collection
from dask.dataframe.dask_expr._expr import Blockwise, Expr, are_co_aligned
from dask.dataframe.dask_expr._repartition import RepartitionToFewer
from numpy.typing import NDArray

#: Says something of each row of a partition, from its facts (a row for each of those that Dask joined), the rule, the values of
#: the partition, and how many rows it has.
Answer = Callable[[NDArray[np.int64], Any, Any, int], NDArray[Any]]


def frame_column(X: Any, facts: NDArray[np.int64], rule: Any, answer: Answer, dtype: Any, values: Any = None) -> Any:
    """A lazy Series with the index and partitions of X: what ``answer`` says of each partition.

    Parameters
    ----------
    X : Dask DataFrame or Series
    facts : int64 [n_partitions, n]
        One row for each partition; the second column is its number of rows.
    rule
        Sent once, however many partitions there are.
    answer : a function that workers can import
    values : Dask Series with the same partitions, or None
    """
    frame = X if X.ndim == 1 or not len(X.columns) else X[[X.columns[0]]]
    operand = None if values is None else values.expr
    return new_collection(_Column(frame.expr, _Facts(facts), _Shared(rule), answer, np.dtype(dtype), operand))


def have_same_partitions(X: Any, other: Any) -> bool:
    """Whether Dask takes two frames to have the same partitions: both made of the same one, or known divisions that are equal."""
    if X.npartitions != other.npartitions:
        return False
    return bool(are_co_aligned(X.expr, other.expr) or (X.known_divisions and X.divisions == other.divisions))


class _Facts(Expr):  # type: ignore[misc]  # Dask has no types
    """Rows of a matrix, one a partition, each in a Series of one object: so they are joined as Dask joins frames.

    It has no dimensions, by which Dask leaves it out when it asks whether frames have the same partitions.
    """

    _parameters = ("facts",)
    ndim = 0

    @functools.cached_property
    def _meta(self) -> pd.Series:
        return pd.Series([], dtype=object)

    def _operands_for_repr(self) -> list[str]:
        return [f"partitions={len(self.operand('facts'))}"]  # Dask would ask whether the matrix is one of its defaults

    def _divisions(self) -> Any:
        return (None,) * (self.operand("facts").shape[0] + 1)

    def _layer(self) -> dict[Any, Any]:
        rows = [pd.Series([row], dtype=object) for row in self.operand("facts")]
        return {(self._name, i): DataNode((self._name, i), row) for i, row in enumerate(rows)}


class _Shared(Expr):  # type: ignore[misc]
    """A value that all partitions use."""

    _parameters = ("value",)
    ndim = 0

    @functools.cached_property
    def _meta(self) -> pd.Series:
        return pd.Series([], dtype=object)

    def _divisions(self) -> tuple[None, None]:
        return (None, None)

    def _layer(self) -> dict[Any, Any]:
        return {(self._name, 0): DataNode((self._name, 0), self.operand("value"))}


class _Column(Blockwise):  # type: ignore[misc]
    """See ``frame_column``."""

    _parameters = ("frame", "facts", "rule", "answer", "dtype", "values")

    @functools.cached_property
    def _meta(self) -> pd.Series:
        return pd.Series([], dtype=self.operand("dtype"), index=self.frame._meta.index)

    def _divisions(self) -> Any:
        return self.frame.divisions

    def _broadcast_dep(self, dep: Any) -> bool:
        return isinstance(dep, _Shared)

    def _task(self, name: Any, index: int) -> Any:
        joined = range(index, index + 1)
        if self.facts.npartitions > self.frame.npartitions:  # Dask has joined some, always by this rule
            ends = RepartitionToFewer._compute_partition_boundaries(self.frame.npartitions, self.facts.npartitions)
            joined = range(ends[index], ends[index + 1])
        values = None if self.operand("values") is None else TaskRef((self.values._name, index))
        facts = [TaskRef((self.facts._name, number)) for number in joined]
        of_partition = (TaskRef((self.frame._name, index)), TaskRef((self.rule._name, 0)), values)
        return Task(name, _series, self.operand("answer"), self.operand("dtype"), *of_partition, *facts)


def _series(answer: Answer, dtype: Any, frame: Any, rule: Any, values: Any, *facts: pd.Series) -> pd.Series:
    """Answers to one partition, with its index."""
    rows = np.stack([row for one in facts for row in one])
    return pd.Series(answer(rows, rule, values, len(frame)), index=frame.index, dtype=dtype)
