"""The contract of ``Objective``, for every loss."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.boosting.fixed_point import sum_scale
from gbdist.errors import ParameterError
from gbdist.objectives import LOSSES, MULTI_TARGET, LeafScales, Objective, make_objective
from gbdist.objectives.pointwise import FAMILIES

from ..conftest import described

N_CLASSES = 3
PRECISE = LeafScales(derivative=2.0**44, second_derivative=2.0**44, loss=2.0**40, weight=2.0**44)


#: Of every loss with bounds, and more where options decide which branch of a formula is taken.
LOSSES_WITH_OPTIONS = [
    *(described(loss) for loss in LOSSES if loss != "Cox"),
    "Lq:q=1.5",
    "Lq:q=1",
    "Focal:focal_alpha=0.3;focal_gamma=0.5",
]
#: Their second derivative is not that of the first one, or is not used.
NO_SECOND = ("MAE", "Quantile", "MAPE", "LogLinQuantile", "MultiQuantile", "RMSEWithUncertainty")
#: Labels that are the ends of a time.
TIMES = ("SurvivalAft",)


@pytest.fixture(params=LOSSES_WITH_OPTIONS)
def objective(request) -> Objective:
    return make_objective(request.param, N_CLASSES)


def n_second(objective: Objective) -> int:
    k = objective.dimension
    return k if objective.second_order == "diagonal" else k * (k + 1) // 2


def labels_for(objective: Objective, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    if objective.name in MULTI_TARGET:
        shape = (objective.dimension, n_rows)
        squared, crisp = objective.name.startswith("MultiRMSE"), objective.name == "MultiLogloss"
        values = rng.normal(size=shape) if squared else rng.integers(0, 2, shape) if crisp else rng.random(shape)
        return values.astype(np.float32)
    if objective.name in TIMES:
        low = np.exp(rng.normal(size=n_rows))
        return np.stack([low, low * rng.choice([1.0, 2.0], n_rows)]).astype(np.float32)
    if objective.name in ("RMSE", "RMSEWithUncertainty") or (objective.name in FAMILIES and objective.name != "Focal"):
        values = rng.normal(size=n_rows) * 5
        lowest = FAMILIES[objective.name].lowest_label if objective.name in FAMILIES else -np.inf
        return (np.abs(values) if lowest == 0.0 else values).astype(np.float32)
    if objective.name == "CrossEntropy":
        return rng.random(n_rows).astype(np.float32)
    return rng.integers(0, max(objective.dimension, 2), n_rows).astype(np.float32)


def row_sums(objective: Objective, label, weight, predictions, scales: LeafScales = PRECISE) -> np.ndarray:
    """[n_rows, n_sums] in float64: the sums of each row alone."""
    n_rows = label.shape[-1]
    sums = np.zeros((n_rows, 2 + objective.dimension + n_second(objective)), np.int64)
    shift = np.zeros((1, objective.dimension))
    for i in range(n_rows):
        row = slice(i, i + 1)
        own = None if weight is None else weight[row]
        leaf = np.zeros(1, np.uint16)
        objective.add_leaf_sums(label[..., row], own, predictions[:, row], leaf, shift, scales, sums[row])
    k = objective.dimension
    factors = [scales.loss, scales.weight] + [scales.derivative] * k + [scales.second_derivative] * n_second(objective)
    return sums / np.array(factors)


def full_second(objective: Objective, row: np.ndarray) -> np.ndarray:
    """[dimension, dimension] second derivatives of one row of sums."""
    k = objective.dimension
    second = row[2 + k :]
    if objective.second_order == "diagonal":
        return np.diag(second)
    matrix = np.zeros((k, k))
    matrix[np.triu_indices(k)] = second
    return matrix + np.triu(matrix, 1).T


def test_derivatives_are_those_of_minus_the_loss(objective) -> None:
    rng = np.random.default_rng(1)
    n_rows, step = 40, 2.0**-12
    label = labels_for(objective, n_rows, rng)
    weight = (0.5 + rng.random(n_rows)).astype(np.float32)
    a = rng.normal(size=(objective.dimension, n_rows)) * 2
    out = np.empty_like(a)
    objective.derivatives(label, weight, a, out)
    here = row_sums(objective, label, weight, a)
    assert np.allclose(here[:, 1], weight)
    assert np.allclose(here[:, 2 : 2 + objective.dimension], out.T, atol=1e-12)
    for k in range(objective.dimension):
        above, below = a.copy(), a.copy()
        above[k] += step
        below[k] -= step
        high, low = row_sums(objective, label, weight, above), row_sums(objective, label, weight, below)
        natural = np.exp(2.0 * a[1]) if objective.name == "RMSEWithUncertainty" and k == 0 else 1.0
        assert np.allclose(natural * (low[:, 0] - high[:, 0]) / (2 * step), out[k], rtol=1e-5, atol=2e-6)
        if objective.name in NO_SECOND or objective.name == "Lq":
            continue
        slopes = (high - low)[:, 2 : 2 + objective.dimension] / (2 * step)
        expected = np.array([full_second(objective, row)[k] for row in here])
        assert np.allclose(slopes, expected, atol=2e-6)


def test_second_derivative_of_minus_a_convex_loss_is_not_positive(objective) -> None:
    rng = np.random.default_rng(2)
    label = labels_for(objective, 50, rng)
    rows = row_sums(objective, label, None, rng.normal(size=(objective.dimension, 50)) * 3)
    largest = max(np.linalg.eigvalsh(full_second(objective, row)).max() for row in rows)
    assert largest <= 1e-12 or objective.name == "Focal"  # which is not convex


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(LOSSES_WITH_OPTIONS),
    label=st.floats(0, 1, width=32),
    values=st.lists(st.floats(-700, 700), min_size=N_CLASSES, max_size=N_CLASSES),
)
def test_bounds_hold(name, label, values) -> None:
    objective = make_objective(name, N_CLASSES)
    if objective.name in TIMES:
        label = np.array([label, label + 1.0]) + 1e-3
    elif objective.name in ("MultiLogloss", "MultiCrossEntropy"):
        label = np.full(N_CLASSES, label if objective.name == "MultiCrossEntropy" else np.round(label))
    elif objective.name.startswith("MultiClass"):
        label = np.floor(label * (N_CLASSES - 0.5))
    elif objective.name == "Focal":
        label = np.round(label)
    elif objective.name not in ("Logloss", "CrossEntropy"):
        label = label * 1e4 - (0.0 if objective.largest_prediction < 1e9 else 5e3)
        label = np.linspace(-label, label, N_CLASSES) if objective.name in MULTI_TARGET else label
    y = np.array(label, np.float32)[..., None]
    values = np.clip(values, -objective.largest_prediction, objective.largest_prediction)
    a = np.array(values[: objective.dimension]).reshape(-1, 1)
    bounds = objective.bounds(float(np.abs(y).max()), float(np.abs(a).max()))
    first, second, loss = (
        min(2.0**30, sum_scale(each, 1)) for each in (bounds.derivative, bounds.second_derivative, bounds.loss)
    )
    scales = LeafScales(derivative=first, second_derivative=second, loss=min(loss, 2.0**24), weight=1.0)
    out = np.empty_like(a)
    objective.derivatives(y, None, a, out)
    row = row_sums(objective, y, None, a, scales)[0]
    k = objective.dimension
    assert np.abs(out).max() <= bounds.derivative
    assert abs(row[0]) <= bounds.loss + 1.0 / scales.loss
    assert np.abs(row[2 + k :]).max() <= bounds.second_derivative + 1.0 / scales.second_derivative


def test_shift_moves_the_rows_of_its_leaf(objective) -> None:
    rng = np.random.default_rng(4)
    label = labels_for(objective, 30, rng)
    a = rng.normal(size=(objective.dimension, 30))
    shift = rng.normal(size=(2, objective.dimension))
    leaves = (np.arange(30) % 2).astype(np.uint16)
    moved = row_sums(objective, label, None, a + shift[leaves].T)
    expected = np.array([moved[::2].sum(axis=0), moved[1::2].sum(axis=0)])
    sums = np.zeros((2, moved.shape[1]), np.int64)
    objective.add_leaf_sums(label, None, a, leaves, shift, PRECISE, sums)
    assert np.allclose(sums[:, 1] / PRECISE.weight, 15)
    assert np.allclose(sums[:, 2] / PRECISE.derivative, expected[:, 2])


def test_start_values_are_optimal_constants() -> None:
    assert make_objective("RMSE", 0).start_value(0.1) == float(np.float32(0.1))  # CatBoost's mean is a float32
    assert make_objective("MultiRMSE", 2).start_value(0.1) == float(np.float32(0.1))
    for name in ("Logloss", "CrossEntropy", "MultiLogloss"):
        value = make_objective(name, 2).start_value(0.25)
        assert value == pytest.approx(np.log(1 / 3), abs=1e-15)
        assert np.isfinite(make_objective(name, 2).start_value(0.0))
        assert np.isfinite(make_objective(name, 2).start_value(1.0))


@pytest.mark.parametrize("name", ["MultiClass", "MultiClassOneVsAll"])
def test_no_start_value_with_several_dimensions(name) -> None:
    with pytest.raises(ParameterError) as caught:
        make_objective(name, 3).start_value(0.5)
    assert str(caught.value) == (
        f"boost_from_average=True cannot be used: expected False with loss_function='{name}'. "
        "Leave boost_from_average out, or set it to False."
    )


def test_objectives_survive_pickling(objective) -> None:
    again = pickle.loads(pickle.dumps(objective))
    assert again == objective
    assert (again.name, again.dimension, again.second_order) == (
        objective.name,
        objective.dimension,
        objective.second_order,
    )


def test_unknown_loss_is_refused() -> None:
    with pytest.raises(ParameterError) as caught:
        make_objective("RMSPE", 2)
    assert str(caught.value) == (
        "loss_function='RMSPE' cannot be used: expected one of Logloss, CrossEntropy, MultiClass, MultiClassOneVsAll, RMSE, MAE, "
        "Quantile, MAPE, LogLinQuantile, Poisson, Lq, Expectile, Huber, LogCosh, Tweedie, Focal, MultiQuantile, "
        "RMSEWithUncertainty, MultiRMSE, MultiRMSEWithMissingValues, MultiLogloss, MultiCrossEntropy, SurvivalAft, Cox. "
        "Use one of these, or train this loss with catboost on one machine."
    )


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        ("Logloss:border=0.3", "expected no options. Leave 'border' out."),
        ("Quantile:alpha=1.5", "expected alpha to be from 0 to 1. Correct alpha."),
        ("Quantile:alpha=many", "expected alpha to be from 0 to 1. Correct alpha."),
        ("Quantile:beta=0.3", "expected no option but alpha and delta. Leave 'beta' out."),
        ("Lq", "expected q, at least 1. Write it as in 'Lq:q=2'."),
        ("Tweedie:variance_power=2", "expected variance_power to be between 1 and 2. Correct variance_power."),
        ("SurvivalAft:dist=Cauchy", "expected dist to be Normal, Logistic, Extreme. Correct dist, or leave it out."),
        ("SurvivalAft:scale=0", "expected scale to be above 0. Correct scale."),
        (
            "MultiQuantile",
            "expected alpha to be numbers from 0 to 1 with commas between them, at least one. "
            "Write it as in 'MultiQuantile:alpha=0.1,0.5,0.9'.",
        ),
        (
            "MultiQuantile:alpha=0.1,2",
            "expected alpha to be numbers from 0 to 1 with commas between them, at least one. "
            "Write it as in 'MultiQuantile:alpha=0.1,0.5,0.9'.",
        ),
        ("MultiQuantile:alpha=0.1;delta=1", "expected delta to be from 0 to 0.01. Correct delta."),
        ("Huber:delta=0", "expected delta to be above 0. Correct delta."),
        ("Huber:delta=1_0", "expected delta to be above 0. Correct delta."),
        ("Quantile:alpha=0.3,delta=0.01", "expected alpha to be from 0 to 1. Write ';' between options."),
        (
            "Quantile:alpha",
            "expected a description such as 'RMSE' or 'Quantile:alpha=0.9'. Write options as key=value, with ';' between them.",
        ),
    ],
)
def test_options_that_a_loss_has_not_are_refused(loss: str, says: str) -> None:
    with pytest.raises(ParameterError) as caught:
        make_objective(loss, 2)
    assert str(caught.value) == f"loss_function={loss!r} cannot be used: {says}"


def test_no_mean_is_a_start_value_of_a_quantile() -> None:
    with pytest.raises(ParameterError):
        make_objective("MAE", 1).start_value(0.5)
