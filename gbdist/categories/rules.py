"""What a run is told of its categorical columns: which there are, and how CatBoost's parameters want them used."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CategoricalColumn:
    """A categorical column of the training set.

    Parameters
    ----------
    position : int
        Its place among all columns, binned ones included.
    name : str
    values : tuple of int or None
        Hashes (uint32) of its distinct values, ascending, where it is used one-hot, 255 at most; empty for a column that has but
        one value and is not used; None where it has more values and becomes target statistics.
    """

    position: int
    name: str
    values: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class StatisticRule:
    """One of CatBoost's kinds of statistics ("CTR"): each prior, and each border of the target, makes one feature.

    ``kind`` is "Borders", "Buckets" or "Counter"; ``priors`` are numerators, over a denominator of 1; ``border_count`` is that of
    the feature's own borders.
    """

    kind: str
    priors: tuple[float, ...]
    border_count: int = 15


@dataclass(frozen=True, slots=True)
class CategoryRules:
    """CatBoost's parameters about categorical columns, resolved.

    Parameters
    ----------
    columns : tuple of CategoricalColumn
        All categorical columns, ascending in position.
    simple, combined : tuple of StatisticRule
        For one column (``simple_ctr``), and for combinations (``combinations_ctr``).
    of_column : tuple of (int, tuple of StatisticRule)
        For single columns by their number in ``columns`` (``per_feature_ctr``), instead of ``simple``.
    target_border_count, target_border_type : int, str
        How a target of numbers is cut into classes (``ctr_target_border_count``); classes of a classifier are themselves.
    max_complexity : int
        Most columns of a combination (``max_ctr_complexity``); splits of the tree count as one.
    model_size_reg : float
    permutations : int
        ``permutation_count``: all but the last one for structures, the last one for the values of leaves.
    has_time : bool
        Rows are in order of time: they keep it, and there is one permutation.
    counts_evals : bool
        Whether "Counter" counts the rows of eval sets too (``counter_calc_method="Full"``).
    leaf_count_limit : int or None
        Most categories of a statistic that are told apart, the most frequent ones (``ctr_leaf_count_limit``).
    limit_combinations_only : bool
        Whether that limit leaves single columns alone (``store_all_simple_ctr``).
    """

    columns: tuple[CategoricalColumn, ...]
    simple: tuple[StatisticRule, ...]
    combined: tuple[StatisticRule, ...]
    of_column: tuple[tuple[int, tuple[StatisticRule, ...]], ...] = ()
    target_border_count: int = 1
    target_border_type: str = "MinEntropy"
    max_complexity: int = 1
    model_size_reg: float = 0.5
    permutations: int = 4
    has_time: bool = False
    counts_evals: bool = False
    leaf_count_limit: int | None = None
    limit_combinations_only: bool = False

    @property
    def most_bins(self) -> int:
        """Bins that a feature made of categorical columns may have."""
        rules = [*self.simple, *self.combined, *(rule for _, rules in self.of_column for rule in rules)]
        return max([1 + rule.border_count for rule in rules] + [len(column.values or ()) for column in self.columns])

    @property
    def statistic_columns(self) -> tuple[int, ...]:
        """Numbers in ``columns`` of those that become statistics, ascending."""
        return tuple(number for number, column in enumerate(self.columns) if column.values is None)

    def rules_for(self, column: int) -> tuple[StatisticRule, ...]:
        """Statistics of one column, given by its number in ``columns``."""
        return dict(self.of_column).get(column, self.simple)
