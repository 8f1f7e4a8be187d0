"""Tables get smaller: for nothing where categories are as good as unknown, and by tables that are worth least a byte."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gbdist.compression.passes.columns import binned
from gbdist.compression.passes.tables import PruneTables, bytes_of_tables
from gbdist.compression.passes.worth import worth_of_splits
from gbdist.errors import ModelError, ParameterError
from gbdist.models.catboost_format import cbm_bytes, to_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import StatisticFeature

from .ensembles import random_ensemble

Maker = Callable[..., Any]


def n_categories(ensemble: Ensemble) -> int:
    return sum(table.keys.shape[0] for table in ensemble.categories.tables)


@pytest.mark.parametrize("seed", range(5))
def test_categories_as_good_as_unknown_go_and_no_bin_changes(make_categorical: Maker, seed: int) -> None:
    case = make_categorical(seed=seed)
    found = PruneTables().apply(case.ensemble, None)
    assert n_categories(found) < n_categories(case.ensemble)
    assert found.trees == case.ensemble.trees
    bins = binned(case.ensemble, case.features, case.hashes)
    assert binned(found, case.features, case.hashes).tobytes() == bins.tobytes()
    models = [to_catboost(each) for each in (case.ensemble, found)]
    raw = [model.predict(case.rows, prediction_type="RawFormulaVal").tobytes() for model in models]
    assert raw[0] == raw[1]
    assert len(cbm_bytes(models[1])) < len(cbm_bytes(models[0]))


def test_tables_that_are_worth_least_a_byte_go(make_categorical: Maker) -> None:
    ensemble = make_categorical(n_statistics=20).ensemble
    before = bytes_of_tables(ensemble)
    found = PruneTables(share=0.6).apply(ensemble, None)
    left = bytes_of_tables(found)
    assert 0 < sum(left.values()) <= 0.6 * sum(before.values())
    worth = dict.fromkeys(before, 0.0)
    for split, value in worth_of_splits(ensemble).items():
        feature = ensemble.features[split.feature]
        if isinstance(feature, StatisticFeature):
            worth[feature.projection, feature.kind == "Counter"] += value
    a_byte = {which: worth[which] / before[which] for which in before}
    assert min(a_byte[which] for which in left) >= max(a_byte[which] for which in before.keys() - left.keys())
    assert found.features == ensemble.features


def test_bytes_are_those_that_a_file_loses(make_categorical: Maker) -> None:
    ensemble = make_categorical(n_statistics=20).ensemble
    found = PruneTables(share=0.0).apply(ensemble, None)
    assert bytes_of_tables(found) == {}
    assert set(worth_of_splits(found)) == {
        split
        for split in worth_of_splits(ensemble)
        if not isinstance(ensemble.features[split.feature], StatisticFeature)
    }
    lost = len(cbm_bytes(to_catboost(ensemble))) - len(cbm_bytes(to_catboost(found)))
    assert lost > sum(bytes_of_tables(ensemble).values())


def test_models_whose_tables_cannot_be_smaller_are_refused(make_categorical: Maker) -> None:
    with pytest.raises(ModelError) as error:
        PruneTables().apply(random_ensemble(0), None)
    assert str(error.value) == "no tree of the model tests a statistic of categories. Leave the pass out."
    once = PruneTables().apply(make_categorical().ensemble, None)
    with pytest.raises(ModelError) as error:
        PruneTables().apply(once, None)
    assert str(error.value) == (
        "each category of the model's tables is told from an unknown one. Give share, or leave the pass out."
    )


@pytest.mark.parametrize("share", [-0.1, 1.0, np.nan])
def test_wrong_share(share: float) -> None:
    with pytest.raises(ParameterError) as error:
        PruneTables(share=share)
    assert str(error.value) == (
        f"share={share!r} cannot be used: expected a number from 0 to below 1, or None. "
        "Use 0.5 to keep half of the tables."
    )
