"""A model tells its loss however it came about: trained, loaded without its class, or summed."""

from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest

from gbdist.models.loss import default_prediction, described_loss, loss_of, training_params


def fitted(loss: str) -> Any:
    x = np.random.default_rng(1).normal(size=(60, 2))
    model = catboost.CatBoostRegressor(loss_function=loss, iterations=2, verbose=False, allow_writing_files=False)
    return model.fit(x, np.arange(60) % 4)


@pytest.mark.parametrize(("loss", "kind"), [("Tweedie:variance_power=1.5", "Exponent"), ("RMSE", "RawFormulaVal")])
def test_the_loss_of_a_model(loss: str, kind: str, tmp_path: Path) -> None:
    model = fitted(loss)
    model.save_model(str(tmp_path / "model.cbm"))
    loaded = catboost.CatBoost().load_model(str(tmp_path / "model.cbm"))
    for each in (model, loaded, catboost.sum_models([model, model])):
        assert loss_of(each) == loss.partition(":")[0]
        assert described_loss(each) == loss
        assert default_prediction(each) == kind
    assert training_params(loaded)["boosting_options"]["iterations"] == 2


def test_a_model_may_not_tell() -> None:
    model = fitted("RMSE")
    metadata = model.get_metadata()
    for key in list(metadata.keys()):
        del metadata[key]
    assert loss_of(model) is described_loss(model) is None
    assert training_params(model) == {}
    assert default_prediction(model) == "RawFormulaVal"
