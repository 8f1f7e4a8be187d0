"""Whole runs on a card, here the simulator's: the same trees, curves and predictions as on the CPU, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

from gbdist.boosting import fixed_point, histogram
from gbdist.boosting.collective import SingleRank
from gbdist.boosting.cuda_bins import CardBins
from gbdist.boosting.cuda_crew import TRAINED_ROW, CardCrew
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams, Bootstrap, Card
from gbdist.boosting.result import BoostResult
from gbdist.boosting.shrinkage import Shrinkage
from gbdist.errors import DataError
from gbdist.kernels.cuda_compile import CardScratch
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective
from gbdist_cluster.collective.threads import run_threads

from .conftest import MakeTable, Table

pytestmark = [
    pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning"),
    pytest.mark.usefixtures("quick_simulator"),
]

CARD = Card(0)
LOSSES = {"RMSE": 0, "Logloss": 2, "MultiClass": 3, "MultiClassOneVsAll": 3}


def params_of(loss: str, *metrics: str, **more: object) -> BoostParams:
    classes = LOSSES[loss]
    return BoostParams(
        objective=make_objective(loss, classes),
        metrics=tuple(one for name in (loss, *metrics) for one in make_metrics(name, classes, loss)),
        **{"iterations": 2, "depth": 2, "learning_rate": 0.3, **more},  # type: ignore[arg-type]
    )


@pytest.fixture
def small(make_table: MakeTable):
    def make(loss: str, n_rows: int = 101, weighted: bool = False) -> Table:
        return make_table(n_rows, n_features=3, classes=LOSSES[loss], weighted=weighted, bins=9)

    return make


def assert_same(found: BoostResult, expected: BoostResult) -> None:
    assert len(expected.trees) == 2
    assert found.trees == expected.trees
    assert found.history == expected.history
    assert found.predictions.tobytes() == expected.predictions.tobytes()


@pytest.mark.parametrize(
    ("loss", "bootstrap", "weighted", "steps", "metrics"),
    [
        ("RMSE", Bootstrap("No"), False, 1, ("R2",)),
        ("Logloss", Bootstrap("MVS", 0.7), True, 3, ("AUC", "BrierScore")),
        ("MultiClass", Bootstrap("Bernoulli", 0.6), False, 2, ("Accuracy",)),
        ("MultiClassOneVsAll", Bootstrap("Bayesian"), True, 1, ()),
    ],
)
def test_a_card_grows_the_cpus_trees(small, loss, bootstrap, weighted, steps, metrics) -> None:
    table = small(loss, weighted=weighted)
    params = params_of(loss, *metrics, bootstrap=bootstrap, leaf_estimation_iterations=steps)
    assert_same(table.boost(replace(params, card=CARD), (table,)), table.boost(params, (table,)))


@pytest.mark.parametrize(
    ("loss", "method"), [("Quantile:alpha=0.7", "Exact"), ("LogCosh", "Exact"), ("Poisson", "Newton")]
)
def test_a_card_grows_the_cpus_trees_of_losses_of_numbers(small, loss: str, method: str) -> None:
    table = small("RMSE", weighted=True)
    table.rows.label[:] = np.abs(table.rows.label)
    more = {"leaf_estimation_method": method, "boost_from_average": method == "Exact" and loss != "LogCosh"}
    params = replace(params_of("RMSE", **more), objective=make_objective(loss, 1), metrics=make_metrics(loss, 1, loss))
    assert_same(table.boost(replace(params, card=CARD), (table,)), table.boost(params, (table,)))


@pytest.mark.parametrize(
    ("loss", "steps"),
    [
        ("MultiRMSEWithMissingValues", 1),
        ("MultiLogloss", 3),
        ("RMSEWithUncertainty", 1),
        ("SurvivalAft", 2),
        ("Cox", 1),
    ],
)
def test_a_card_grows_the_cpus_trees_of_several_raw_values(small, loss: str, steps: int) -> None:
    table = small("RMSE", weighted=True)
    if loss not in ("RMSEWithUncertainty", "Cox"):
        label = np.stack([table.rows.label, 1.0 - table.rows.label]).astype(np.float32)
        label = (label > 0.5).astype(np.float32) if loss == "MultiLogloss" else label
        label[1, ::7] = 1.0 if loss == "MultiLogloss" else np.nan
        label = np.exp([np.zeros(101), table.rows.label**2 + 1]).astype(np.float32) if loss == "SurvivalAft" else label
        table = replace(table, rows=replace(table.rows, label=label))
    more = {"boost_from_average": loss.startswith(("MultiRMSE", "RMSE")), "leaf_estimation_iterations": steps}
    params = replace(params_of("RMSE", **more), objective=make_objective(loss, 2), metrics=make_metrics(loss, 2, loss))
    assert_same(table.boost(replace(params, card=CARD), (table,)), table.boost(params, (table,)))


def test_bins_that_do_not_fit_are_streamed(small) -> None:
    table, n_rows = small("RMSE"), 101
    params = params_of("RMSE", bootstrap=Bootstrap("Bernoulli", 0.7))
    room = n_rows * TRAINED_ROW + 240
    crew = CardCrew(1, Card(0, memory=room), 1, shares_tables=False)
    bins = crew.load_rows(table.rows, trained=True).bins
    assert isinstance(bins, CardBins)
    assert bins.blocks[0].on_card
    assert len(bins.blocks) > 2
    crew.__exit__(None, None, None)
    assert_same(table.boost(replace(params, card=Card(0, memory=room))), table.boost(params))


def test_rows_that_do_not_fit_are_refused(small) -> None:
    with pytest.raises(DataError) as refusal:
        small("RMSE").boost(params_of("RMSE", card=Card(0, memory=10 * TRAINED_ROW)))
    assert str(refusal.value) == (
        "the GPU's memory: found 101 rows on one rank, expected at most 10, with 104 bytes a row beside the bins. "
        "Use more workers with GPUs, or task_type='CPU'."
    )


def test_a_card_that_runs_out_of_memory_says_so(small, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")

    monkeypatch.setattr(CardScratch, "array", full)
    with pytest.raises(DataError) as refusal:
        small("RMSE").boost(params_of("RMSE", card=CARD))
    assert str(refusal.value) == (
        "the GPU's memory: found none left, expected room for a level's tables beside the rows. "
        "Lower depth, border_count or max_ctr_complexity, use more workers with GPUs, or task_type='CPU'."
    )


@pytest.mark.parametrize("cards", [(CARD, CARD), (None, CARD)], ids=["two cards", "a CPU and a card"])
def test_ranks_add_up_in_spans(small, monkeypatch: pytest.MonkeyPatch, cards: tuple[Card | None, ...]) -> None:
    """Tables are dealt, two spans a level: between cards, and between a card and a CPU."""
    monkeypatch.setattr(histogram, "ALL_REDUCE_BYTES", 100)
    table = small("Logloss", weighted=True)
    params = params_of("Logloss", overlap=2)
    alone = table.boost(params, (table,))
    edges = (0, 60, 101)

    def train(collective) -> BoostResult:
        part = table.part(edges[collective.rank], edges[collective.rank + 1])
        mine = replace(params, card=cards[collective.rank])
        return boost(part, [part], table.n_bins, mine, collective)

    for result in run_threads(2, train):
        assert result.trees == alone.trees
        assert result.history == alone.history


def test_a_rank_without_rows_needs_no_card(small) -> None:
    table = small("RMSE")
    params = params_of("RMSE")
    results = run_threads(
        2,
        lambda c: boost(
            table.part(0, 101 * (1 - c.rank)), [], table.n_bins, replace(params, card=CARD if c.rank else None), c
        ),
    )
    assert results[0].trees == results[1].trees == table.boost(params).trees


def test_wide_cells(small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixed_point, "PACKED_ROWS_LIMIT", 10)
    table = small("Logloss", weighted=True)
    params = params_of("Logloss", bootstrap=Bootstrap("Bernoulli", 0.7))
    assert_same(table.boost(replace(params, card=CARD)), table.boost(params))


def test_levels_without_parents(small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histogram, "TABLE_BUDGET", 1024)
    table = small("RMSE")
    params = params_of("RMSE")
    assert_same(table.boost(replace(params, card=CARD)), table.boost(params))


def test_a_split_that_separates_nothing_is_dropped(small) -> None:
    table = small("RMSE")
    table.rows.bins[1:] = table.rows.bins[0] > 4  # the second level has nothing left to tell apart
    table.rows.bins[0] = table.rows.bins[1]
    params = params_of("RMSE", random_strength=0.0)
    expected = table.boost(params)
    assert len(expected.trees[0].splits) == 1
    assert_same(table.boost(replace(params, card=CARD)), expected)


def test_two_runs_on_a_card_are_identical(small) -> None:
    table = small("Logloss")
    params = params_of("Logloss", card=CARD, bootstrap=Bootstrap("MVS", 0.8))
    first, second = (boost(table.rows, [], table.n_bins, params, SingleRank()) for _ in range(2))
    assert_same(first, second)
    assert np.isfinite(first.predictions).all()


def test_constrained_trees_and_a_shrunk_model_are_those_of_the_cpu(small) -> None:
    table = small("RMSE")
    params = params_of("RMSE", depth=3, monotone_constraints=(1, -1, 0), shrinkage=Shrinkage(0.5))
    assert_same(table.boost(replace(params, card=CARD)), table.boost(params))
