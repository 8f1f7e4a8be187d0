"""Rules of folds on ranks: the same rows wherever they lie, with the shares of classes that were asked for."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gbdist.boosting.collective import Collective
from gbdist.boosting.rows import Rows, Segment
from gbdist.errors import DataError
from gbdist.estimators.folds import FoldsWanted, folds_of_rank
from gbdist.quantize.survey import LabelFacts
from gbdist.selection.folds import Folds
from gbdist_cluster.collective.threads import run_threads

N_ROWS = 103
LABEL = (np.arange(N_ROWS) % 7 == 0).astype(np.float32) + (np.arange(N_ROWS) % 14 == 0)
#: Counts of the classes "a", "b" and "c", and their numbers in the trainer's order.
COUNTS = tuple(np.bincount(LABEL.astype(int)).tolist())
FACTS = LabelFacts("string", N_ROWS, 0, 0, 0.0, 0.0, ("a", "b", "c"), COUNTS, COUNTS)


def rows_of(ranges: list[tuple[int, int]]) -> Rows:
    """Some ranges of the rows, each a segment."""
    ends = np.cumsum([0, *(stop - start for start, stop in ranges)]).tolist()
    chosen = np.concatenate([np.arange(start, stop) for start, stop in ranges] or [np.empty(0, int)])
    segments = tuple(Segment(a, b, start) for (a, b), (start, _) in zip(pairwise(ends), ranges, strict=True))
    return Rows(np.zeros((1, len(chosen)), np.uint8), LABEL[chosen], None, None, segments)


SPREADS = [[[(0, N_ROWS)]], [[(0, 20), (60, 103)], [(20, 60)]], [[(50, 103)], [], [(0, 30), (30, 50)]]]


def held_out(wanted: FoldsWanted, spread: list[list[tuple[int, int]]]) -> np.ndarray:
    """Which rows of the whole data set each fold holds out; others are trained on."""
    asked = wanted.of_data(N_ROWS, FACTS, ("a", "b", "c"))

    def work(collective: Collective) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        rows = rows_of(spread[collective.rank])
        return [(rows.numbers(), fold.train, fold.held_out) for fold in folds_of_rank(rows, asked, collective)]

    masks = np.zeros((wanted.n_folds, 2, N_ROWS), bool)
    for told in run_threads(len(spread), work):
        for fold, (numbers, train, test) in enumerate(told):
            masks[fold, 0, numbers.astype(int)], masks[fold, 1, numbers.astype(int)] = train, test
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
