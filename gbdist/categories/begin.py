"""What happens to categorical columns before the first tree: rows are dealt, one-hot columns binned, categories numbered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.bins import new_bins_like
from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.params import BoostParams
from gbdist.boosting.penalties import Penalties
from gbdist.boosting.rows import Rows
from gbdist.categories.deal import deal
from gbdist.categories.features import CategoricalFeatures
from gbdist.categories.order import RowOrder
from gbdist.categories.room import counting_bytes
from gbdist.categories.rows import CategoricalRows, one_hot_bins
from gbdist.categories.rules import CategoryRules
from gbdist.categories.statistics import StatisticCounter
from gbdist.categories.targets import target_classes
from gbdist.errors import DataError
from gbdist.models.statistics import OneHotFeature

#: Rows of a category are counted in 32 bits, in CatBoost's tables as well.
_MOST_ROWS = (1 << 31) - 1


@dataclass(frozen=True, eq=False)
class CategoricalStart:
    """A run's rows, ready for the trainer.

    Parameters
    ----------
    sets : tuple of Rows
        The training rows, dealt if there are statistics; then those of the eval sets. One-hot columns are the last rows of
        their bins.
    n_bins : int64 [n_binned + n_one_hot]
    one_hot : tuple of OneHotFeature
    counter : StatisticCounter
    rules : CategoryRules
    seed : int
    penalties : Penalties or None
    """

    sets: tuple[Rows, ...]
    n_bins: NDArray[np.int64]
    one_hot: tuple[OneHotFeature, ...]
    counter: StatisticCounter
    rules: CategoryRules
    seed: int
    penalties: Penalties | None


def begin(
    sets: Sequence[Rows], n_bins: NDArray[np.int64], params: BoostParams, collective: Collective, crew: Crew
) -> CategoricalStart:
    """Make a run's rows ready; every rank does.

    Parameters
    ----------
    sets : the rank's training rows, then those of each eval set
    n_bins : int64 [n_binned]
    params : with ``categories``

    Raises DataError for more rows or classes than statistics count.
    """
    if params.categories is None:
        raise ValueError("no categorical columns")
    rules, seed = params.categories, params.random_seed
    has_statistics = bool(rules.statistic_columns)
    permutations = 1 if rules.has_time or not has_statistics else rules.permutations
    if has_statistics:
        n_named = _number_of_rows(sets, rules, collective)
        shares = params.shares
        dealt, rows_of_rank = deal(sets[0], seed, has_time=rules.has_time, collective=collective, shares=shares)
        objective = params.objective
        several = objective.dimension if objective.name.startswith("MultiClass") else 1
        classes, n_classes = target_classes(dealt, several, rules, seed, collective)
    else:  # nobody looks at the order of rows, nor at classes
        dealt, rows_of_rank, n_named = sets[0], (sets[0].n_rows,) * collective.size, 0
        classes, n_classes = np.zeros(dealt.n_rows, np.uint8), 1
    one_hot = tuple(OneHotFeature(i, column.values) for i, column in enumerate(rules.columns) if column.values)
    used = [column.position for column in rules.columns if column.values != ()]
    hashes = {position: [_hashes_of(rows, position) for rows in (dealt, *sets[1:])] for position in used}
    ready = tuple(_with_one_hot(rows, rules, one_hot) for rows in (dealt, *sets[1:]))
    del dealt  # and with it its hashes, as soon as they are read
    order = RowOrder(rows_of_rank, permutations)
    passes = order.passes(range(permutations))
    n_rows = [each.n_rows for each in ready]
    room = counting_bytes(rules, params, passes, len(passes.runs_of(collective.rank)), n_rows, n_classes)
    counting = crew.with_room(room) if has_statistics else crew.host
    rows = CategoricalRows(rules, [each.bins for each in ready], hashes, order.most_rows, collective, counting)
    counter = StatisticCounter(rules, rows, classes, n_classes, order, n_named, collective)
    widths = np.array([len(feature.values) for feature in one_hot], np.int64)
    return CategoricalStart(ready, np.concatenate([n_bins, widths]), one_hot, counter, rules, seed, params.penalties)


def categorical_features(start: CategoricalStart, rows: Rows, crew: Crew) -> CategoricalFeatures:
    """The features of a run; ``rows`` are its training rows where the crew works."""
    return CategoricalFeatures(
        start.rules, start.seed, rows, start.n_bins, start.one_hot, start.counter, crew, start.penalties
    )


def _number_of_rows(sets: Sequence[Rows], rules: CategoryRules, collective: Collective) -> int:
    """Rows of all sets of all ranks; an error where too many of them would be counted."""
    mine = [rows.n_rows for rows in sets]
    summed = collective.all_reduce(np.array([mine[0], sum(mine)], np.int64))
    n_rows = int(summed[int(rules.counts_evals)])
    if n_rows > _MOST_ROWS:
        raise DataError(
            f"column {rules.columns[rules.statistic_columns[0]].name!r}",
            f"{n_rows} rows",
            f"at most {_MOST_ROWS}, as the rows of a category are counted in 32 bits",
            "Use fewer rows, or leave columns of more than one_hot_max_size values out of cat_features.",
        )
    return int(summed[1])


def _hashes_of(rows: Rows, position: int) -> NDArray[np.uint32]:
    """Hashes of a categorical column, uint32 [n]; none on a rank without rows."""
    for column in rows.unbinned:
        if column.position == position:
            return np.asarray(column.values, np.uint32)
    return np.empty(0, np.uint32)


def _with_one_hot(rows: Rows, rules: CategoryRules, one_hot: Sequence[OneHotFeature]) -> Rows:
    """Rows with the bins of one-hot columns below the others, and without hashes."""
    if not one_hot:
        return replace(rows, unbinned=())
    bins = new_bins_like(rows.bins, rows.n_features + len(one_hot), rows.n_rows)
    bins[: rows.n_features] = rows.bins
    for at, feature in enumerate(one_hot, start=rows.n_features):
        bins[at : at + 1] = one_hot_bins(_hashes_of(rows, rules.columns[feature.cat].position), feature.values)[None]
    return replace(rows, bins=bins, unbinned=())
