"""Counts are those of all ranks' rows, whichever rank has them, and cost one or two rounds for any number of projections."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.rows import Rows
from gbdist.categories import counting as module
from gbdist.categories.begin import CategoricalStart, begin
from gbdist.categories.combinations import Combinations
from gbdist.categories.statistics import Counts

from ..conftest import CategoricalTable, in_order, make_table, on_ranks, params_of

BORDERS = (3, 11, 38)  # of the binned column that projections have a split of
#: Ranks ask the owners of categories, or tell each other all.
TOLD = pytest.mark.parametrize("few_rows", [0, 1 << 20])
SPREADS = [(1, ()), (2, ()), (3, (0,)), (7, (2, 5))]


class Rounds:
    """A collective that counts what is asked of it."""

    def __init__(self, collective: Collective) -> None:
        self._collective = collective
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name not in ("rank", "size"):
            self.asked.append(name)
        return getattr(self._collective, name)


def counted(start: CategoricalStart, borders: Sequence[int], permutations: Sequence[int]) -> list[Counts]:
    """Counts of each statistic column with each border of the binned one."""
    rows = start.counter.rows
    codings = []
    for border in borders:
        combinations = Combinations(rows, 2)
        combinations.split_float(0, border)
        codings += [(each.projection, combinations.coding(each, rows.slices[0])) for each in combinations.listed()]
    return start.counter.count(codings, permutations)


def counted_on_ranks(
    table: CategoricalTable, n_ranks: int, empty: Sequence[int], borders: Sequence[int] = BORDERS
) -> list[tuple[list[Counts], list[str]]]:
    params = params_of(table.rules())

    def work(rows: Rows, collective: Collective) -> tuple[list[Counts], list[str]]:
        with Crew(1) as crew:
            rounds = Rounds(collective)
            start = begin([rows], table.n_bins, params, rounds, crew)
            rounds.asked.clear()
            return counted(start, borders, range(4)), rounds.asked

    return on_ranks(table.cut(n_ranks, empty), work)


@TOLD
@pytest.mark.parametrize(("n_ranks", "empty"), SPREADS)
def test_totals_and_numbers_of_categories_are_those_of_all_rows(
    n_ranks: int, empty: tuple[int, ...], few_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FEW_ROWS", few_rows)
    table = make_table(500, sizes=(1, 8, 400), n_binned=1, skewed=[1])
    whole = in_order(table, params_of(table.rules()))
    ranks = counted_on_ranks(table, n_ranks, empty)
    found: dict[Any, list[Counts]] = {}
    for counts, _ in ranks:
        for one in counts:
            found.setdefault(one.projection, []).append(one)
    assert len(found) == 3 * len(BORDERS)
    lacking = 0
    for projection, of_ranks in found.items():
        ((_, border),) = projection.float_splits
        pairs = list(
            zip(whole.hashes[projection.cats[0]].tolist(), (whole.rows.bins[0] > border).tolist(), strict=True)
        )
        classes = whole.rows.label.astype(int).tolist()
        known, frequencies = np.unique(np.array(pairs), axis=0, return_counts=True)
        start = 0
        for one in of_ranks:
            assert one.known["Borders"] == one.known["Counter"] == len(known)
            assert one.largest == frequencies.max()
            codes = one.coding.codes.tolist()
            lacking += len(set(codes)) < len(known)
            of_code = dict(zip(codes, pairs[start : start + len(codes)], strict=True))
            assert len(set(of_code.values())) == len(of_code) == one.coding.n_categories
            for code, pair in of_code.items():
                rows = [of_row for of_row, other in zip(classes, pairs, strict=True) if other == pair]
                assert one.totals[code].tolist() == [rows.count(0), rows.count(1)]
            start += len(codes)
    assert (lacking > 0) == (n_ranks > 1)


@TOLD
@pytest.mark.parametrize(("n_ranks", "empty"), SPREADS)
def test_what_is_counted_before_a_run_is_what_the_runs_before_it_have(
    n_ranks: int, empty: tuple[int, ...], few_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the runs of all ranks, in the order of each permutation."""
    monkeypatch.setattr(module, "_FEW_ROWS", few_rows)
    table = make_table(300, sizes=(30,), n_binned=1)
    params = params_of(table.rules())
    whole = in_order(table, params)

    def work(rows: Rows, collective: Collective) -> tuple[Any, list[Counts]]:
        with Crew(1) as crew:
            start = begin([rows], table.n_bins, params, collective, crew)
            return start.counter.order, counted(start, [20], [3, 0])  # any permutations, in any order

    ranks = on_ranks(table.cut(n_ranks, empty), work)
    order = ranks[0][0]
    first_rows = np.cumsum([0, *(counts[0].coding.codes.shape[0] for _, counts in ranks)])
    pairs = list(zip(whole.hashes[0].tolist(), (whole.rows.bins[0] > 20).tolist(), strict=True))
    for place in range(2):
        so_far: dict[Any, list[int]] = {pair: [0, 0] for pair in pairs}
        passes = order.passes([3, 0])
        for number in passes.visits[place].runs:
            run = passes.runs[number]
            (counts,) = ranks[run.rank][1]
            own = passes.runs_of(run.rank).index(run)
            first = int(first_rows[run.rank])
            for row, code in enumerate(counts.coding.codes.tolist()):
                assert counts.earlier[place, own, code].tolist() == so_far[pairs[first + row]]
            for row in range(first + run.start, first + run.stop):
                so_far[pairs[row]][int(whole.rows.label[row])] += 1


@pytest.mark.parametrize("n_borders", [1, 30])
@pytest.mark.parametrize(
    ("few_rows", "rounds"), [(0, ["all_to_all"] * 2), (400, ["all_gather"]), (399, ["all_to_all"] * 2)]
)
def test_any_number_of_projections_takes_as_many_rounds(
    n_borders: int, few_rows: int, rounds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 rows that two other ranks hear of are 400."""
    monkeypatch.setattr(module, "_FEW_ROWS", few_rows)
    table = make_table(200, n_binned=1)
    for counts, asked in counted_on_ranks(table, 3, (), range(1, 1 + n_borders)):
        assert len(counts) == 3 * n_borders
        assert asked == rounds


@pytest.mark.parametrize(("n_ranks", "empty"), SPREADS)
def test_ranks_agree_on_numbers(n_ranks: int, empty: tuple[int, ...]) -> None:
    table = make_table(300, sizes=(1, 8, 200), n_binned=1)
    params = params_of(table.rules())

    def work(rows: Rows, collective: Collective) -> list[tuple[list[int], list[int], int]]:
        with Crew(1) as crew:
            columns = begin([rows], table.n_bins, params, collective, crew).counter.rows.columns
            return [(one.hashes.tolist(), one.numbers.tolist(), one.size) for one in columns.values()]

    for of_column, hashes in zip(
        zip(*on_ranks(table.cut(n_ranks, empty), work), strict=True), table.hashes, strict=True
    ):
        numbers: dict[int, int] = {}
        for own, theirs, size in of_column:
            assert size == len(np.unique(hashes))
            for value, number in zip(own, theirs, strict=True):
                assert numbers.setdefault(value, number) == number
        assert sorted(numbers) == np.unique(hashes).tolist()
        assert sorted(numbers.values()) == list(range(len(numbers)))
