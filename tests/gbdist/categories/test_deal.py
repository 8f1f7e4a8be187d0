"""Rows are dealt the same way from any ranks and partitions, with all that belongs to them."""

from collections.abc import Sequence

import numpy as np
import pytest

from gbdist.boosting import exchange as module
from gbdist.boosting.collective import Collective
from gbdist.boosting.rows import Rows
from gbdist.categories.deal import deal

from ..conftest import CategoricalTable, make_table, on_ranks

SEED = 5


def dealt(
    parts: Sequence[Rows], *, has_time: bool = False, seed: int = SEED, shares: Sequence[int] = ()
) -> list[tuple[Rows, tuple[int, ...]]]:
    def work(rows: Rows, collective: Collective) -> tuple[Rows, tuple[int, ...]]:
        return deal(rows, seed, has_time=has_time, collective=collective, shares=shares)

    return on_ranks(parts, work)


def joined(ranks: Sequence[tuple[Rows, tuple[int, ...]]]) -> list[np.ndarray]:
    """All that rows have, joined in rank order; each array has the rows last."""
    rows = [one for one, _ in ranks]
    parts = [
        [one.bins for one in rows],
        [one.label for one in rows],
        *([column.values for column in columns] for columns in zip(*(one.unbinned for one in rows), strict=True)),
    ]
    if rows[0].weight is not None:
        parts.append([one.weight for one in rows])
    if rows[0].baseline is not None:
        parts.append([one.baseline for one in rows])
    return [np.concatenate(part, axis=-1) for part in parts]


def same(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> bool:
    return all(
        one.dtype == other.dtype and np.array_equal(one, other) for one, other in zip(found, expected, strict=True)
    )


def numbered(table: CategoricalTable) -> CategoricalTable:
    """Rows whose label is their number."""
    table.rows.label[:] = np.arange(table.rows.n_rows)
    return table


@pytest.mark.parametrize("n_ranks", [2, 3, 7])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("beside", [False, True])
def test_ranks_do_not_change_the_order_and_no_row_is_lost(n_ranks: int, wide: bool, beside: bool) -> None:
    table = numbered(make_table(997, wide=wide, weighted=beside, dimension=3 if beside else 0))
    alone, spread = dealt([table.rows]), dealt(table.cut(n_ranks))
    assert same(joined(spread), joined(alone))
    order = joined(alone)[1].astype(np.int64)
    assert not np.array_equal(order, np.arange(997))
    assert same([one[..., np.argsort(order)] for one in joined(alone)], joined([(table.rows, ())]))
    rows_of_rank = tuple(rows.n_rows for rows, _ in spread)
    for rank, (rows, told) in enumerate(spread):
        assert told == rows_of_rank
        (segment,) = rows.segments
        assert (segment.start, segment.stop, segment.first_row) == (0, rows.n_rows, sum(rows_of_rank[:rank]))
        assert rows.bins.flags["C_CONTIGUOUS"]
        assert [(one.position, one.kind) for one in rows.unbinned] == [(2, "hash"), (3, "hash"), (4, "hash")]
    assert min(rows_of_rank) > 0.5 * 997 / n_ranks


def test_ranks_without_rows_get_some() -> None:
    table = numbered(make_table(500, weighted=True, dimension=1))
    for empty in ([0], [1, 3], [0, 1, 2]):
        spread = dealt(table.cut(4, empty))
        assert same(joined(spread), joined(dealt([table.rows])))
        assert min(rows.n_rows for rows, _ in spread) > 50


def test_partitions_do_not_change_the_order() -> None:
    """Ranks own rows of several places; segments are ascending in where they lie, not in their numbers."""
    table = numbered(make_table(600, wide=True))
    parts = [
        table.rows_of([(450, 600), (0, 100)]),
        table.rows_of([(300, 450), (100, 110)]),
        table.rows_of([(110, 300)]),
    ]
    assert same(joined(dealt(parts)), joined(dealt([table.rows])))


def test_another_seed_gives_another_order() -> None:
    table = numbered(make_table(100))
    assert not np.array_equal(joined(dealt([table.rows]))[1], joined(dealt([table.rows], seed=6))[1])


@pytest.mark.parametrize("n_ranks", [1, 3, 7])
def test_rows_in_order_of_time_keep_it(n_ranks: int) -> None:
    table = numbered(make_table(400))
    parts = table.cut(n_ranks, empty=[1] if n_ranks > 1 else [])
    ranks = dealt([*parts[::-1]], has_time=True)  # whoever has which rows
    assert np.array_equal(joined(ranks)[1], np.arange(400))
    assert [rows.n_rows for rows, _ in ranks] == [
        400 * (rank + 1) // n_ranks - 400 * rank // n_ranks for rank in range(n_ranks)
    ]
    assert same(joined(ranks), joined([(table.rows, ())]))


@pytest.mark.parametrize("has_time", [False, True])
def test_ranks_get_rows_by_their_shares(has_time: bool) -> None:
    table = numbered(make_table(1_000))
    spread = dealt(table.cut(3), has_time=has_time, shares=[500, 100, 400])
    assert same(joined(spread), joined(dealt([table.rows], has_time=has_time)))
    rows = [one.n_rows for one, _ in spread]
    # Hashes are spread evenly: of 1,000 rows some 16 more or fewer than half.
    assert rows == ([500, 100, 400] if has_time else [pytest.approx(part, abs=60) for part in (500, 100, 400)])


def test_bins_travel_in_groups_of_features(monkeypatch: pytest.MonkeyPatch) -> None:
    table = make_table(300, n_binned=7)
    whole = joined(dealt(table.cut(3)))
    monkeypatch.setattr(module, "_GROUP_BYTES", 250)
    assert same(joined(dealt(table.cut(3))), whole)


def test_a_table_may_have_no_binned_column() -> None:
    table = make_table(100, n_binned=0)
    for rows, _ in dealt(table.cut(2)):
        assert rows.bins.shape == (0, rows.n_rows)
        assert rows.n_rows > 20
