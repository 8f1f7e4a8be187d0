"""Folds in lock-step: each is the fit on its rows alone, bit for bit; together they stop as CatBoost's cv does."""

import math
import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.boosting.control import FREE
from gbdist.boosting.events import Event, IterationDone, RunFinished, RunStarted
from gbdist.boosting.fold_rows import Fold
from gbdist.boosting.lockstep import LockstepResult, boost_folds, over_folds
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams, Bootstrap, Card, Stopping
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import RowPairs, Rows, Segment
from gbdist.boosting.shrinkage import Shrinkage
from gbdist.errors import DataError, ParameterError
from gbdist.selection.folds import Folds
from gbdist_cluster.collective.threads import run_threads

from ..conftest import make_table as make_categorical_table
from ..conftest import params_of as categorical_params
from .conftest import MakeTable
from .resumed import Ear, PauseAfter, assert_same
from .test_control import StopAt, _Unwanted
from .test_groups import BINS, make_rows, part
from .test_groups import params_of as ranking_params
from .test_replay import CASES, cut_rows, params_of

Masks = Sequence[np.ndarray]


def masks_of(n_rows: int, n_folds: int = 3) -> list[np.ndarray]:
    """Rows that each fold holds out."""
    return [Folds(n_folds).held_out(fold, 0, n_rows) for fold in range(n_folds)]


def subset(rows: Rows, mask: np.ndarray) -> Rows:
    """What a fit on some of the rows is given: a data set of its own."""
    n_rows = int(mask.sum())
    pairs = rows.pairs
    if pairs is not None:
        new, kept = {int(old): i for i, old in enumerate(np.flatnonzero(mask))}, mask[pairs.winner]
        sides = (np.array([new[int(row)] for row in side[kept]], np.int32) for side in (pairs.winner, pairs.loser))
        pairs = RowPairs(*sides, pairs.weight[kept])
    return replace(
        rows,
        bins=np.ascontiguousarray(rows.bins[:, mask]),
        label=rows.label[..., mask],
        weight=None if rows.weight is None else rows.weight[mask],
        baseline=None if rows.baseline is None else np.ascontiguousarray(rows.baseline[:, mask]),
        segments=(Segment(0, n_rows, 0),),
        unbinned=tuple(replace(each, values=each.values[mask]) for each in rows.unbinned),
        group=None if rows.group is None else rows.group[mask],
        pairs=pairs,
    )


def separately(rows: Rows, masks: Masks, n_bins: np.ndarray, params: BoostParams) -> list[BoostResult]:
    """A fit for each fold, on nothing but its rows."""
    sets = [(subset(rows, ~mask), subset(rows, mask)) for mask in masks]
    return [boost(train, [held_out], n_bins, params, SingleRank()) for train, held_out in sets]


def together(
    parts: Sequence[Rows], masks: Masks, n_bins: np.ndarray, params: BoostParams, **more: Any
) -> list[LockstepResult | None]:
    """The folds in lock-step, on a rank for each part; ranks have threads of different number."""

    def work(collective: Collective) -> LockstepResult | None:
        rows = parts[collective.rank]
        own = [mask[rows.numbers().astype(np.int64)] for mask in masks]
        mine = replace(params, threads=1 + collective.rank % 2)
        given = {name: each[collective.rank] for name, each in more.items()}
        return boost_folds(rows, [Fold(~mask, mask) for mask in own], n_bins, mine, collective, **given)

    return run_threads(len(parts), work)


def ended(results: Sequence[LockstepResult | None]) -> list[LockstepResult]:
    found = [result for result in results if result is not None]
    assert len(found) == len(results)
    return found


def check_folds(
    rows: Rows, parts: Sequence[Sequence[Rows]], masks: Masks, n_bins: np.ndarray, params: BoostParams
) -> list[BoostResult]:
    """Folds on the ranks of each of ``parts`` are the separate fits, which are returned."""
    alone = separately(rows, masks, n_bins, params)
    for of_ranks in parts:
        results = ended(together(of_ranks, masks, n_bins, params))
        for fold, expected in enumerate(alone):
            assert_same([result.folds[fold] for result in results], expected)
        for result in results:
            assert repr(result.scores) == repr(results[0].scores)
            told = [over_folds([one.scores[tree] for one in alone]) for tree in range(params.iterations)]
            assert repr(result.scores) == repr(tuple(mean for mean, _ in told))
            assert repr(result.deviations) == repr(tuple(deviation for _, deviation in told))
    return alone


@pytest.mark.parametrize("name", CASES)
def test_each_fold_is_the_fit_on_its_rows_alone(make_table: MakeTable, name: str) -> None:
    loss, classes, labels, more = CASES[name]
    rows = make_table(600, classes=classes, weighted=True).rows
    rows = rows if labels is None else replace(rows, label=labels(rows.label))
    params = replace(params_of(loss, classes, **more), use_best_model=False)
    if params.stopping.kind != "None":  # the deciding metric is known after every tree, also between metric periods
        params = replace(params, stopping=Stopping("Iter", 100))
    n_bins = make_table(600).n_bins
    check_folds(rows, [cut_rows(rows, n_ranks) for n_ranks in (1, 3)], masks_of(600), n_bins, params)


@pytest.mark.parametrize("one_hot", [(), (0,), (0, 1, 2)])
def test_categories_of_a_fold_are_counted_in_its_rows(one_hot: tuple[int, ...]) -> None:
    """Rows are dealt, and numbered for their permutation, by their place among those of the fold."""
    table = make_categorical_table(400)
    params = categorical_params(table.rules(one_hot), bootstrap=Bootstrap("MVS", 0.7), iterations=4)
    parts = [table.cut(1), table.cut(2), table.cut(3, (1,))]
    alone = check_folds(table.rows, parts, masks_of(400), table.n_bins, params)
    used = [result.categories.statistics or result.categories.one_hot for result in alone]
    assert all(used)


@pytest.mark.parametrize(("loss", "pairs"), [("YetiRank", False), ("PairLogit", True), ("QueryRMSE", False)])
def test_folds_of_whole_groups_rank(loss: str, pairs: bool) -> None:
    rows = make_rows(pairs=pairs)
    assert rows.group is not None
    masks = [rows.group // np.uint64(7) % np.uint64(3) == fold for fold in range(3)]
    parts = [[part(rows, range(12 * rank // n, 12 * (rank + 1) // n)) for rank in range(n)] for n in (1, 2, 3)]
    params = ranking_params(loss, bootstrap=Bootstrap("Bayesian"), iterations=4)
    check_folds(rows, parts, masks, BINS, params)


def test_folds_may_leave_rows_out_and_share_what_they_train_on(make_table: MakeTable) -> None:
    """As windows over time do."""
    table = make_table(500)
    row, params = np.arange(500), params_of("RMSE", bootstrap=Bootstrap("Bernoulli", 0.6), iterations=4)
    masks = [(row < 200, (row >= 220) & (row < 300)), (row < 350, (row >= 370) & (row < 500))]
    alone = [
        boost(subset(table.rows, train), [subset(table.rows, test)], table.n_bins, params, SingleRank())
        for train, test in masks
    ]
    result = boost_folds(table.rows, [Fold(*each) for each in masks], table.n_bins, params, SingleRank())
    assert result is not None
    for found, expected in zip(result.folds, alone, strict=True):
        assert_same([found], expected)


def test_a_rank_may_have_none_of_a_folds_rows(make_table: MakeTable) -> None:
    """Folds that are neighbouring rows lie on few ranks."""
    table = make_table(300)
    masks = [np.arange(300) // 100 == fold for fold in range(3)]
    check_folds(table.rows, [cut_rows(table.rows, 6)], masks, table.n_bins, params_of("RMSE", iterations=3))


def noisy(make_table: MakeTable) -> Rows:
    """Rows that overfit soon."""
    rows = make_table(240).rows
    return replace(rows, label=np.random.default_rng(3).permutation(rows.label) + rows.bins[0] * np.float32(0.02))


def of_noise(**more: Any) -> BoostParams:
    return params_of("RMSE", boost_from_average=True, **{"iterations": 80, "stopping": Stopping("Iter", 6), **more})


def test_the_mean_decides_when_all_folds_stop(make_table: MakeTable) -> None:
    rows, masks, n_bins = noisy(make_table), masks_of(240), make_table(240).n_bins
    params = of_noise(use_best_model=True)
    results = [ended(together(cut_rows(rows, n), masks, n_bins, params)) for n in (1, 3)]
    (result,) = results[0]
    curve = [table["validation"]["RMSE"] for table in result.scores]
    assert result.stopped == "overfitting"
    assert result.best_iteration == int(np.argmin(curve))
    assert result.best_value == min(curve)
    assert len(curve) == result.best_iteration + 7 < 80
    own = [fold.best_iteration for fold in result.folds]
    assert len(set(own)) > 1  # one fold alone would have stopped elsewhere
    assert own == [int(np.argmin(fold.history["validation"]["RMSE"])) for fold in result.folds]
    alone = separately(rows, masks, n_bins, replace(params, iterations=len(curve), stopping=Stopping()))
    for several in results:
        assert all(repr(each.scores) == repr(result.scores) for each in several)
        for fold, expected in enumerate(
            separately(rows, masks, n_bins, of_noise(iterations=len(curve), stopping=Stopping()))
        ):
            assert_same([each.folds[fold] for each in several], replace(expected, stopped="overfitting"))
    assert [len(fold.trees) for fold in result.folds] == [len(curve)] * 3  # whatever the best iteration
    assert [len(fold.trees) for fold in alone] != [len(curve)] * 3


def test_the_deviation_of_a_single_fold_is_unknown(make_table: MakeTable) -> None:
    mean, deviation = over_folds([{"learn": {"RMSE": 0.5}}])
    assert mean == {"learn": {"RMSE": 0.5}}
    assert math.isnan(deviation["learn"]["RMSE"])
    table = make_table(200)
    check_folds(table.rows, [[table.rows]], masks_of(200)[:1], table.n_bins, params_of("RMSE", iterations=2))


class Impatient:
    """Wants to stop after an iteration."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.heard: list[Event] = []

    def hear(self, event: Event) -> bool:
        self.heard.append(event)
        return isinstance(event, IterationDone) and event.iteration == self.after


def test_listeners_hear_the_means_and_one_of_any_rank_may_stop_all_folds(make_table: MakeTable) -> None:
    table = make_table(300)
    params = params_of("RMSE", listeners_may_stop=True, iterations=9)
    ears = [Impatient(99), Impatient(2)]
    parts, masks = cut_rows(table.rows, 2), masks_of(300)
    results = ended(together(parts, masks, table.n_bins, params, listeners=[[ear] for ear in ears]))
    assert [result.stopped for result in results] == ["callback", "callback"]
    assert [[len(fold.trees) for fold in result.folds] for result in results] == [[3, 3, 3]] * 2
    started, *grown, finished = ears[0].heard
    assert started == RunStarted(9, 300, 6, 2)
    assert finished == RunFinished(3, "callback")
    means = results[0].scores
    for iteration, event in enumerate(grown):
        assert isinstance(event, IterationDone)
        assert (event.iteration, event.metrics) == (iteration, means[iteration])
        assert event.best_value == min(table["validation"]["RMSE"] for table in means[: iteration + 1])
        assert isinstance(event.step, tuple)
        assert [step.tree for step in event.step] == [fold.trees[iteration] for fold in results[0].folds]
        assert event.best == int(np.argmin([table["validation"]["RMSE"] for table in means[: iteration + 1]]))


def steps_of(ear: Ear) -> list[Any]:
    return pickle.loads(pickle.dumps(ear.steps))


@pytest.mark.parametrize(
    ("more", "after"),
    [
        ({}, 1),
        ({}, 4),
        ({}, 8),
        ({"shrinkage": Shrinkage(0.3)}, 8),
        ({"bootstrap": Bootstrap("MVS", 0.7), "metric_period": 4}, 4),
    ],
    ids=str,
)
def test_a_pause_ends_all_folds_after_the_same_tree_and_they_go_on(
    make_table: MakeTable, more: dict[str, Any], after: int
) -> None:
    """Whichever fold's tree was in hand when a rank wanted the pause: one is asked once a tree of each of three folds."""
    rows, masks, n_bins = noisy(make_table), masks_of(240), make_table(240).n_bins
    params = of_noise(**more)
    whole = Ear()
    (expected,) = ended(together([rows], masks, n_bins, params, listeners=[[whole]]))
    ears, controls = [Ear(), Ear()], [FREE, PauseAfter(after)]
    paused = together(cut_rows(rows, 2), masks, n_bins, params, listeners=[[ear] for ear in ears], control=controls)
    assert paused == [None, None]
    n_trees = -(-after // 3)
    assert [len(ear.steps) for ear in ears] == [n_trees, n_trees]
    for n_before, n_ranks in ((n_trees, 3), (len(whole.steps) - 1, 1), (len(whole.steps), 2)):
        steps = steps_of(ears[0] if n_before == n_trees else whole)[:n_before]
        parts = cut_rows(rows, n_ranks)
        heard = [Ear() for _ in parts]
        results = ended(
            together(parts, masks, n_bins, params, steps=[steps] * n_ranks, listeners=[[ear] for ear in heard])
        )
        for ear in heard:
            assert isinstance(ear.heard[0], RunStarted)
            assert ear.heard[0].resumed == n_before
            assert len(ear.steps) == len(whole.steps) - n_before
        for result in results:
            assert repr(result.scores) == repr(expected.scores)
            assert (result.best_iteration, result.best_value) == (expected.best_iteration, expected.best_value)
            assert result.stopped == expected.stopped
        for fold, one in enumerate(expected.folds):
            assert_same([result.folds[fold] for result in results], one)


@pytest.mark.parametrize("n", [1, 2, 100, 400])
def test_folds_that_are_not_wanted_end_at_once(make_table: MakeTable, n: int) -> None:
    """While rows are copied, and in any fold's tree."""
    table, control = make_table(300), StopAt(n)
    folds = [Fold(~mask, mask) for mask in masks_of(300)]
    with pytest.raises(_Unwanted):
        boost_folds(table.rows, folds, table.n_bins, params_of("RMSE", iterations=30), SingleRank(), control=control)
    assert control.checks == n


def test_no_iterations_leave_the_bias(make_table: MakeTable) -> None:
    table = make_table(200)
    params = params_of("RMSE", iterations=0, boost_from_average=True)
    (result,) = ended(together([table.rows], masks_of(200), table.n_bins, params))
    assert (result.stopped, result.scores, result.best_iteration) == ("iterations", (), -1)
    for fold, mask in zip(result.folds, masks_of(200), strict=True):
        assert fold.trees == ()
        assert fold.eval_predictions[0].shape == (1, int(mask.sum()))
        assert fold.bias == pytest.approx(table.rows.label[~mask].mean())


def test_bad_folds_are_refused_before_anything_is_trained(make_table: MakeTable) -> None:
    table, ear = make_table(100), Ear()
    mask = np.arange(100) < 50
    with pytest.raises(DataError, match="fold 0: found row 0 both trained on and held out"):
        boost_folds(table.rows, [Fold(mask, mask)], table.n_bins, params_of("RMSE"), SingleRank(), [ear])
    assert ear.heard == []


def test_a_card_is_refused(make_table: MakeTable) -> None:
    table = make_table(100)
    folds = [Fold(~mask, mask) for mask in masks_of(100)]
    with pytest.raises(ParameterError) as caught:
        boost_folds(table.rows, folds, table.n_bins, params_of("RMSE", card=Card(0)), SingleRank())
    assert str(caught.value) == (
        "task_type='GPU' cannot be used: expected 'CPU' for folds that train side by side. "
        "Models of both are the same, bit for bit."
    )
