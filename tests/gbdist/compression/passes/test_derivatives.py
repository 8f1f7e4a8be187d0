"""Derivatives of single rows against their formulas, on one rank and on several."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gbdist.compression.passes.derivatives import bounds_of, expand, slopes_of
from gbdist.compression.passes.outputs import raw_predictions
from gbdist.errors import DataError, ModelError
from gbdist.models.ensemble import Ensemble

from ..conftest import data_of, on_ranks, placements
from .losses import ensemble_of, labelled

Make = Callable[..., Ensemble]


def formulas(raw: np.ndarray, label: np.ndarray, weight: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """First derivatives of minus the loss, and minus the second ones, of RMSE, log-loss or multi-class loss."""
    if n_classes == 1:
        return (label - raw) * weight, np.ones_like(raw) * weight
    if n_classes == 2:
        p = 1.0 / (1.0 + np.exp(-raw))
        return (label - p) * weight, p * (1.0 - p) * weight
    p = np.exp(raw) / np.exp(raw).sum(axis=0)
    return ((label == np.arange(3)[:, None]) - p) * weight, p * (1.0 - p) * weight


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_derivatives_of_rows_are_those_of_the_formulas(
    make_ensemble: Make, raw_features: np.ndarray, n_classes: int
) -> None:
    ensemble = ensemble_of(make_ensemble, n_classes)
    rows = labelled(ensemble, raw_features, n_classes)
    data = data_of(ensemble, rows)
    raw = raw_predictions(ensemble, data)
    found = expand(raw, data)
    assert rows.weight is not None
    first, curvature = formulas(raw, rows.label, rows.weight, n_classes)
    mean = curvature.sum() / (raw.shape[0] * rows.weight.sum(dtype=np.float64))
    assert slopes_of(found, data) == pytest.approx(first, rel=1e-9, abs=1e-12)
    assert found.curvature == pytest.approx(curvature + 0.25 * mean * rows.weight, rel=1e-9)
    assert found.mean_curvature == pytest.approx(1.25 * mean, rel=1e-9)
    assert found.largest_curvature == found.curvature.max()
    assert found.is_curved


def test_more_rows_than_leaves_may_be_numbered(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 2)
    many = np.tile(raw_features, (80, 1))
    assert many.shape[0] > 1 << 16
    data = data_of(ensemble, labelled(ensemble, many, 2, weighted=False))
    raw = raw_predictions(ensemble, data)
    first, _ = formulas(raw, data.rows.label, np.ones(many.shape[0]), 2)
    assert slopes_of(expand(raw, data), data) == pytest.approx(first, abs=1e-12)


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_what_is_known_of_all_rows_is_the_same_on_any_ranks(
    make_ensemble: Make, raw_features: np.ndarray, n_classes: int
) -> None:
    ensemble = ensemble_of(make_ensemble, n_classes)
    rows = labelled(ensemble, raw_features, n_classes)

    def facts(data: object) -> tuple[float, float]:
        found = expand(raw_predictions(ensemble, data), data)  # type: ignore[arg-type]
        return found.mean_curvature, found.largest_curvature

    assert len({one for placement in placements(900) for one in on_ranks(ensemble, rows, placement, facts)}) == 1


@pytest.mark.parametrize("loss", ["MAE", "Cox"])
def test_a_loss_without_curvature_of_rows_counts_their_weights(
    make_ensemble: Make, raw_features: np.ndarray, loss: str
) -> None:
    ensemble = ensemble_of(make_ensemble, 1, loss=loss)
    rows = labelled(ensemble, raw_features, 1)
    data = data_of(ensemble, rows)
    found = expand(raw_predictions(ensemble, data), data)
    assert found.curvature.tolist() == [np.asarray(rows.weight, np.float64).tolist()]
    assert (found.mean_curvature, found.is_curved) == (1.0, False)


def test_a_loss_without_derivatives_of_rows_has_no_slopes(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 1, loss="Cox")
    data = data_of(ensemble, labelled(ensemble, raw_features, 1))
    found = expand(raw_predictions(ensemble, data), data)
    with pytest.raises(ModelError) as error:
        slopes_of(found, data)
    assert str(error.value) == (
        "rows of the loss Cox have no derivatives of their own, so that no step leads to their labels. Use towards='teacher'."
    )


def test_rows_without_weight_are_refused(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 1)
    rows = replace(labelled(ensemble, raw_features, 1), weight=np.zeros(900, np.float32))
    data = data_of(ensemble, rows)
    with pytest.raises(DataError) as error:
        expand(raw_predictions(ensemble, data), data)
    assert str(error.value) == (
        "rows to compress a model with: found a total weight of 0, expected some weight above 0. "
        "Give rows that have weights, or leave weights out."
    )


def test_predictions_that_the_loss_cannot_tell_are_refused(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 1, loss="RMSE")
    data = data_of(ensemble, labelled(ensemble, raw_features, 1))
    with pytest.raises(ModelError, match=r"^raw predictions up to 1e\+200 are too large for the loss RMSE\. "):
        bounds_of(np.array([[0.0, 1e200]]), data)
