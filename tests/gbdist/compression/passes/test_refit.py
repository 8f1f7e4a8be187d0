"""New leaf values: against the closed form of one tree, downhill over many, the same on any ranks."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.compression.passes.derivatives import expand
from gbdist.compression.passes.monotone import constraints_of
from gbdist.compression.passes.outputs import leaves_of, loss_of, raw_predictions
from gbdist.compression.passes.refit import Refit
from gbdist.errors import DataError, ModelError, ParameterError
from gbdist.models.ensemble import Ensemble

from ..conftest import data_of, on_ranks, placements
from .losses import ensemble_of, labelled

Make = Callable[..., Ensemble]


def disturbed(ensemble: Ensemble, size: float = 0.3) -> Ensemble:
    """The same trees with other leaf values."""
    generator = np.random.default_rng(8)
    trees = [
        replace(tree, leaf_values=tree.leaf_values + size * generator.normal(size=tree.leaf_values.shape))
        for tree in ensemble.trees
    ]
    return replace(ensemble, trees=tuple(trees))


def distance(ensemble: Ensemble, teacher: Ensemble, data: Any) -> float:
    return float(((raw_predictions(ensemble, data) - raw_predictions(teacher, data)) ** 2).mean())


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_one_tree_gets_the_values_of_ridge_regression(
    make_ensemble: Make, raw_features: np.ndarray, n_classes: int
) -> None:
    teacher = ensemble_of(make_ensemble, n_classes)
    teacher = replace(teacher, trees=teacher.trees[:1])
    ensemble = disturbed(teacher)
    rows = labelled(ensemble, raw_features, n_classes)
    data = replace(data_of(ensemble, rows), teacher=teacher)
    around = expand(raw_predictions(teacher, data), data)
    assert rows.weight is not None
    held = 20.0 * around.mean_curvature * rows.weight.mean(dtype=np.float64)
    leaf = leaves_of(ensemble.trees[0], data)
    residual = raw_predictions(teacher, data) - raw_predictions(ensemble, data)
    (found,) = Refit(steps=1, l2=20.0, copies=0).apply(ensemble, data).trees
    for k in range(ensemble.dimension):
        first, second = (np.bincount(leaf, one[k], 16) for one in (around.curvature * residual, around.curvature))
        expected = ensemble.trees[0].leaf_values[:, k] + first / (second + held)
        assert found.leaf_values[:, k] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_steps_come_closer_to_the_teacher(make_ensemble: Make, raw_features: np.ndarray, n_classes: int) -> None:
    teacher = ensemble_of(make_ensemble, n_classes)
    ensemble = disturbed(teacher)
    data = replace(data_of(ensemble, labelled(ensemble, raw_features, n_classes)), teacher=teacher)
    after = [distance(Refit(steps=n, l2=10.0, copies=0).apply(ensemble, data), teacher, data) for n in (1, 2, 4)]
    assert 0.5 * distance(ensemble, teacher, data) > after[0] > after[1] > after[2]


@pytest.mark.parametrize("loss", ["RMSE", "MAE", "Logloss", "MultiClass"])
def test_steps_towards_labels_lower_the_loss(make_ensemble: Make, raw_features: np.ndarray, loss: str) -> None:
    n_classes = {"Logloss": 2, "MultiClass": 3}.get(loss, 1)
    ensemble = ensemble_of(make_ensemble, n_classes, loss=loss)
    data = data_of(ensemble, labelled(ensemble, raw_features, n_classes))
    losses = [loss_of(raw_predictions(ensemble, data), data)]
    for steps in (1, 2):
        small = Refit("labels", steps=steps, l2=30.0).apply(ensemble, data)
        losses.append(loss_of(raw_predictions(small, data), data))
    assert 0.98 * losses[0] > losses[1] > losses[2]


def test_a_large_l2_keeps_values_where_they_are(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 2)
    data = data_of(ensemble, labelled(ensemble, raw_features, 2))
    moved = []
    for l2 in (1.0, 1e6):
        small = Refit("labels", steps=1, l2=l2).apply(ensemble, data)
        moved.append(
            max(np.abs(a.leaf_values - b.leaf_values).max() for a, b in zip(small.trees, ensemble.trees, strict=True))
        )
    assert moved[1] < 1e-3 * moved[0]


@pytest.mark.parametrize("towards", ["teacher", "labels"])
@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_ranks_do_not_change_a_bit(make_ensemble: Make, raw_features: np.ndarray, n_classes: int, towards: Any) -> None:
    teacher = ensemble_of(make_ensemble, n_classes)
    ensemble = disturbed(teacher)
    rows = labelled(ensemble, raw_features, n_classes)

    def refitted(data: Any) -> bytes:
        small = Refit(towards).apply(ensemble, replace(data, teacher=teacher))
        return b"".join(tree.leaf_values.tobytes() for tree in small.trees)

    seen = {one for placement in placements(900) for one in on_ranks(ensemble, rows, placement, refitted)}
    assert len(seen) == 1


def test_tests_weights_and_start_value_stay(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 2)
    data = data_of(ensemble, labelled(ensemble, raw_features, 2))
    before = [tree.leaf_values.tobytes() for tree in ensemble.trees]
    small = Refit("labels").apply(ensemble, data)
    assert [tree.leaf_values.tobytes() for tree in ensemble.trees] == before
    assert [tree.leaf_values.tobytes() for tree in small.trees] != before
    assert [tree.splits for tree in small.trees] == [tree.splits for tree in ensemble.trees]
    assert [tree.leaf_weights.tolist() for tree in small.trees] == [
        tree.leaf_weights.tolist() for tree in ensemble.trees
    ]
    assert small.bias is ensemble.bias


@pytest.mark.parametrize("towards", ["teacher", "labels"])
def test_monotone_columns_stay_monotone(make_ensemble: Make, raw_features: np.ndarray, towards: Any) -> None:
    teacher = ensemble_of(make_ensemble, 1)
    constraints = {"3": 1, "4": -1}
    options = teacher.options | {"tree_learner_options": {"monotone_constraints": constraints}}
    ensemble = replace(disturbed(teacher), options=options)
    assert constraints_of(ensemble) == (0, 0, 0, 1, -1, 0)
    data = replace(data_of(ensemble, labelled(ensemble, raw_features, 1)), teacher=teacher)
    small = Refit(towards).apply(ensemble, data)
    free = Refit(towards).apply(replace(ensemble, options=teacher.options), data)
    assert falls(small) == 0
    assert falls(free) > 0


def falls(ensemble: Ensemble) -> int:
    """How many leaves of how many splits lie on the wrong side of their neighbours by columns 3 (rising) and 4 (falling)."""
    count = 0
    for tree in ensemble.trees:
        leaves = np.arange(tree.n_leaves)
        for level, split in enumerate(tree.splits):
            sign = {3: 1.0, 4: -1.0}.get(split.feature, 0.0)
            low = leaves[(leaves >> level) & 1 == 0]
            count += int((sign * (tree.leaf_values[low | 1 << level] - tree.leaf_values[low]) < 0.0).sum())
    return count


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"towards": "x"}, "towards='x' cannot be used: expected 'teacher' or 'labels'. Leave it out for 'teacher'."),
        ({"steps": 0}, "steps=0 cannot be used: expected a whole number, at least 1. Leave it out for 2."),
        ({"l2": 0.0}, "l2=0.0 cannot be used: expected a number above 0. Leave it out for 100."),
    ],
)
def test_what_cannot_be_used_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as error:
        Refit(**given)
    assert str(error.value) == message


def test_where_it_does_not_apply_it_says_so(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 1, loss="Cox")
    data = data_of(ensemble, labelled(ensemble, raw_features, 1))
    with pytest.raises(ModelError, match=r"^rows of the loss Cox have no derivatives of their own"):
        Refit("labels").apply(ensemble, data)
    with pytest.raises(ModelError, match=r"^refit needs a model that has trees, and this one has none\. "):
        Refit().apply(replace(ensemble, trees=()), data)
    with pytest.raises(DataError, match=r"^pass 'refit': found no rows"):
        Refit().apply(ensemble, None)
