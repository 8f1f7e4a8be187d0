"""Rules of folds on ranks: the same rows wherever they lie, with the shares of classes that were asked for."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.collective import Collective
from gbdist.boosting.rows import Rows, Segment
from gbdist.errors import DataError
from gbdist.estimators.folds import AnyFolds, FoldsByNumber, FoldsOfEstimator, FoldsOfGroups, FoldsWanted
from gbdist.quantize.survey import LabelFacts
from gbdist.selection import KFold, OverlappingSplit, RepeatedKFold, ShuffleSplit, StratifiedKFold, TimeSeriesSplit
from gbdist.selection.folds import Folds
from gbdist_cluster.collective.threads import run_threads

N_ROWS = 103
LABEL = (np.arange(N_ROWS) % 7 == 0).astype(np.float32) + (np.arange(N_ROWS) % 14 == 0)
GROUP = np.repeat(np.arange(44), [2, 3] * 22)[:N_ROWS].astype(np.uint64)
#: Counts of the classes "a", "b" and "c", and their numbers in the trainer's order.
COUNTS = tuple(np.bincount(LABEL.astype(int)).tolist())
FACTS = LabelFacts("string", N_ROWS, 0, 0, 0.0, 0.0, ("a", "b", "c"), COUNTS, COUNTS)


def rows_of(ranges: list[tuple[int, int]]) -> Rows:
    """Some ranges of the rows, each a segment."""
    ends = np.cumsum([0, *(stop - start for start, stop in ranges)]).tolist()
    chosen = np.concatenate([np.arange(start, stop) for start, stop in ranges] or [np.empty(0, int)])
    segments = tuple(Segment(a, b, start) for (a, b), (start, _) in zip(pairwise(ends), ranges, strict=True))
    return Rows(np.zeros((1, len(chosen)), np.uint8), LABEL[chosen], None, None, segments, group=GROUP[chosen])


#: No group lies across what the spreads below cut, as placement has it.
SPREADS = [[[(0, N_ROWS)]], [[(0, 20), (60, 103)], [(20, 60)]], [[(50, 103)], [], [(0, 30), (30, 50)]]]


def found(wanted: AnyFolds, spread: list[list[tuple[int, int]]]) -> np.ndarray:
    """Which rows of the whole data set each fold trains on, and which it holds out: bool [n_folds, 2, n_rows]."""
    asked = wanted.of_data(N_ROWS, FACTS, ("a", "b", "c"))

    def work(collective: Collective) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        rows = rows_of(spread[collective.rank])
        return [(rows.numbers(), fold.train, fold.held_out) for fold in asked.of_rank(rows, collective)]

    masks = np.zeros((wanted.n_folds, 2, N_ROWS), bool)
    for told in run_threads(len(spread), work):
        for fold, (numbers, train, test) in enumerate(told):
            masks[fold, 0, numbers.astype(int)], masks[fold, 1, numbers.astype(int)] = train, test
    return masks


def held_out(wanted: AnyFolds, spread: list[list[tuple[int, int]]]) -> np.ndarray:
    """Which rows of the whole data set each fold holds out; others are trained on."""
    masks = found(wanted, spread)
    assert (masks.sum(axis=1) == 1).all()
    return masks[:, 1]


@pytest.mark.parametrize("seed", [None, 0, 5])
@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("inverted", [False, True])
def test_folds_are_the_same_wherever_rows_lie(seed: int | None, stratified: bool, inverted: bool) -> None:
    wanted = FoldsWanted(5, seed, stratified, inverted)
    alone, *spread = [held_out(wanted, one) for one in SPREADS]
    for other in spread:
        assert np.array_equal(other, alone)
    tested = ~alone if inverted else alone
    assert (tested.sum(axis=0) == 1).all()
    sizes = tested.sum(axis=1)
    assert sizes.max() - sizes.min() == 1
    assert abs(wanted.trained_rows(N_ROWS) - int((~alone).sum(axis=1)[0])) <= 1
    if stratified:
        of_class = np.stack([(tested & (code == LABEL)).sum(axis=1) for code in range(3)])
        assert (of_class.max(axis=1) - of_class.min(axis=1) <= 1).all()


def test_rows_are_dealt_by_hash_or_as_neighbours() -> None:
    whole = SPREADS[0]
    by_hash = held_out(FoldsWanted(4, 3, stratified=False), whole)
    assert np.array_equal(by_hash, [Folds(4, 3).held_out(fold, 0, N_ROWS) for fold in range(4)])
    neighbours = held_out(FoldsWanted(4, None, stratified=False), whole)
    assert [np.flatnonzero(np.diff(mask.astype(int))).tolist() for mask in neighbours] == [
        [25],
        [25, 51],
        [51, 77],
        [77],
    ]


@pytest.mark.parametrize(
    "splitter",
    [
        KFold(4),
        RepeatedKFold(n_splits=3, n_repeats=2, random_state=1),
        ShuffleSplit(3, test_size=0.2),
        TimeSeriesSplit(3, max_train_size=30, gap=2),
        OverlappingSplit(3, kind="overlapping"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_splitters_have_the_same_rows_here_and_on_ranks(splitter: Any) -> None:
    wanted = FoldsByNumber(splitter.get_n_splits(), splitter.rule_for)
    pairs = list(splitter.split(LABEL))
    for spread in SPREADS:
        masks = found(wanted, spread)
        for (train, test), (trained, tested) in zip(pairs, masks, strict=True):
            assert np.array_equal(np.flatnonzero(trained), train)
            assert np.array_equal(np.flatnonzero(tested), test)
    mean = sum(len(train) for train, _ in pairs) // len(pairs)
    assert abs(wanted.trained_rows(N_ROWS) - mean) <= 1


@pytest.mark.parametrize("shuffle", [False, True])
def test_stratified_folds_of_a_splitter_are_its_own(shuffle: bool) -> None:
    """Its classes come in the order of their first rows: 2, 1, 0 here, whatever the order of the trainer."""
    splitter = StratifiedKFold(4, shuffle=shuffle)
    expected = [test.tolist() for _, test in splitter.split(LABEL, LABEL)]
    wanted = FoldsWanted(4, splitter.seed, stratified=True, by_first_rows=True)
    plain = FoldsWanted(4, splitter.seed, stratified=True)
    for spread in SPREADS:
        assert [np.flatnonzero(mask).tolist() for mask in held_out(wanted, spread)] == expected
    others = [np.flatnonzero(mask).tolist() for mask in held_out(plain, SPREADS[0])]
    assert (others != expected) == shuffle  # neighbours of each class happen to be the same ones


def test_a_number_of_folds_is_what_it_is_to_scikit_learn() -> None:
    expected = [test.tolist() for _, test in StratifiedKFold(4).split(LABEL, LABEL)]
    assert [np.flatnonzero(mask).tolist() for mask in held_out(FoldsOfEstimator(4, True), SPREADS[1])] == expected
    neighbours = [test.tolist() for _, test in KFold(4).split(LABEL)]
    assert [np.flatnonzero(mask).tolist() for mask in held_out(FoldsOfEstimator(4, False), SPREADS[1])] == neighbours


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("inverted", [False, True])
def test_groups_are_whole_wherever_they_lie(seed: int | None, inverted: bool) -> None:
    wanted = FoldsOfGroups(5, seed, inverted)
    alone, *spread = [held_out(wanted, one) for one in (SPREADS[0], [[(0, 20), (60, 103)], [(20, 60)]])]
    assert np.array_equal(spread[0], alone)
    tested = ~alone if inverted else alone
    numbers = [set(GROUP[mask].tolist()) for mask in tested]
    assert sum(map(len, numbers)) == len(set().union(*numbers)) == len(set(GROUP.tolist()))
    assert max(map(len, numbers)) - min(map(len, numbers)) <= 1
    runs = [max(each) - min(each) + 1 == len(each) for each in numbers]
    assert all(runs) if seed is None else not any(runs)


def test_fewer_groups_than_folds() -> None:
    with pytest.raises(DataError) as caught:
        held_out(FoldsOfGroups(50, 0), SPREADS[0])
    assert str(caught.value) == (
        "groups: found 42 different groups, expected at least as many as folds, n_splits=50. Use fewer folds."
    )


@pytest.mark.parametrize(
    ("wanted", "classes", "said"),
    [
        (
            FoldsWanted(104, 0, False),
            None,
            "X: found 103 rows, expected at least as many as folds, n_splits=104. Use fewer folds.",
        ),
        (
            FoldsWanted(14, 0, True),
            ("a", "b", "c"),
            "y: found 7 row(s) of class 'b', expected at least as many as folds, n_splits=14. "
            "Use fewer folds, or drop or merge such classes.",
        ),
        (FoldsWanted(3, 0, True), None, "y: found numbers, expected classes with stratified=True. Leave stratified out."),
    ],
)  # fmt: skip
def test_data_that_have_no_such_folds(wanted: FoldsWanted, classes: tuple[str, ...] | None, said: str) -> None:
    with pytest.raises(DataError) as caught:
        wanted.of_data(N_ROWS, FACTS if classes else replace(FACTS, values=None), classes)
    assert str(caught.value) == said
