"""How much memory counting takes: budgets of what is kept, and the most that a card needs to count for a rank."""

from collections.abc import Sequence

from gbdist.boosting.params import BoostParams
from gbdist.categories.order import Passes
from gbdist.categories.rules import CategoryRules, StatisticRule

#: Bytes of codes, counts and bins of the combinations that are counted together on a rank.
CHUNK_BYTES = 1 << 27
#: Bytes of bins of combinations that a rank keeps for a tree; those of more combinations are made anew at every level.
KEPT_BYTES = 1 << 28
#: Bytes of bins of combinations of columns alone that a rank keeps for later trees.
CACHE_BYTES = 1 << 29
#: Bytes of bins of single columns that a rank keeps for later trees; those of the tree's permutation it has in any case.
SINGLE_BYTES = 1 << 24
#: Bytes of a row while its categories are numbered: a base and another number, up to four slots of 4 bytes and a name for every
#: other slot, what kernels keep, and the number and the name themselves.
_NUMBERED_ROW = 8 + 4 + 16 + 16 + 4 + 4 + 8
#: Bytes of a row while bins are learned of it: what is sorted, and where its category begins and ends.
_SORTED_ROW = 16 + 8
#: Bytes of a row that a base has (see ``combinations.Base``), a column (numbers on the rank and on all), and a combination that a
#: tree uses (numbers and names).
_BASE_ROW, _COLUMN_ROW, _CHOSEN_ROW = 8, 8, 12
#: Bytes of a category while it is added up and applied.
_APPLIED_ROW = 4 + 9


def counting_bytes(
    rules: CategoryRules, params: BoostParams, passes: Passes, n_runs: int, n_rows: Sequence[int], n_classes: int
) -> int:
    """Bytes that counting takes where every row is a category of its own.

    Parameters
    ----------
    rules, params : of the run
    passes : in all permutations
    n_runs : runs of this rank
    n_rows : of this rank's sets, the training rows first
    n_classes : of the target
    """
    n_columns, n_bases = len(rules.statistic_columns), params.depth + 2
    n_counts = n_classes + int(rules.counts_evals)
    of_counts = 4 * n_counts * (n_runs * (1 + len(passes.visits)) + 1)
    # Counts in all permutations are kept of each column, and of what a tree uses.
    kept = n_columns * (_COLUMN_ROW + of_counts) + params.depth * (_CHOSEN_ROW + of_counts)
    each = _NUMBERED_ROW + _APPLIED_ROW + n_bases * _BASE_ROW + kept
    n_single = sum(_features_of(rules.rules_for(cat), n_classes) for cat in rules.statistic_columns)
    trained = _SORTED_ROW + 4 * n_classes + 2 * n_single
    # What is kept lies there once more while it becomes a block.
    whole = CHUNK_BYTES + 2 * KEPT_BYTES + CACHE_BYTES + SINGLE_BYTES
    return sum(n_rows) * each + n_rows[0] * trained + whole


def _features_of(rules: Sequence[StatisticRule], n_classes: int) -> int:
    return sum(max(1, n_classes) * len(rule.priors) for rule in rules)
