"""Losses on pieces of the rows, and how much of a difference between two models they take for chance."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gbdist.boosting.draws import Purpose, key_of
from gbdist.boosting.rows import Rows
from gbdist.compression.chance import PIECES, FindPartLoss, PartLoss
from gbdist.compression.passes.outputs import loss_of, raw_predictions
from gbdist.compression.work import Course
from gbdist.kernels.hashing import unit_draws
from gbdist.models.ensemble import Ensemble

from .conftest import data_of, on_ranks, part_of, placements, rows_of

N = 1_200


def of_loss(ensemble: Ensemble, loss: str) -> Ensemble:
    return replace(ensemble, options={"loss_function": {"type": loss}})


@pytest.fixture
def ensemble(make_ensemble: Callable[..., Ensemble]) -> Ensemble:
    return of_loss(make_ensemble([3, 2, 4]), "RMSE")


def make_rows(ensemble: Ensemble, n: int, weight: NDArray[np.float32] | None = None) -> Rows:
    rng = np.random.default_rng(5)
    features = rng.normal(size=(n, len(ensemble.borders))).astype(np.float32)
    return rows_of(ensemble, features, rng.normal(size=n).astype(np.float32), weight=weight)


def found(ensemble: Ensemble, data: Any) -> PartLoss:
    return FindPartLoss(ensemble, "choice").on_rank(data, Course.here(None))


def test_pieces_are_dealt_by_row_numbers(ensemble: Ensemble) -> None:
    rows = make_rows(ensemble, N)
    data = data_of(ensemble, rows)
    loss = found(ensemble, data)
    assert loss.whole == loss_of(raw_predictions(ensemble, data), data)
    piece = (unit_draws(key_of(data.seed, Purpose.PIECES), rows.numbers()) * PIECES).astype(int)
    assert loss.pieces.shape == (PIECES,)
    for k in (0, PIECES - 1):
        some = part_of(rows, [(row, row + 1) for row in np.flatnonzero(piece == k).tolist()])
        alone = data_of(ensemble, some)
        assert loss.pieces[k] == pytest.approx(loss_of(raw_predictions(ensemble, alone), alone), rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_pieces_are_the_same_on_any_ranks(ensemble: Ensemble, weighted: bool) -> None:
    weight = np.random.default_rng(6).uniform(0.0, 2.0, N).astype(np.float32) if weighted else None
    rows = make_rows(ensemble, N, weight)
    alone = found(ensemble, data_of(ensemble, rows))
    for placement in placements(N):
        for each in on_ranks(ensemble, rows, placement, lambda data: found(ensemble, data)):
            assert each.whole == alone.whole
            assert each.pieces.tobytes() == alone.pieces.tobytes()


@pytest.mark.parametrize(("n", "pieces"), [(319, 0), (320, PIECES)])
def test_few_rows_are_not_dealt(ensemble: Ensemble, n: int, pieces: int) -> None:
    assert found(ensemble, data_of(ensemble, make_rows(ensemble, n))).pieces.shape == (pieces,)


def test_a_loss_that_is_not_one_of_rows_has_no_pieces(make_ensemble: Callable[..., Ensemble]) -> None:
    ensemble = of_loss(make_ensemble([3, 2]), "Cox")
    rows = make_rows(ensemble, N)
    loss = found(ensemble, data_of(ensemble, replace(rows, label=np.abs(rows.label) + 1)))
    assert loss.pieces.shape == (0,)
    assert loss.standard_error(loss) == 0.0


def test_standard_error_is_that_of_the_difference() -> None:
    given = PartLoss(2.0, np.arange(8.0))
    assert PartLoss(3.0, given.pieces + 1.0).standard_error(given) == 0.0, "what is certain is the difference"
    other = PartLoss(2.0, given.pieces + np.array([0.1, -0.1] * 4))
    assert other.standard_error(given) == pytest.approx(0.1 * (8 / 7) ** 0.5 / 8**0.5)


def test_pieces_that_one_model_has_no_loss_of_do_not_count() -> None:
    given = PartLoss(2.0, np.array([np.nan, *np.arange(8.0)]))
    other = PartLoss(2.0, np.array([5.0, *given.pieces[1:] + np.array([0.1, -0.1] * 4)]))
    expected = pytest.approx(0.1 * (8 / 7) ** 0.5 / 8**0.5)
    assert (other.standard_error(given), given.standard_error(other)) == (expected, expected)
    seven = PartLoss(2.0, np.array([5.0, np.inf, *other.pieces[2:]]))
    assert seven.standard_error(given) == 0.0, "seven pieces tell too little"
