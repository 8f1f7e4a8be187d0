"""Few trees with factors: close to the teacher, the same on any ranks, a model that CatBoost predicts with."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.compression.passes.outputs import raw_predictions
from gbdist.compression.passes.reweight import Reweight, scaled
from gbdist.compression.passes.subsets import Factors
from gbdist.errors import DataError, ModelError, ParameterError
from gbdist.models.catboost_format import to_catboost
from gbdist.models.ensemble import Ensemble

from ..conftest import data_of, on_ranks, placements
from .losses import ensemble_of, labelled

Make = Callable[..., Ensemble]
METHODS = ("omp", "backward", "lasso")


def written(ensemble: Ensemble) -> bytes:
    """All numbers of an ensemble."""
    return b"".join(
        [ensemble.bias.tobytes(), *(repr(tree.splits).encode() + tree.leaf_values.tobytes() for tree in ensemble.trees)]
    )


def doubled(make: Make, n_classes: int) -> Ensemble:
    """Twelve trees, each of which is there three times, a little changed: four are enough."""
    ensemble = ensemble_of(make, n_classes)
    generator = np.random.default_rng(0)
    trees = [
        replace(tree, leaf_values=tree.leaf_values + 0.01 * generator.normal(size=tree.leaf_values.shape))
        for tree in ensemble.trees[:4]
        for _ in range(3)
    ]
    return replace(ensemble, trees=tuple(trees))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_a_few_trees_say_what_many_similar_ones_say(
    make_ensemble: Make, raw_features: np.ndarray, n_classes: int, method: Any
) -> None:
    ensemble = doubled(make_ensemble, n_classes)
    data = data_of(ensemble, labelled(ensemble, raw_features, n_classes))
    small = Reweight(4, method=method, ridge=1e-4).apply(ensemble, data)
    assert len(small.trees) == 4
    raw = raw_predictions(ensemble, data)
    off = np.abs(raw_predictions(small, data) - raw)
    assert off.max() < 0.1 * np.abs(raw - raw.mean(axis=1, keepdims=True)).max()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_ranks_do_not_change_a_bit(make_ensemble: Make, raw_features: np.ndarray, n_classes: int, method: Any) -> None:
    ensemble = ensemble_of(make_ensemble, n_classes)
    rows = labelled(ensemble, raw_features, n_classes)
    chosen = Reweight(share=0.5, method=method)
    seen = {
        one
        for placement in placements(900)
        for one in on_ranks(ensemble, rows, placement, lambda data: written(chosen.apply(ensemble, data)))
    }
    assert len(seen) == 1


def test_the_small_model_is_catboosts(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 3)
    before = written(ensemble)
    data = data_of(ensemble, labelled(ensemble, raw_features, 3))
    small = Reweight(5).apply(ensemble, data)
    assert written(ensemble) == before
    assert small.features == ensemble.features
    found = to_catboost(small).predict(raw_features, prediction_type="RawFormulaVal").T
    assert np.ascontiguousarray(found).tobytes() == raw_predictions(small, data).tobytes()


def test_labels_draw_the_model_to_them(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 1)
    data = data_of(ensemble, labelled(ensemble, raw_features, 1))
    errors = [
        np.average((raw_predictions(Reweight(6, towards=towards).apply(ensemble, data), data) - data.rows.label) ** 2)
        for towards in ("teacher", "labels")
    ]
    assert errors[1] < 0.9 * errors[0]


def test_factors_multiply_values_and_nothing_else(make_ensemble: Make) -> None:
    ensemble = ensemble_of(make_ensemble, 2)
    small = scaled(ensemble, Factors(np.array([1, 4]), np.array([2.0, 0.5]), np.array([0.25])))
    assert [tree.splits for tree in small.trees] == [ensemble.trees[1].splits, ensemble.trees[4].splits]
    assert (small.trees[0].leaf_values == 2.0 * ensemble.trees[1].leaf_values).all()
    assert (small.trees[1].leaf_values == 0.5 * ensemble.trees[4].leaf_values).all()
    assert small.trees[1].leaf_weights.tolist() == ensemble.trees[4].leaf_weights.tolist()
    assert small.bias.tolist() == (ensemble.bias + 0.25).tolist()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"method": "ridge"},
            "method='ridge' cannot be used: expected one of 'omp', 'backward', 'lasso'. Leave it out for 'omp'.",
        ),
        ({"ridge": 0.0}, "ridge=0.0 cannot be used: expected a number above 0. Leave it out for 0.1."),
        ({"towards": "x"}, "towards='x' cannot be used: expected 'teacher' or 'labels'. Leave it out for 'teacher'."),
        ({"share": 0.5}, "trees=3 cannot be used: expected either trees or share, and share=0.5. "),
    ],
)
def test_what_cannot_be_used_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as error:
        Reweight(3, **given)
    assert str(error.value).startswith(message)


def test_where_it_does_not_apply_it_says_so(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 1)
    data = data_of(ensemble, labelled(ensemble, raw_features, 1))
    with pytest.raises(ModelError, match=r"^trees=13 cannot be kept of a model of 12\. "):
        Reweight(13).apply(ensemble, data)
    with pytest.raises(ModelError, match=r"^reweight needs a model of at least 2 trees, and this one has 1\. "):
        Reweight(1).apply(replace(ensemble, trees=ensemble.trees[:1]), data)
    with pytest.raises(DataError, match=r"^pass 'reweight': found no rows"):
        Reweight(3).apply(ensemble, None)
