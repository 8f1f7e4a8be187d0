"""Tables of statistics of several models in one: tables that differ are kept apart under projections of their own.

CatBoost finds a table by its projection, so two models that counted the same categories on different rows cannot both have theirs
under it (``catboost.sum_models`` averages them, which changes predictions). A projection can be given one more test of a single
category, though, whose outcome is then mixed into the keys. For a projection of one column alone it is a test of a category that
the table has not: it is false for all that it has, and what it is true for stays unknown. Any other table is written for both
outcomes, so that it does not matter which category is tested; it has twice as many rows.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from gbdist.categories.keys import mixed_in, projection_keys
from gbdist.models.statistics import Projection, StatisticTable

#: the tables of one projection in one model, or in several that have the same: that of classes, and that of a counter
_Pair = dict[bool, StatisticTable]


def kept_apart(
    models: Sequence[Sequence[StatisticTable]],
) -> tuple[list[dict[Projection, Projection]], tuple[StatisticTable, ...]]:
    """Under which projection each model's tables are kept, by the projection that they had; and all tables.

    The first model that has a projection keeps it as it is, and so do models that have equal tables.
    """
    pairs: defaultdict[Projection, list[_Pair]] = defaultdict(list)
    numbers: list[dict[Projection, int]] = []  # for each model and projection, which of the pairs is its own
    for tables in models:
        own: defaultdict[Projection, _Pair] = defaultdict(dict)
        for table in tables:
            own[table.projection][table.counter] = table
        numbers.append({projection: _add(pair, pairs[projection]) for projection, pair in own.items()})
    taken = set(pairs)
    names: dict[tuple[Projection, int], Projection] = {}
    kept: list[StatisticTable] = []
    for projection, different in pairs.items():
        for number, pair in enumerate(different):
            marked = _marked(projection, pair, taken) if number else pair
            names[projection, number] = next(iter(marked.values())).projection
            kept += marked.values()
    return [{each: names[each, number] for each, number in own.items()} for own in numbers], tuple(kept)


def _add(pair: _Pair, known: list[_Pair]) -> int:
    """Put a model's tables to those that are known, and return their number there."""
    for number, other in enumerate(known):
        if all(counter not in other or _same(table, other[counter]) for counter, table in pair.items()):
            other |= pair
            return number
    known.append(dict(pair))
    return len(known) - 1


def _same(one: StatisticTable, other: StatisticTable) -> bool:
    return np.array_equal(one.keys, other.keys) and np.array_equal(one.counts, other.counts)


def _marked(projection: Projection, pair: _Pair, taken: set[Projection]) -> _Pair:
    """The tables under a projection with one more test, that is not ``taken`` yet, IN and OUT."""
    single = projection.complexity == 1
    for value in count():
        name = replace(projection, one_hot_splits=(*projection.one_hot_splits, (projection.cats[-1], value)))
        if name not in taken and not (single and any(_has(table, value) for table in pair.values())):
            break
    taken.add(name)
    return {counter: _under(name, table, single) for counter, table in pair.items()}


def _has(table: StatisticTable, value: int) -> bool:
    return bool(np.isin(projection_keys([np.array([value], np.uint32)]), table.keys).any())


def _under(name: Projection, table: StatisticTable, single: bool) -> StatisticTable:
    outcomes = (False,) if single else (False, True)
    keys = np.concatenate([mixed_in(table.keys, np.full(table.keys.shape, outcome)) for outcome in outcomes])
    order = np.argsort(keys)
    return StatisticTable(name, table.counter, keys[order], np.tile(table.counts, (len(outcomes), 1))[order])
