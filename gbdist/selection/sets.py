"""Sets of a size that the user names, drawn anew for each split."""

from typing import Any

from gbdist.selection.base import NumberSplitter
from gbdist.selection.checks import integer, seed_of, sizes, train_and_test
from gbdist.selection.rules.base import SizedRule
from gbdist.selection.rules.shuffled import ShuffledSets

_DEFAULT_TEST = 0.1


class ShuffleSplit(NumberSplitter):
    """Rows to train and to test, drawn by hash without replacement, of exact sizes; other rows for each split.

    Parameters
    ----------
    n_splits : int, at least 1
    test_size, train_size : float or int, optional
        A share of the rows, or how many; sizes are rounded as scikit-learn's are. What is left out is the rest; both left
        out, a tenth of the rows tests.
    random_state : int from 0 to 2**32 − 1, optional
        The seed, 0 if left out.
    """

    def __init__(
        self, n_splits: int = 10, *, test_size: Any = None, train_size: Any = None, random_state: int | None = None
    ) -> None:
        integer("n_splits", n_splits, 1)
        sizes(train_size, test_size)
        seed_of(random_state)
        self.n_splits = n_splits
        self.test_size = test_size
        self.train_size = train_size
        self.random_state = random_state

    def rule_for(self, n_rows: int) -> SizedRule:
        """See ``NumberSplitter``."""
        n_train, n_test = train_and_test(n_rows, self.train_size, self.test_size, _DEFAULT_TEST)
        return ShuffledSets(self.n_splits, n_rows, n_train, n_test, seed_of(self.random_state))
