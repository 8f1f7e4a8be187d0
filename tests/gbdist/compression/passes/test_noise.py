"""Copies of rows with cells of others: what changes, what goes together, and that ranks do not matter."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gbdist.compression.passes import noise
from gbdist.compression.passes.base import PassData
from gbdist.compression.passes.noise import Donors, Swaps, draw_donors, likeness_of, noised
from gbdist.compression.passes.outputs import raw_predictions
from gbdist.models.ensemble import Ensemble

from ..conftest import data_of, on_ranks, placements, rows_of

N_ROWS = 900


def donors_of(ensemble: Ensemble, data: PassData, n_rows: int = N_ROWS) -> tuple[np.ndarray, Donors]:
    likeness = likeness_of(raw_predictions(ensemble, data))
    features = range(len(ensemble.features))
    return likeness, draw_donors(features, likeness, n_rows, data)


def copied(ensemble: Ensemble, data: PassData, swaps: Swaps, copy: int = 0) -> np.ndarray:
    likeness, donors = donors_of(ensemble, data)
    return np.asarray(noised(ensemble, likeness, donors, swaps, copy, data).bins)


@pytest.fixture
def numbers(make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray) -> tuple[Ensemble, PassData]:
    ensemble = make_ensemble([4] * 9)
    return ensemble, data_of(ensemble, rows_of(ensemble, raw_features, np.zeros(N_ROWS, np.float32)))


def test_about_as_many_cells_change_as_asked_for(numbers: tuple[Ensemble, PassData]) -> None:
    ensemble, data = numbers
    before = np.asarray(data.rows.bins)
    assert copied(ensemble, data, Swaps(0.0, 0.5)).tobytes() == before.tobytes()
    some = copied(ensemble, data, Swaps(0.3, 1.0))
    # The first column has a single bin; a donor may have the same bin in the others.
    assert 0.25 < (some != before)[1:].mean() < 0.3
    assert (copied(ensemble, data, Swaps(1.0, 1.0)) != before)[1:].mean() > 0.9
    assert (copied(ensemble, data, Swaps(0.3, 1.0), copy=1) != some).any()


def test_a_row_takes_all_its_cells_from_one_donor_that_is_like_it(numbers: tuple[Ensemble, PassData]) -> None:
    ensemble, data = numbers
    likeness, donors = donors_of(ensemble, data)
    found = noised(ensemble, likeness, donors, Swaps(1.0, 0.02), 0, data).bins
    of_cells: dict[bytes, list[int]] = {}
    for at in range(N_ROWS):
        of_cells.setdefault(donors.bins[:, at].tobytes(), []).append(at)
    assert len(of_cells) > N_ROWS / 2
    assert (np.diff(donors.likeness) >= 0).all()
    own = np.searchsorted(donors.likeness, likeness)
    steps = [
        min(abs(donor - own[at]) for donor in of_cells[np.ascontiguousarray(found[:, at]).tobytes()])
        for at in range(N_ROWS)
    ]
    assert max(steps) <= 0.01 * N_ROWS
    assert np.mean(steps) > 0.003 * N_ROWS


def test_what_is_made_of_one_column_changes_together(make_categorical: Callable[..., Any]) -> None:
    case = make_categorical(1)
    ensemble, n_numbers = case.ensemble, len(case.ensemble.borders)
    data = data_of(ensemble, rows_of(ensemble, case.features, np.zeros(1000, np.float32), case.hashes))
    likeness, donors = donors_of(ensemble, data, 1000)
    # Cells of donors that no row has show where a row took one.
    donors = Donors(donors.features, np.full_like(donors.bins, 255), donors.likeness)
    changed = np.asarray(noised(ensemble, likeness, donors, Swaps(0.4, 1.0), 0, data).bins) == 255
    statistics = list(enumerate(ensemble.categories.statistics, n_numbers + len(ensemble.categories.one_hot)))
    made_of: dict[Any, list[int]] = {}
    for feature, statistic in statistics:
        projection = statistic.projection
        columns = {f for f, _ in projection.float_splits} | {
            n_numbers + cat for cat in (*projection.cats, *(cat for cat, _ in projection.one_hot_splits))
        }
        made_of.setdefault(frozenset(columns), []).append(feature)
    assert max(len(columns) for columns in made_of) > 1
    for columns, features in made_of.items():
        assert len({changed[feature].tobytes() for feature in features}) == 1
        assert 0.3 < changed[features[0]].mean() < 0.5
        for column in columns & set(range(n_numbers)) if len(columns) > 1 else ():
            # A combination that changes has a column that does, so it changes more often where this one does.
            assert changed[features[0]][changed[column]].mean() > changed[features[0]][~changed[column]].mean() + 0.1


def test_copies_and_donors_are_the_same_on_any_ranks(
    numbers: tuple[Ensemble, PassData], monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble, data = numbers
    monkeypatch.setattr(noise, "MOST_DONORS", 300)
    likeness, donors = donors_of(ensemble, data)
    assert 200 < donors.likeness.shape[0] < 400
    alone = noised(ensemble, likeness, donors, Swaps(0.4, 0.1), 2, data).bins

    def on_rank(part: PassData) -> tuple[np.ndarray, bytes, np.ndarray]:
        its_likeness, its_donors = donors_of(ensemble, part)
        bins = noised(ensemble, its_likeness, its_donors, Swaps(0.4, 0.1), 2, part).bins
        return part.rows.numbers().astype(np.intp), its_donors.bins.tobytes(), np.asarray(bins)

    for placement in placements(N_ROWS):
        for rows, its_donors, bins in on_ranks(ensemble, data.rows, placement, on_rank):
            assert its_donors == donors.bins.tobytes()
            assert (bins == alone[:, rows]).all()


def test_rows_of_several_raw_values_are_alike_by_the_largest() -> None:
    raw = np.array([[3.0, -1.0, 2.0, -9.0], [1.0, 5.0, 8.0, -7.0]])
    order = np.argsort(likeness_of(raw))
    assert order.tolist() == [0, 3, 1, 2]
    assert likeness_of(raw[:1]).tolist() == raw[0].tolist()
