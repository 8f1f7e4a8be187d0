"""What all splitters do: look at the rows, learn the facts, make a rule, and hand out its splits."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator

from gbdist.selection.facts import Facts, count
from gbdist.selection.inputs import Given, given_rows
from gbdist.selection.masks import Question, lazy_column
from gbdist.selection.rules.base import Rule, Run, SizedRule, every_split


@dataclass(frozen=True, eq=False)
class Plan:
    """A rule, and what it needs to be evaluated on the rows that it was made for.

    Parameters
    ----------
    facts : of those rows
    values : what the rule looks at, as ``vector_beside`` returns it, or None; ``name`` is what errors call it
    before : int64 [n_partitions, n_classes] or None
        Rows of each class before each partition; of rules by class.
    tested : int, optional
        Rows that test, of all splits together; left out: each row tests once.
    """

    rule: Rule
    facts: Facts
    values: Any = None
    name: str = "y"
    before: NDArray[np.int64] | None = None
    tested: int | None = None

    def run(self) -> Run:
        """All rows, where they are in memory."""
        n_classes = 0 if self.before is None else self.before.shape[1]
        return Run(0, self.facts.n_rows, self.values, np.zeros(n_classes, np.int64))

    def places(self) -> NDArray[np.uint32]:
        """The split in which each row in memory tests, of rules by which it tests once at most: uint32 [n_rows]."""
        return np.asarray(Question("places", 0, self.name)(self._table, self.rule, self.values, self.facts.n_rows))

    def lazy(self, collection: Any, what: str, split: int, values: Any = None) -> Any:
        """A lazy column of answers beside a collection; ``values`` in place of the plan's, for another kind of collection."""
        question = Question(what, split, self.name)
        beside = self.values if values is None else values
        return lazy_column(collection, self._table, self.rule, question, beside)

    @cached_property
    def _table(self) -> NDArray[np.int64]:
        """One for all masks."""
        return self.facts.table(self.before)


class Splitter(BaseCrossValidator):  # type: ignore[misc]  # scikit-learn has no types
    """scikit-learn's interface: ``split``, ``get_n_splits``, and parameters that ``repr`` shows."""

    n_splits: int

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Any, Any]]:
        """Pairs (train, test) of the rows of X.

        Parameters
        ----------
        X : Dask DataFrame, Series or Array, or anything with a length in memory
        y, groups : one value a row, or the name of a column of X
            Collections with the partitions of X beside collections. Splitters that do not look at them ignore them.

        Returns
        -------
        iterator of pairs
            In memory two arrays of row numbers, int64, ascending; on collections two lazy masks with the partitions of X,
            by which X and what has its partitions can be indexed.

        Raises
        ------
        DataError
            For rows that cannot be split so; at once, before anything is yielded.
        """
        rows = given_rows(X)
        return self._pairs(rows, self.plan(rows, y, groups))

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """How many pairs ``split`` yields."""
        return self.n_splits

    @abstractmethod
    def plan(self, rows: Given, y: Any, groups: Any) -> Plan:
        """The rule for these rows; DataError for what it cannot be made for."""

    def _pairs(self, rows: Given, plan: Plan) -> Iterator[tuple[Any, Any]]:
        if rows.lazy:
            splits = range(plan.rule.n_splits)
            return ((plan.lazy(rows.data, "train", split), plan.lazy(rows.data, "test", split)) for split in splits)
        return ((np.flatnonzero(train), np.flatnonzero(test)) for train, test in every_split(plan.rule, plan.run()))


class NumberSplitter(Splitter):
    """Splitters for which the number of a row is enough."""

    @abstractmethod
    def rule_for(self, n_rows: int) -> SizedRule:
        """The rule for so many rows; DataError for what it cannot be made for."""

    def plan(self, rows: Given, y: Any, groups: Any) -> Plan:
        """See ``Splitter``."""
        facts = count(rows)
        return Plan(self.rule_for(facts.n_rows), facts)
