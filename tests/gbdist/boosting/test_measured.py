"""Runs with a loss that is an object: the same model on any ranks and threads, and on a card."""

from dataclasses import replace

import numpy as np
import pytest

from gbdist.boosting import crew
from gbdist.boosting.collective import SingleRank
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams, Bootstrap, Card
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows, Segment
from gbdist.custom import blocks
from gbdist.custom.metric import custom_metric
from gbdist.custom.objective import custom_objective
from gbdist.errors import ParameterError
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective
from gbdist_cluster.collective.threads import run_threads

from ..custom.objects import Logistic, LogisticByRange, MeanLoss, Softmax
from .conftest import MakeTable, Table


class ByPlace(Logistic):
    """What it says of a row depends on the row's place in the array, as a matrix product may."""

    def derivatives(self, predictions, label):
        first, second = super().derivatives(predictions, label)
        return first * (1.0 + 1e-9 * np.arange(len(label))), second


class MetricByPlace(MeanLoss):
    def row_values(self, predictions, label):
        return super().row_values(predictions, label) * (1.0 + 1e-9 * np.arange(len(label)))


def params_of(given: object, dimension: int = 1, **more: object) -> BoostParams:
    metric = custom_metric(MetricByPlace()) if dimension == 1 else make_metrics("MultiClass", 3, "MultiClass")[0]
    options = {"iterations": 3, "depth": 3, "learning_rate": 0.3, "bootstrap": Bootstrap("MVS", 0.7), **more}
    return BoostParams(objective=custom_objective(given, dimension), metrics=(metric,), **options)  # type: ignore[arg-type]


def pieces(table: Table, ranges: list[tuple[int, int]]) -> Rows:
    """Several ranges of rows, each a segment, as partitions that a worker happens to hold."""
    parts = [table.part(*each) for each in ranges]
    ends = np.cumsum([0, *(part.n_rows for part in parts)]).tolist()
    return replace(
        table.rows,
        bins=np.concatenate([part.bins for part in parts], axis=1),
        label=np.concatenate([part.label for part in parts]),
        weight=np.concatenate([part.weight for part in parts]) if table.rows.weight is not None else None,
        segments=tuple(Segment(ends[i], ends[i + 1], first) for i, (first, _) in enumerate(ranges)),
    )


@pytest.mark.parametrize(
    "ranges", [[[(0, 3_000)], []], [[(0, 1_700)], [(1_700, 3_000)]], [[(2_500, 3_000), (0, 900)], [(900, 2_500)]]]
)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("given", "classes"), [(ByPlace(), 2), (Softmax(), 3)])
def test_ranks_threads_and_partitions_do_not_change_the_model(
    make_table: MakeTable, monkeypatch: pytest.MonkeyPatch, given: object, classes: int, threads: int, ranges
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 512)
    monkeypatch.setattr("gbdist.custom.objective.BLOCK", 512)
    monkeypatch.setattr("gbdist.custom.metric.BLOCK", 512)
    monkeypatch.setattr(crew, "_MIN_ROWS", 100)
    table = make_table(classes=classes, weighted=True)
    params = params_of(given, 1 if classes == 2 else 3, threads=threads, leaf_estimation_iterations=2)
    alone = table.boost(params, (table,))

    def on_rank(collective) -> BoostResult:
        mine = pieces(table, ranges[collective.rank] or [(0, 0)])
        return boost(mine, [mine], table.n_bins, params, collective)

    for result in run_threads(2, on_rank):
        assert result.trees == alone.trees
        assert result.history == alone.history


@pytest.mark.parametrize("method", ["Newton", "Gradient"])
@pytest.mark.parametrize(("given", "loss", "classes"), [(Logistic(), "Logloss", 2), (Softmax(), "MultiClass", 3)])
def test_an_object_grows_the_trees_of_the_loss_it_imitates(
    make_table: MakeTable, given: object, loss: str, classes: int, method: str
) -> None:
    table = make_table(classes=classes, weighted=True)
    steps = {"leaf_estimation_method": method, "leaf_estimation_iterations": 2, "leaf_estimation_backtracking": "No"}
    params = params_of(given, 1 if classes == 2 else 3, bootstrap=Bootstrap("No"), random_strength=0.0, **steps)
    known = replace(params, objective=make_objective(loss, classes))
    found, expected = table.boost(params), table.boost(known)
    assert [tree.splits for tree in found.trees] == [tree.splits for tree in expected.trees]
    assert found.predictions == pytest.approx(expected.predictions, abs=1e-5)


@pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning")
@pytest.mark.usefixtures("quick_simulator")
@pytest.mark.parametrize(("given", "classes"), [(LogisticByRange(), 2), (Softmax(), 3)])
def test_a_card_grows_the_cpus_trees(make_table: MakeTable, given: object, classes: int) -> None:
    table = make_table(101, n_features=3, classes=classes, weighted=True, bins=9)
    params = params_of(given, 1 if classes == 2 else 3, iterations=2, depth=2)
    on_card, expected = table.boost(replace(params, card=Card(0)), (table,)), table.boost(params, (table,))
    assert on_card.trees == expected.trees
    assert on_card.history == expected.history
    assert on_card.predictions.tobytes() == expected.predictions.tobytes()


def test_an_error_of_one_rank_ends_all(make_table: MakeTable) -> None:
    class Fails(Logistic):
        def derivatives(self, predictions, label):
            if (label == 5.0).any() and predictions.any():
                raise KeyError("five")
            return super().derivatives(predictions, label)

    table = make_table(classes=2)
    table.rows.label[2_345] = 5.0
    with pytest.raises(ParameterError) as refusal:
        table.boost_on_ranks(params_of(Fails()), 3)
    assert str(refusal.value) == (
        "loss_function='Fails.derivatives' cannot be used: expected no exception for row 2345, which raised KeyError: 'five'. "
        "Correct the method."
    )


@pytest.mark.parametrize(("given", "classes"), [(Logistic(), 2), (Softmax(), 3)])
def test_second_derivatives_of_the_wrong_sign_are_refused(make_table: MakeTable, given: object, classes: int) -> None:
    class Upside(type(given)):  # type: ignore[misc]
        def derivatives(self, predictions, label):
            first, second = super().derivatives(predictions, label)
            return first, -second

    table = make_table(classes=classes)
    with pytest.raises(ParameterError) as refusal:
        boost(table.rows, [], table.n_bins, params_of(Upside(), 1 if classes == 2 else 3), SingleRank())
    assert (
        "loss_function='Upside' cannot be used: expected second derivatives of minus the loss, which add up to"
        in str(refusal.value)
    )
