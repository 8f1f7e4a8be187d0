"""What a run makes of categorical columns before its first tree, and what it refuses."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.boosting.crew import Crew
from gbdist.boosting.rows import Rows, Segment
from gbdist.categories import begin as module
from gbdist.categories.begin import CategoricalStart, begin, categorical_features
from gbdist.categories.features import CategoricalFeatures
from gbdist.categories.rows import one_hot_bins
from gbdist.errors import DataError
from gbdist.models.statistics import OneHotFeature

from ..conftest import Begun, CategoricalTable, begun_on_ranks, in_order, make_table, on_ranks, params_of


def begin_alone(table: CategoricalTable, rows: Rows, **more: object) -> CategoricalStart:
    rules = table.rules(**more)  # type: ignore[arg-type]
    with Crew(1) as crew:
        return begin([rows, rows], table.n_bins, params_of(rules), SingleRank(), crew)


@pytest.mark.parametrize("wide", [False, True])
def test_one_hot_columns_are_bins_below_the_others(wide: bool) -> None:
    table = make_table(3_000, sizes=(1, 4, 90, 255), n_binned=2, wide=wide)
    rules = table.rules(one_hot=[1, 3])
    columns = (replace(rules.columns[0], values=()), *rules.columns[1:])
    params = params_of(replace(rules, columns=columns))
    evals = make_table(300, sizes=(1, 4, 90, 255), n_binned=2, wide=wide, seed=4, unseen=0.2)
    (begun,) = begun_on_ranks([table, evals], params, lambda begun: begun)
    start, whole = begun.start, in_order(table, params)
    assert start.n_bins.tolist() == [*table.n_bins, 4, 255]
    assert start.one_hot == tuple(OneHotFeature(cat, tuple(np.unique(table.hashes[cat]).tolist())) for cat in (1, 3))
    for rows, of_set in zip(start.sets, (whole, evals), strict=True):
        assert rows.unbinned == ()
        assert rows.bins.dtype == of_set.rows.bins.dtype
        assert np.array_equal(rows.bins[:2], of_set.rows.bins)
        for bins, (cat, size) in zip(rows.bins[2:], [(1, 4), (3, 255)], strict=True):
            values = list(np.unique(table.hashes[cat]))
            number = {value: place for place, value in enumerate(values)}
            assert len(values) == size
            assert bins.tolist() == [number.get(value, size) for value in of_set.hashes[cat]]
    assert (start.sets[1].bins[2:] == [[4], [255]]).sum(axis=1).min() > 30


def test_a_value_that_was_not_trained_on_is_beyond_the_others() -> None:
    hashes = np.array([5, 0, 2**32 - 1, 7, 6], np.uint32)
    assert one_hot_bins(hashes, (5, 7)).tolist() == [0, 2, 2, 1, 2]
    assert one_hot_bins(hashes[:0], (5, 7)).tolist() == []


def test_a_rank_without_rows_of_any_set_begins_too() -> None:
    table = make_table(60, sizes=(3, 10), n_binned=1)

    def work(begun: Begun) -> list[int]:
        return [rows.n_rows for rows in begun.start.sets]

    found = begun_on_ranks([table, table], params_of(table.rules(one_hot=[0])), work, 3, empty=[1])
    assert found[1][1] == 0
    assert np.sum(found, axis=0).tolist() == [60, 60]


def of_rows(table: CategoricalTable, n_rows: int) -> Rows:
    """As many rows as told, of no memory."""
    nothing = np.broadcast_to(np.float32(0), (n_rows,))
    return replace(table.rows, bins=np.empty((0, n_rows), np.uint8), label=nothing, segments=(Segment(0, n_rows, 0),))


def test_more_rows_than_a_count_holds_are_refused() -> None:
    table = make_table(10, sizes=(3, 5))
    with pytest.raises(DataError) as caught:
        begin_alone(table, of_rows(table, 2**31), one_hot=[0])
    assert str(caught.value) == (
        "column 'c1': found 2147483648 rows, expected at most 2147483647, as the rows of a category are counted in 32 bits. "
        "Use fewer rows, or leave columns of more than one_hot_max_size values out of cat_features."
    )


def test_rows_are_counted_over_all_ranks_and_those_of_eval_sets_if_counters_count_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_MOST_ROWS", 19)
    table = make_table(10, sizes=(3, 5))
    begin_alone(table, table.rows)
    with pytest.raises(DataError, match="found 20 rows"):
        begin_alone(table, table.rows, counts_evals=True)
    begin_alone(table, table.rows, counts_evals=True, one_hot=[0, 1])
    other = make_table(20, sizes=(3, 5))

    def work(rows: Rows, collective: object) -> None:
        with Crew(1) as crew:
            begin([rows], other.n_bins, params_of(other.rules()), collective, crew)  # type: ignore[arg-type]

    with pytest.raises(DataError, match="found 20 rows"):
        on_ranks(other.cut(3), work)


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_rows_and_their_statistics_take_three_times_the_memory_of_codes(n_ranks: int) -> None:
    """With the rows in their new order, and whatever is freed again."""
    sizes = (5, 12, 40, 150, 600, 1_000, 2_000, 4_000)
    table = make_table(100_000, sizes=sizes, n_binned=2)
    params, parts = params_of(table.rules()), table.cut(n_ranks)
    few = make_table(300, sizes=sizes, n_binned=2)

    def work(rows: Rows, collective: Collective) -> CategoricalFeatures:
        with Crew(1) as crew:
            start = begin([rows], table.n_bins, params, collective, crew)
            features = categorical_features(start, start.sets[0], crew)
            features.begin_tree(0)
        return features

    on_ranks(few.cut(n_ranks), work)  # kernels are loaded
    tracemalloc.start(1)
    try:
        made = on_ranks(parts, work)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    codes = sum(column.codes.nbytes for features in made for column in features._counter.rows.columns.values())
    assert codes == 100_000 * 8 * 4
    assert peak < 3 * codes
