"""Normal equations against NumPy's products of the trees' outputs, and the same bits on any ranks."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gbdist.compression.passes import gram
from gbdist.compression.passes.aims import Aim, Towards
from gbdist.compression.passes.base import PassData
from gbdist.compression.passes.derivatives import expand
from gbdist.compression.passes.gram import NormalEquations, normal_equations
from gbdist.compression.passes.outputs import leaves_of_each, raw_predictions
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import Node, NonSymmetricTree, TreeSplit

from ..conftest import data_of, on_ranks, placements
from .losses import ensemble_of, labelled

Make = Callable[..., Ensemble]
#: The teacher on the rows alone.
ROWS = Aim(copies=0)


def expected(ensemble: Ensemble, data: PassData, towards: Towards) -> tuple[np.ndarray, np.ndarray, float]:
    """G, c and tᵀHt in float64."""
    k = ensemble.dimension
    outputs = [
        tree.leaf_values[leaf] for tree, leaf in zip(ensemble.trees, leaves_of_each(ensemble.trees, data), strict=True)
    ]
    teacher = raw_predictions(ensemble if data.teacher is None else data.teacher, data)
    around = expand(teacher, data)
    target = teacher - ensemble.bias[:, None]
    if towards == "labels":
        assert around.first is not None
        target = target + around.first / around.curvature
    a = np.concatenate(
        [np.column_stack((np.tile(np.eye(k)[v], (data.rows.n_rows, 1)), *(o[:, v] for o in outputs))) for v in range(k)]
    )
    h, t = around.curvature.ravel(), target.ravel()
    return (a * h[:, None]).T @ a, a.T @ (h * t), float(h @ t**2)


@pytest.mark.parametrize("towards", ["teacher", "labels"])
@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_products_are_those_of_the_trees_outputs(
    make_ensemble: Make, raw_features: np.ndarray, n_classes: int, towards: Towards
) -> None:
    ensemble = ensemble_of(make_ensemble, n_classes)
    data = data_of(ensemble, labelled(ensemble, raw_features, n_classes), threads=2)
    found = normal_equations(ensemble, data, Aim(towards, copies=0))
    matrix, products, square = expected(ensemble, data, towards)
    assert (found.n_trees, found.dimension) == (12, ensemble.dimension)
    assert found.matrix == pytest.approx(matrix, rel=1e-4, abs=1e-5 * np.abs(matrix).max())
    assert found.products == pytest.approx(products, rel=1e-4, abs=1e-5 * np.abs(products).max())
    assert found.square == pytest.approx(square, rel=1e-5)


def test_the_target_is_the_teacher_whatever_is_left_of_it(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 2)
    left = replace(ensemble, trees=ensemble.trees[:3])
    data = replace(data_of(ensemble, labelled(ensemble, raw_features, 2)), teacher=ensemble)
    whole, found = normal_equations(ensemble, data, ROWS), normal_equations(left, data, ROWS)
    assert found.products.tolist() == whole.products[:4].tolist()
    assert found.square == whole.square


def test_equations_that_pipelines_share_are_made_once(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 2)
    data = replace(data_of(ensemble, labelled(ensemble, raw_features, 2)), teacher=ensemble)
    made = normal_equations(ensemble, data, ROWS)
    assert normal_equations(ensemble, replace(data), ROWS) is made
    others = [
        normal_equations(replace(ensemble, bias=ensemble.bias + 1.0), data, ROWS),
        normal_equations(ensemble, replace(data, teacher=replace(ensemble, bias=ensemble.bias + 1.0)), ROWS),
        normal_equations(ensemble, data, Aim("labels")),
        normal_equations(ensemble, data, Aim(copies=1)),
        normal_equations(replace(ensemble, trees=ensemble.trees[1:]), data, ROWS),
    ]
    assert all((one.products[:4] != made.products[:4]).any() for one in others)


def test_non_symmetric_trees_have_normal_equations_too(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = ensemble_of(make_ensemble, 1)
    values = np.random.default_rng(4).normal(size=(2, 3, 1))
    nodes = [(Node(TreeSplit(3, 5 + i), 1, ~2), Node(TreeSplit(4, 7), ~0, ~1)) for i in range(2)]
    trees = tuple(NonSymmetricTree(each, of_leaf, np.ones(3)) for each, of_leaf in zip(nodes, values, strict=True))
    ensemble = replace(ensemble, trees=trees)
    data = data_of(ensemble, labelled(ensemble, raw_features, 1))
    matrix, _, _ = expected(ensemble, data, "teacher")
    assert normal_equations(ensemble, data, ROWS).matrix == pytest.approx(
        matrix, rel=1e-4, abs=1e-5 * np.abs(matrix).max()
    )


@pytest.mark.parametrize("n_classes", [1, 3])
def test_ranks_threads_and_blocks_do_not_change_a_bit(
    make_ensemble: Make, raw_features: np.ndarray, n_classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble = ensemble_of(make_ensemble, n_classes)
    rows = labelled(ensemble, raw_features, n_classes)

    def bits(found: NormalEquations) -> bytes:
        return found.matrix.tobytes() + found.products.tobytes() + np.float64(found.square).tobytes()

    seen = {
        one
        for placement in placements(900)
        for one in on_ranks(ensemble, rows, placement, lambda data: bits(normal_equations(ensemble, data, ROWS)))
    }
    monkeypatch.setattr(gram, "_BLOCK", 64)
    seen.add(bits(normal_equations(ensemble, data_of(ensemble, rows, threads=3), ROWS)))
    assert len(seen) == 1


def test_a_block_of_the_most_bits_is_multiplied_exactly() -> None:
    # The worst that a block may hold: every product is the largest one, and all have the same sign.
    block = np.full((2, gram._BLOCK), 2.0**gram._MOST_BITS)
    assert gram._BLOCK <= 1 << (gram._FLOAT_BITS - 2 * gram._MOST_BITS)
    block[:, 0] -= 1.0
    assert int((block @ block.T)[0, 1]) == (gram._BLOCK - 1 << 2 * gram._MOST_BITS) + ((1 << gram._MOST_BITS) - 1) ** 2
