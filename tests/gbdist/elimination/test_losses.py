"""Losses at many predictions at once, on one rank or several."""

from dataclasses import replace

import numpy as np
import pytest

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.rows import Rows, Segment
from gbdist.elimination.losses import Losses, Measure
from gbdist.metrics.make import make_metrics
from gbdist.objectives import make_objective

from .conftest import on_ranks


def measure(loss: str, n_classes: int = 1) -> Measure:
    return Measure(make_objective(loss, n_classes), make_metrics(loss, n_classes, loss)[0])


@pytest.fixture
def rows() -> Rows:
    rng = np.random.default_rng(1)
    label = rng.poisson(3.0, 90).astype(np.float32)
    weight = rng.random(90).astype(np.float32)
    return Rows(np.zeros((1, 90), np.uint8), label, weight, None, (Segment(0, 90, 0),))


def test_each_of_several_predictions_has_its_loss(rows: Rows) -> None:
    guesses = [np.full((1, 90), value) for value in (0.0, 3.0, -5.0)]
    found = Losses(rows, measure("RMSE"), SingleRank()).at(guesses)
    square = [(rows.label.astype(float) - one[0]) ** 2 for one in guesses]
    assert found == pytest.approx([np.average(one, weights=rows.weight) ** 0.5 for one in square], rel=1e-9)


@pytest.mark.parametrize("loss", ["RMSE", "Poisson", "MAE", "Cox"])
def test_ranks_agree_to_the_last_bit(rows: Rows, loss: str) -> None:
    rows = replace(rows, label=rows.label + 1, weight=None if loss == "Cox" else rows.weight)
    guesses = [np.random.default_rng(seed).normal(size=(1, 90)) for seed in range(3)]
    alone = Losses(rows, measure(loss), SingleRank()).at(guesses)

    def work(mine: Rows, collective: object) -> list[float]:
        first = int(mine.numbers()[0]) if mine.n_rows else 0
        return Losses(mine, measure(loss), collective).at([one[:, first : first + mine.n_rows] for one in guesses])  # type: ignore[arg-type]

    assert len(set(alone)) == 3
    assert on_ranks(rows, [7, 60, 60], work) == [alone] * 4


@pytest.mark.parametrize("loss", ["RMSE", "Poisson", "MAE"])
def test_a_piece_has_the_loss_of_its_rows_alone_on_any_ranks(rows: Rows, loss: str) -> None:
    rng = np.random.default_rng(3)
    guess, piece = rng.normal(size=(1, 90)), rng.integers(0, 3, 90).astype(np.uint16)
    weight = np.where(piece == 1, np.float32(0.0), rows.weight)
    rows = replace(rows, weight=weight)
    found = Losses(rows, measure(loss), SingleRank()).of_pieces(guess, piece, 4)
    assert np.isnan(found[[1, 3]]).all(), "neither rows without weight nor no rows lose anything"
    for k in (0, 2):
        here = np.flatnonzero(piece == k)
        alone = Rows(rows.bins[:, here], rows.label[here], weight[here], None, (Segment(0, here.size, 0),))
        (expected,) = Losses(alone, measure(loss), SingleRank()).at([guess[:, here]])
        assert found[k] == pytest.approx(expected, rel=1e-9)

    def work(mine: Rows, collective: object) -> bytes:
        first = int(mine.numbers()[0]) if mine.n_rows else 0
        part = slice(first, first + mine.n_rows)
        return Losses(mine, measure(loss), collective).of_pieces(guess[:, part], piece[part], 4).tobytes()  # type: ignore[arg-type]

    assert on_ranks(rows, [7, 60, 60], work) == [found.tobytes()] * 4


def test_pieces_of_predictions_that_are_no_numbers_any_more_are_the_worst_ones(rows: Rows) -> None:
    piece = np.zeros(90, np.uint16)
    found = Losses(rows, measure("Poisson"), SingleRank()).of_pieces(np.full((1, 90), 1e4), piece, 2)
    np.testing.assert_array_equal(found, [np.inf, np.nan])


def test_predictions_that_are_no_numbers_any_more_are_the_worst_ones(rows: Rows) -> None:
    guesses = [np.zeros((1, 90)), np.full((1, 90), 1e4), np.ones((1, 90))]
    first, beyond, last = Losses(rows, measure("Poisson"), SingleRank()).at(guesses)
    assert beyond == np.inf
    assert [first, last] == Losses(rows, measure("Poisson"), SingleRank()).at([guesses[0], guesses[2]])


def test_harm_has_the_direction_of_the_metric() -> None:
    accuracy = Measure(make_objective("Logloss", 2), make_metrics("Accuracy", 2, "Logloss")[0])
    assert accuracy.harm(0.25) == -0.25
    assert accuracy.worst == -np.inf
    assert measure("RMSE").harm(0.25) == 0.25
