"""Which columns of X features are made of, by position: they may cost something (``boosting.penalties``)."""

from collections.abc import Sequence

from gbdist.categories.rules import CategoryRules
from gbdist.models.statistics import OneHotFeature, Projection


class Positions:
    """Positions of the columns of features; binned columns are those that are not categorical."""

    def __init__(self, rules: CategoryRules, n_binned: int, one_hot: Sequence[OneHotFeature]) -> None:
        self._cats = [column.position for column in rules.columns]
        others = (at for at in range(n_binned + len(self._cats)) if at not in self._cats)
        self._binned = list(others)
        self._static = [*self._binned, *(self._cats[feature.cat] for feature in one_hot)]

    def of_static(self, feature: int) -> list[int]:
        """Of a binned or one-hot column."""
        return [self._static[feature]]

    def of_projection(self, projection: Projection) -> list[int]:
        """Of a statistic; a column is there as often as the projection has it."""
        cats = [*projection.cats, *(cat for cat, _ in projection.one_hot_splits)]
        return [*(self._cats[cat] for cat in cats), *(self._binned[number] for number, _ in projection.float_splits)]
