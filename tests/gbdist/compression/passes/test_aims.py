"""Copies of rows: which there are, that each rank's are the same whoever holds the rows, and what is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gbdist.compression.passes import aims
from gbdist.compression.passes.aims import Aim, rows_of
from gbdist.compression.passes.base import PassData
from gbdist.compression.passes.gram import normal_equations
from gbdist.compression.passes.refit import Refit
from gbdist.compression.passes.reweight import Reweight
from gbdist.errors import ParameterError
from gbdist.models.ensemble import Ensemble

from ..conftest import data_of, on_ranks, placements
from .losses import ensemble_of, labelled

Make = Callable[..., Ensemble]


@pytest.mark.parametrize(("wanted", "expected"), [(900, 1), (1799, 1), (1800, 2), (1 << 16, 9)])
def test_there_are_as_many_copies_as_bring_the_rows_to_some_number(
    make_ensemble: Make, raw_features: np.ndarray, monkeypatch: pytest.MonkeyPatch, wanted: int, expected: int
) -> None:
    monkeypatch.setattr(aims, "_WANTED_ROWS", wanted)
    ensemble = ensemble_of(make_ensemble, 1)
    data = data_of(ensemble, labelled(ensemble, raw_features, 1))
    assert rows_of(Aim(), ensemble, data).rows.n_rows == expected * 900


def test_no_copies_are_made_for_labels_or_where_none_are_wanted(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 1)
    data = data_of(ensemble, labelled(ensemble, raw_features, 1))
    assert rows_of(Aim("labels"), ensemble, data) is data
    assert rows_of(Aim(copies=0), ensemble, data) is data


def test_copies_stand_behind_the_rows_with_numbers_of_their_own(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 1)
    data = data_of(ensemble, labelled(ensemble, raw_features, 1))
    more = rows_of(Aim(copies=2, noise=0.25), ensemble, data)
    assert more.rows.numbers().tolist() == list(range(2700))
    assert more.rows.label.tolist() == data.rows.label.tolist() * 3
    assert data.rows.weight is not None
    assert more.rows.weight is not None
    assert more.rows.weight.tolist() == data.rows.weight.tolist() * 3
    bins, before = np.asarray(more.rows.bins), np.asarray(data.rows.bins)
    assert (bins[:, :900] == before).all()
    tested = sorted({split.feature for tree in ensemble.trees for split in tree.splits})
    for copy in (bins[:, 900:1800], bins[:, 1800:]):
        changed = (copy != before).mean(axis=1)
        assert (changed[tested] > 0.1).all()
        assert changed.max() < 0.3
    assert (bins[:, 900:1800] != bins[:, 1800:]).any()
    assert more.memo is not data.memo


@pytest.mark.parametrize("chosen", [Reweight(4, copies=2), Refit(copies=2)])
def test_ranks_do_not_change_a_bit_with_copies(make_ensemble: Make, raw_features: np.ndarray, chosen: Any) -> None:
    ensemble = ensemble_of(make_ensemble, 2)
    rows = labelled(ensemble, raw_features, 2)

    def numbers(data: PassData) -> bytes:
        small = chosen.apply(ensemble, data)
        return b"".join([small.bias.tobytes(), *(tree.leaf_values.tobytes() for tree in small.trees)])

    assert len({one for placement in placements(900) for one in on_ranks(ensemble, rows, placement, numbers)}) == 1


def test_copies_come_of_the_seed(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 1)
    rows = labelled(ensemble, raw_features, 1)
    found = {
        normal_equations(ensemble, data_of(ensemble, rows, seed=seed), Aim(copies=1)).matrix.tobytes()
        for seed in (1, 1, 2)
    }
    assert len(found) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"towards": "x"}, "towards='x' cannot be used: expected 'teacher' or 'labels'. Leave it out for 'teacher'."),
        (
            {"copies": -1},
            "copies=-1 cannot be used: expected a whole number, at least 0. Leave it out for as many as help.",
        ),
        (
            {"towards": "labels", "copies": 1},
            "copies=1 cannot be used: expected 0 with towards='labels'. "
            "Leave copies out: what their labels would be is not known.",
        ),
        ({"noise": 0.0}, "noise=0.0 cannot be used: expected above 0 and at most 1. Leave it out for 0.3."),
    ],
)
def test_what_is_no_aim_is_refused(given: dict[str, Any], message: str) -> None:
    for make in (Aim, Refit, lambda **more: Reweight(2, **more)):
        with pytest.raises(ParameterError) as error:
            make(**given)
        assert str(error.value) == message
