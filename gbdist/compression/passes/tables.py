"""Smaller tables of target statistics: tables that say least go, and categories that are as good as unknown leave the others."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gbdist.categories.values import counts_of_keys, statistic_bins
from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.passes.features import without_splits
from gbdist.compression.passes.sizes import is_number
from gbdist.compression.passes.worth import worth_of_splits
from gbdist.errors import ModelError, ParameterError
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import Projection, StatisticFeature, StatisticTable


class _Which(NamedTuple):
    """Which table a statistic is looked up in."""

    projection: Projection
    counter: bool


@dataclass(frozen=True)
class PruneTables(Pass):
    """Make the tables smaller that statistics of categories are looked up in.

    1. With ``share``: the tables go that cost least for a byte, with all tests of their statistics, until so much of the tables'
       bytes is left. A test costs Σ w (v - mean)² over the leaves that it tells apart, which get their mean by weight.
    2. Categories leave a table if each of its statistics has the bin for them that it has for a category that the table does not
       know, as many rare categories of a counter. No prediction changes.

    Categories that are only rare stay: without them rows would have other bins than those that they were given before.

    Parameters
    ----------
    share : float or None
        Share of the tables' bytes that the first step leaves, from 0 (no table) to below 1; None: it is left out.

    ``ParameterError`` for another number; ``ModelError`` where no table is in use, or none can be made smaller so.
    """

    share: float | None = None

    name: ClassVar[str] = "tables"
    needs_rows: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.share is not None and not (is_number(self.share) and 0.0 <= self.share < 1.0):
            raise ParameterError(
                "share", self.share, "a number from 0 to below 1, or None", "Use 0.5 to keep half of the tables."
            )

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        """The ensemble with smaller tables; ``data`` is not asked for."""
        del data
        before = bytes_of_tables(ensemble)
        if not before:
            raise ModelError("no tree of the model tests a statistic of categories", "Leave the pass out.")
        smaller = ensemble if self.share is None else _without_cheapest(ensemble, before, self.share)
        smaller = _without_unknown(smaller)
        if sum(bytes_of_tables(smaller).values()) == sum(before.values()):
            raise ModelError(
                "each category of the model's tables is told from an unknown one", "Give share, or leave the pass out."
            )
        return smaller


def bytes_of_tables(ensemble: Ensemble) -> dict[tuple[Projection, bool], int]:
    """Bytes of keys and counts in a ``.cbm`` of each table that trees ask for, by projection and whether it is a counter's.

    A table of classes is written for "Borders" and once more for "Buckets".
    """
    kinds: defaultdict[_Which, set[str]] = defaultdict(set)
    for statistic in _in_use(ensemble):
        kinds[_which(statistic)].add(statistic.kind)
    sizes: dict[tuple[Projection, bool], int] = {}
    for table in ensemble.categories.tables:
        which = _Which(table.projection, table.counter)
        if which in kinds:
            n_rows, n_counts = table.counts.shape
            sizes[which] = len(kinds[which]) * n_rows * (8 + 4 * n_counts)
    return sizes


def _which(statistic: StatisticFeature) -> _Which:
    return _Which(statistic.projection, statistic.kind == "Counter")


def _in_use(ensemble: Ensemble) -> list[StatisticFeature]:
    features = [ensemble.features[number] for number in ensemble.tested]
    return [feature for feature in features if isinstance(feature, StatisticFeature)]


def _without_cheapest(ensemble: Ensemble, sizes: dict[tuple[Projection, bool], int], share: float) -> Ensemble:
    worth: dict[tuple[Projection, bool], float] = dict.fromkeys(sizes, 0.0)
    features = ensemble.features
    for split, value in worth_of_splits(ensemble).items():
        if isinstance(feature := features[split.feature], StatisticFeature):
            worth[_which(feature)] += value
    left, gone = sum(sizes.values()), set()
    budget = share * left
    for which in sorted(sizes, key=lambda which: worth[which] / sizes[which]):  # of equals the first
        if left <= budget:
            break
        left -= sizes[which]
        gone.add(which)
    numbers = {
        number
        for number, feature in enumerate(features)
        if isinstance(feature, StatisticFeature) and _which(feature) in gone
    }
    return without_splits(ensemble, lambda split: split.feature in numbers)


def _without_unknown(ensemble: Ensemble) -> Ensemble:
    statistics: defaultdict[_Which, list[StatisticFeature]] = defaultdict(list)
    for statistic in ensemble.categories.statistics:
        statistics[_which(statistic)].append(statistic)
    tables = tuple(
        _some_rows(table, _told_apart(table, statistics[_Which(table.projection, table.counter)]))
        for table in ensemble.categories.tables
    )
    return replace(ensemble, categories=replace(ensemble.categories, tables=tables))


def _some_rows(table: StatisticTable, kept: NDArray[np.bool_]) -> StatisticTable:
    return table if kept.all() else replace(table, keys=table.keys[kept], counts=table.counts[kept])


def _told_apart(table: StatisticTable, statistics: Iterable[StatisticFeature]) -> NDArray[np.bool_]:
    """Whether any statistic tells each of a table's categories from an unknown one, bool [n_categories]; of one at least.

    The category with the largest count of a counter is: all counts are divided by it.
    """
    apart = np.zeros(table.keys.shape[0], np.bool_)
    apart[table.counts.sum(axis=1).argmax()] = True
    for statistic in statistics:
        counts, totals = counts_of_keys(table, statistic, table.keys)
        unknown = statistic_bins(np.zeros(1, np.int64), totals[:1] if table.counter else 0, statistic)
        apart |= statistic_bins(counts, totals, statistic) != unknown
    return apart
