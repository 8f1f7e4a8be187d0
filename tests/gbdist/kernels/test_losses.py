"""Every loss kernel equals its NumPy twin, bit for bit, whole and in slices."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from gbdist.kernels import cpu_losses, reference_losses

N_ROWS, N_LEAVES, N_CLASSES = 1_237, 7, 4
SCALES = np.array([2.0**36, 2.0**40, 2.0**38, 2.0**37])
NO_LOSS = np.array([0.0, 2.0**40, 2.0**38, 2.0**37])
LOSS_ALONE = np.array([2.0**36, 0.0, 0.0, 0.0])


@dataclass
class Case:
    label: NDArray[np.float32]
    weight: NDArray[np.float32]
    predictions: NDArray[np.float64]
    leaf_of_row: NDArray[np.uint16]
    shift: NDArray[np.float64]


def make_case(dimension: int, weighted: bool, one_leaf: bool = False) -> Case:
    rng = np.random.default_rng(3)
    n_leaves = 1 if one_leaf else N_LEAVES
    labels = rng.integers(0, dimension, N_ROWS) if dimension > 1 else rng.random(N_ROWS)
    predictions = rng.normal(size=(dimension, N_ROWS)) * 4
    predictions[:, :6] = [-800.0, 800.0, -40.0, 40.0, 0.0, 1e-9]
    return Case(
        label=labels.astype(np.float32),
        weight=(rng.random(N_ROWS) * 3).astype(np.float32) if weighted else np.empty(0, np.float32),
        predictions=predictions,
        leaf_of_row=rng.integers(0, n_leaves, N_ROWS).astype(np.uint16),
        shift=rng.normal(size=(n_leaves, dimension)),
    )


def positives(kind: str) -> list[int]:
    return {"logistic": [-1], "one_vs_all": list(range(N_CLASSES))}.get(kind, [0])


def derivatives(module, kind: str, case: Case, rows: slice) -> NDArray[np.float64]:
    predictions = case.predictions[:, rows]
    out = np.full_like(predictions, np.nan)
    label, weight = case.label[rows], case.weight[rows]
    if kind == "residual":
        module.residual_derivatives(label, weight, predictions[0], out[0])
    elif kind == "softmax":
        module.softmax_derivatives(label, weight, predictions, out)
    else:
        for k in positives(kind):
            module.logistic_derivatives(label, weight, predictions[max(k, 0)], k, out[max(k, 0)])
    return out


def leaf_sums(module, kind: str, case: Case, rows: slice, scales: NDArray[np.float64]) -> NDArray[np.int64]:
    dimension = case.predictions.shape[0]
    n_second = dimension * (dimension + 1) // 2 if kind == "softmax" else dimension
    sums = np.zeros((case.shift.shape[0], 2 + dimension + n_second), np.int64)
    predictions, leaves = case.predictions[:, rows], case.leaf_of_row[rows]
    label, weight = case.label[rows], case.weight[rows]
    if kind == "residual":
        module.add_residual_leaf_sums(label, weight, predictions[0], leaves, case.shift, scales, sums)
    elif kind == "softmax":
        module.add_softmax_leaf_sums(label, weight, predictions, leaves, case.shift, scales, sums)
    else:
        for k in positives(kind):
            module.add_logistic_leaf_sums(label, weight, predictions[max(k, 0)], leaves, case.shift, k, scales, sums)
    return sums


KINDS = ["residual", "logistic", "softmax", "one_vs_all"]
DIMENSIONS = {"residual": 1, "logistic": 1, "softmax": N_CLASSES, "one_vs_all": N_CLASSES}
WHOLE = slice(0, N_ROWS)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_equal_their_twin(kind, weighted) -> None:
    case = make_case(DIMENSIONS[kind], weighted)
    found = derivatives(cpu_losses, kind, case, WHOLE)
    assert np.array_equal(found, derivatives(reference_losses, kind, case, WHOLE))


@pytest.mark.parametrize("scales", [SCALES, NO_LOSS, LOSS_ALONE], ids=["all", "no_loss", "loss_alone"])
@pytest.mark.parametrize("one_leaf", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_leaf_sums_equal_their_twin(kind, weighted, one_leaf, scales) -> None:
    case = make_case(DIMENSIONS[kind], weighted, one_leaf)
    found = leaf_sums(cpu_losses, kind, case, WHOLE, scales)
    assert np.array_equal(found, leaf_sums(reference_losses, kind, case, WHOLE, scales))
    assert (found[:, 0] == 0).all() == (scales[0] == 0.0)
    assert (found[:, 1:] == 0).all() == (scales[1] == 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_slices_give_the_bits_of_the_whole(kind) -> None:
    case = make_case(DIMENSIONS[kind], weighted=True)
    whole = derivatives(cpu_losses, kind, case, WHOLE)
    sums = leaf_sums(cpu_losses, kind, case, WHOLE, SCALES)
    cuts = [0, 1, 2, 9, 255, 256, 257, 700, 700, N_ROWS]
    parts = [slice(a, b) for a, b in pairwise(cuts)]
    assert np.array_equal(np.hstack([derivatives(cpu_losses, kind, case, part) for part in parts]), whole)
    assert np.array_equal(sum(leaf_sums(cpu_losses, kind, case, part, SCALES) for part in parts), sums)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_changes_no_other_column(kind) -> None:
    case = make_case(DIMENSIONS[kind], weighted=True)
    with_loss = leaf_sums(cpu_losses, kind, case, WHOLE, SCALES)
    without = leaf_sums(cpu_losses, kind, case, WHOLE, NO_LOSS)
    assert np.array_equal(with_loss[:, 1:], without[:, 1:])
