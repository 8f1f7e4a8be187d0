"""Losses on pieces of the rows: each is the loss of its rows alone, and they are the same whoever holds which rows."""

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

from .conftest import data_of, on_ranks, part_of, rows_of

RNG = np.random.default_rng(5)
N = 1_200


@pytest.fixture
def ensemble(make_ensemble: Callable[..., Ensemble]) -> Ensemble:
    return replace(make_ensemble([3, 2, 4]), options={"loss_function": {"type": "RMSE"}})


def make_rows(ensemble: Ensemble, n: int, weight: NDArray[np.float32] | None = None) -> Rows:
    features = RNG.normal(size=(n, len(ensemble.borders))).astype(np.float32)
    return rows_of(ensemble, features, RNG.normal(size=n).astype(np.float32), weight=weight)


def found(ensemble: Ensemble, data: Any) -> PartLoss:
    return FindPartLoss(ensemble, "choice").on_rank(data, Course.here(None))


@pytest.mark.parametrize("weighted", [False, True])
def test_a_piece_has_the_loss_of_its_rows_alone(ensemble: Ensemble, weighted: bool) -> None:
    rows = make_rows(ensemble, N, RNG.uniform(0.5, 2.0, N).astype(np.float32) if weighted else None)
    data = data_of(ensemble, rows)
    loss = found(ensemble, data)
    assert loss.whole == loss_of(raw_predictions(ensemble, data), data)
    piece = (unit_draws(key_of(data.seed, Purpose.PIECES), rows.numbers()) * PIECES).astype(int)
    assert loss.pieces.shape == (PIECES,)
    for k in (0, PIECES - 1):
        some = part_of(rows, [(row, row + 1) for row in np.flatnonzero(piece == k).tolist()])
        alone = data_of(ensemble, some)
        assert loss.pieces[k] == pytest.approx(loss_of(raw_predictions(ensemble, alone), alone), rel=1e-9)


def test_pieces_are_the_same_on_any_ranks(ensemble: Ensemble) -> None:
    rows = make_rows(ensemble, N)
    alone = found(ensemble, data_of(ensemble, rows))
    for each in on_ranks(
        ensemble, rows, [[(700, N)], [(0, 10), (400, 700)], [(10, 400)]], lambda data: found(ensemble, data)
    ):
        assert each.whole == alone.whole
        assert each.pieces.tobytes() == alone.pieces.tobytes()


def test_few_rows_are_not_dealt(ensemble: Ensemble) -> None:
    loss = found(ensemble, data_of(ensemble, make_rows(ensemble, 300)))
    assert loss.pieces.shape == (0,)
    assert loss.error(loss) == 0.0


def test_error_is_that_of_the_difference() -> None:
    given = PartLoss(2.0, np.array([1.0, 2.0, 3.0, 2.0]))
    assert PartLoss(3.0, given.pieces + 1.0).error(given) == 0.0, "what is certain is the difference"
    other = PartLoss(2.0, given.pieces + np.array([0.1, -0.1, 0.1, -0.1]))
    assert other.error(given) == pytest.approx(0.1 * (4 / 3) ** 0.5 / 2)
    assert replace(other, pieces=np.full(4, np.inf)).error(given) == 0.0
