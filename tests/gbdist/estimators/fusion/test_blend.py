"""The default final estimators: what they minimize, and that pieces make no difference."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import log_loss

from gbdist.estimators.fusion.blend import BlendClassifier, BlendRegressor, log_features, simplex_weights
from gbdist.estimators.fusion.places import Here


def members_of(truth: np.ndarray, n_classes: int, seed: int) -> np.ndarray:
    """Probabilities, [n_rows, 2 × n_classes], of a member that knows something and of one that knows less."""
    rng = np.random.default_rng(seed)
    of_members = []
    for knows in (1.5, 0.7):
        raw = rng.normal(size=(len(truth), n_classes)) + knows * np.eye(n_classes)[truth]
        of_members.append(np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True))
    return np.hstack(of_members)


def second_columns(proba: np.ndarray) -> np.ndarray:
    """Of two classes the second's probabilities alone."""
    return proba[:, 1::2]


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_coefficients_minimize_log_loss_and_distance_from_the_mean(n_classes, weighted):
    rng = np.random.default_rng(1)
    truth = rng.integers(0, n_classes, 300)
    proba = members_of(truth, n_classes, seed=2)
    weight = rng.random(300) + 0.5 if weighted else np.ones(300)
    given = second_columns(proba) if n_classes == 2 else proba
    blend = BlendClassifier().fit(given, truth, weight if weighted else None)
    features = np.hstack([np.log(proba), np.ones((300, 1))])
    np.testing.assert_allclose(log_features(given, n_classes=n_classes), features)
    mean = np.vstack([np.eye(n_classes), np.eye(n_classes), np.zeros((1, n_classes))]) / 2

    def loss(coef):
        raw = features @ coef
        lost = np.log(np.exp(raw).sum(axis=1)) - raw[np.arange(300), truth]
        return (weight * lost).sum() + weight.mean() / 2 * ((coef - mean) ** 2).sum()

    found = np.vstack([blend.coef_, blend.intercept_])
    best = minimize(lambda flat: loss(flat.reshape(mean.shape)), mean.ravel(), method="BFGS")
    assert loss(found) == pytest.approx(best.fun, rel=1e-4)
    assert loss(found) < loss(mean)


def test_blend_beats_both_members():
    truth = np.random.default_rng(3).integers(0, 3, 4_000)
    proba = members_of(truth, 3, seed=4)
    fitted = BlendClassifier().fit(proba[:2_000], truth[:2_000])
    blended = log_loss(truth[2_000:], fitted.predict_proba(proba[2_000:]))
    alone = [log_loss(truth[2_000:], proba[2_000:, columns]) for columns in (slice(0, 3), slice(3, 6))]
    assert blended < min(alone) - 0.02


def test_few_rows_give_about_the_geometric_mean():
    truth = np.array([0, 1, 2])
    proba = members_of(truth, 3, seed=5)
    mean = np.sqrt(proba[:, :3] * proba[:, 3:])
    mean /= mean.sum(axis=1, keepdims=True)
    apart = np.abs(BlendClassifier().fit(proba, truth).predict_proba(proba) - mean).max()
    assert apart < 0.25


def test_probabilities_of_zero_are_taken_for_very_small_ones():
    proba = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    said = BlendClassifier().fit(proba[:, 1:], ["a", "b", "a", "a"]).predict_proba(proba[:, 1:])
    assert np.isfinite(said).all()
    np.testing.assert_allclose(said.sum(axis=1), 1.0)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_pieces_make_no_difference(n_classes):
    rng = np.random.default_rng(6)
    truth = rng.integers(0, n_classes, 200)
    proba, weight = members_of(truth, n_classes, seed=7), rng.random(200)
    proba = second_columns(proba) if n_classes == 2 else proba
    whole = BlendClassifier().fit(proba, truth, weight)
    cuts = [0, 50, 50, 199]
    pieces = [np.split(each, cuts[1:]) for each in (proba, truth, weight)]
    cut = BlendClassifier().fit_pieces(Here(), *pieces, np.arange(n_classes))
    np.testing.assert_allclose(cut.coef_, whole.coef_, rtol=1e-9, atol=1e-12)
    y = proba @ rng.normal(size=proba.shape[1])
    whole_weights = BlendRegressor().fit(proba, y, weight).coef_
    of_pieces = BlendRegressor().fit_pieces(Here(), pieces[0], np.split(y, cuts[1:]), pieces[2]).coef_
    np.testing.assert_allclose(of_pieces, whole_weights, rtol=1e-9)


def test_weights_of_a_regressor_are_the_best_on_the_simplex():
    rng = np.random.default_rng(8)
    errors = rng.normal(size=(400, 3)) @ np.array([[1.0, 0.4, 0.0], [0.0, 0.8, 0.1], [0.0, 0.0, 2.0]])
    squares = errors.T @ errors
    weights = simplex_weights(squares)
    grid = np.linspace(0, 1, 201)
    a, b = (each.ravel() for each in np.meshgrid(grid, grid))
    every = np.stack([a, b, 1 - a - b])[:, a + b <= 1]
    assert weights.sum() == pytest.approx(1.0)
    assert weights.min() >= 0.0
    assert weights @ squares @ weights <= np.einsum("ik,ij,jk->k", every, squares, every).min() + 1e-9


def test_member_that_harms_gets_no_weight():
    y = np.arange(20.0)
    # The second member errs as the first one does, and more.
    error = np.tile([1.0, -1.0], 10)
    blend = BlendRegressor().fit(np.stack([y + error, y + 3 * error], axis=1), y)
    np.testing.assert_array_equal(blend.coef_, [1.0, 0.0])


def test_members_without_errors_share_the_weight():
    y = np.arange(5.0)
    np.testing.assert_array_equal(BlendRegressor().fit(np.stack([y, y], axis=1), y).coef_, [0.5, 0.5])
