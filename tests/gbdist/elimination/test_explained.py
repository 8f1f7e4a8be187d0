"""A model's predictions and shares of bins and hashes are those of the raw values that these were made of."""

from dataclasses import replace

import catboost
import numpy as np
import pytest

from gbdist.elimination import explained
from gbdist.elimination.explained import Asked, Explainer
from gbdist.models.catboost_format import cbm_bytes

from .conftest import N_ROWS, Table

COLUMNS = (0, 2, 5, 6)


def nobody() -> None:
    """Nobody gives up."""


def fitted(table: Table, label: object, **given: object) -> catboost.CatBoost:
    how = {"iterations": 6, "depth": 3, "max_ctr_complexity": 2, "one_hot_max_size": 4, "allow_writing_files": False}
    return catboost.CatBoost({**how, **given}).fit(table.pool(label), verbose=False)


@pytest.mark.parametrize("given", [{}, {"grow_policy": "Lossguide"}, {"nan_mode": "Min", "boosting_type": "Plain"}])
@pytest.mark.parametrize("loss", ["RMSE", "MultiClass"])
def test_predictions_and_shares_of_rows_without_raw_values(
    table: Table, loss: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explained, "_BLOCK_ROWS", 100)
    dimension = 3 if loss == "MultiClass" else 1
    label = table.raw if dimension == 1 else np.digitize(table.raw, [1.0, 2.5])
    model = fitted(table, label, loss_function=loss, **given)
    borders = table.borders(model)
    found = Explainer(cbm_bytes(model), borders, table.names, 1).explain(
        table.rows(borders, label), Asked(dimension, COLUMNS, "Regular", N_ROWS), nobody
    )
    pool = table.pool(label)
    raw = model.predict(pool, "RawFormulaVal").reshape(N_ROWS, dimension)
    assert np.array_equal(found.predictions, raw.T)
    told = model.get_feature_importance(pool, "ShapValues").reshape(N_ROWS, dimension, -1)
    assert found.shares.shape == (4, dimension, N_ROWS)
    assert found.shares == pytest.approx(told[:, :, COLUMNS].transpose(2, 1, 0), abs=1e-12)
    assert np.abs(found.shares).max(axis=(1, 2)).all()


def test_a_baseline_is_part_of_the_predictions(table: Table) -> None:
    model = fitted(table, table.raw)
    borders = table.borders(model)
    rows = replace(table.rows(borders, table.raw), baseline=np.arange(N_ROWS)[None] * 0.5)
    found = Explainer(cbm_bytes(model), borders, table.names, 1).explain(rows, Asked(1, (), "Regular", N_ROWS), nobody)
    raw = model.predict(table.pool(table.raw)) + np.arange(N_ROWS) * 0.5
    assert np.array_equal(found.predictions[0], raw)


def test_columns_have_no_share_in_a_variance(table: Table) -> None:
    """Of which CatBoost tells no SHAP values."""
    model = fitted(table, table.raw, loss_function="RMSEWithUncertainty")
    borders = table.borders(model)
    found = Explainer(cbm_bytes(model), borders, table.names, 1).explain(
        table.rows(borders, table.raw), Asked(2, COLUMNS, "Regular", N_ROWS), nobody
    )
    pool = table.pool(table.raw)
    assert np.array_equal(found.predictions, model.predict(pool, "RawFormulaVal").T)
    told = model.get_feature_importance(pool, "ShapValues").reshape(N_ROWS, -1)
    assert found.shares[:, 0] == pytest.approx(told[:, COLUMNS].T, abs=1e-12)
    assert not found.shares[:, 1].any()


def test_columns_have_no_share_in_a_model_without_splits(table: Table) -> None:
    """CatBoost itself would end the process where trees are not symmetric."""
    model = fitted(table, table.raw, iterations=2, grow_policy="Lossguide", min_data_in_leaf=N_ROWS)
    borders = table.borders(model)
    found = Explainer(cbm_bytes(model), borders, table.names, 1).explain(
        table.rows(borders, table.raw), Asked(1, COLUMNS, "Regular", N_ROWS), nobody
    )
    assert not found.shares.any()
    assert np.ptp(found.predictions) == 0.0


def test_whoever_gave_up_is_heard_between_blocks(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explained, "_BLOCK_ROWS", 100)
    model = fitted(table, table.raw)
    borders, calls = table.borders(model), []

    def check() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise InterruptedError

    explainer = Explainer(cbm_bytes(model), borders, table.names, 1)
    with pytest.raises(InterruptedError):
        explainer.explain(table.rows(borders, table.raw), Asked(1, (), "Regular", N_ROWS), check)
