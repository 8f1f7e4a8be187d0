"""``task_type="GPU"`` of networks on a real card: the CPU's networks to the rounding of sums, and the same ones each time."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gbdist import DaskMLPClassifier, DaskMLPRegressor

from ...neural.cards import needs_card

pytestmark = [needs_card, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]


def make_frame(n_rows: int = 3_000) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(n_rows, 4)).astype(np.float32), columns=list("abcd"))
    frame["town"] = rng.choice(["Oslo", "Rome", "Bonn"], n_rows)
    return frame.assign(y=frame["a"] + np.sin(2 * frame["b"]) + (frame["town"] == "Rome"))


@pytest.mark.parametrize("more", [{"preset": "sklearn"}, {"activation": "silu"}, {"solver": "sgd"}])
def test_a_card_trains_the_cpus_regressor(more: dict[str, Any]) -> None:
    frame = make_frame()
    X = frame[list("abcd")] if "preset" in more else frame.drop(columns="y")
    settings: dict[str, Any] = {"hidden_layer_sizes": (32, 32), "max_iter": 5, "random_state": 3} | more
    on_cpu = DaskMLPRegressor(**settings).fit(X, frame["y"])
    on_card = DaskMLPRegressor(task_type="GPU", **settings).fit(X, frame["y"])
    again = DaskMLPRegressor(task_type="GPU", **settings).fit(X, frame["y"])
    np.testing.assert_allclose(on_card.loss_curve_, on_cpu.loss_curve_, rtol=2e-3)
    np.testing.assert_allclose(on_card.predict(X), on_cpu.predict(X), atol=0.05)
    for one, other in zip(on_card.coefs_, again.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_lower_precision_learns_as_well_on_a_card(precision: str) -> None:
    frame = make_frame()
    X, y = frame.drop(columns="y"), (frame["y"] > 0.5).astype(int)
    settings: dict[str, Any] = {"hidden_layer_sizes": (64, 64), "max_iter": 15, "random_state": 3, "task_type": "GPU"}
    exact = DaskMLPClassifier(**settings).fit(X, y)
    low = DaskMLPClassifier(precision=precision, **settings).fit(X, y)
    assert low.score(X, y) > exact.score(X, y) - 0.01
    assert low.loss_curve_[-1] == pytest.approx(exact.loss_curve_[-1], rel=0.05)
