"""Trees of every shape, applied in each way, beside the obvious walk of one row through one tree."""

import numpy as np
import pytest

from gbdist.compression.predictor.standalone.trees import OtherTrees, Splits, SymmetricTrees

N_COLUMNS, N_BINS = 5, 9
N_ROWS = (0, 1, 3, 200, 1000)


def bins_of(n_rows: int, kind: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(n_rows).integers(0, N_BINS, (N_COLUMNS, n_rows)).astype(kind)


def apply(trees: SymmetricTrees | OtherTrees, way: str, sums: np.ndarray, bins: np.ndarray) -> None:
    """By bins, or by values: of bin k the value is k − 1, which is above b − ½ where k is above b."""
    if way == "bins":
        trees.add_by_bins(sums, bins)
    else:
        trees.add_by_values(sums, bins.astype(np.float32) - 1.0)


def summed(leaves: list[np.ndarray], values: np.ndarray, n_rows: int) -> np.ndarray:
    """Leaf values of all trees, added one tree after the other to zero."""
    sums = np.zeros((n_rows, values.shape[1]))
    for leaf in leaves:
        sums = sums + values[leaf]
    return sums


@pytest.mark.parametrize("dimension", [1, 3])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("n_rows", N_ROWS)
@pytest.mark.parametrize("way", ["bins", "values"])
def test_symmetric_trees(dimension: int, kind: type, n_rows: int, way: str) -> None:
    generator = np.random.default_rng(1)
    depths = np.array([6, 0, 9, 1, 8], dtype=np.uint8)
    columns = generator.integers(0, N_COLUMNS, depths.sum())
    borders = generator.integers(0, N_BINS, depths.sum()).astype(kind)
    values = generator.normal(size=(int((1 << depths.astype(int)).sum()), dimension))
    bins, sums = bins_of(n_rows, kind), np.zeros((n_rows, dimension))
    trees = SymmetricTrees(depths, Splits(columns, borders, borders.astype(np.float32) - 0.5), values)
    apply(trees, way, sums, bins)
    leaves, test, start = [], 0, 0
    for depth in depths.tolist():
        leaf = np.full(n_rows, start)
        for level in range(depth):
            leaf += (bins[columns[test]] > borders[test]) * (1 << level)
            test += 1
        leaves.append(leaf)
        start += 1 << depth
    np.testing.assert_array_equal(sums, summed(leaves, values, n_rows))


def grown(n_nodes: int, generator: np.random.Generator) -> tuple[list[int], list[int]]:
    """Left and right children of a random tree's nodes, before numbers of leaves: nodes in order, leaves from left to right."""
    left: list[int] = []
    right: list[int] = []
    n_leaves = 0

    def grow(budget: int) -> int:
        nonlocal n_leaves
        if budget == 0:
            n_leaves += 1
            return ~(n_leaves - 1)
        number = len(left)
        left.append(0)
        right.append(0)
        to_left = int(generator.integers(budget))
        left[number] = grow(to_left)
        right[number] = grow(budget - 1 - to_left)
        return number

    grow(n_nodes)
    return left, right


@pytest.mark.parametrize("dimension", [1, 3])
@pytest.mark.parametrize(("most", "way"), [(7, "bins"), (255, "bins"), (7, "values"), (300, "values")])
@pytest.mark.parametrize("n_rows", N_ROWS)
def test_other_trees(dimension: int, most: int, way: str, n_rows: int) -> None:
    generator = np.random.default_rng(2)
    counts = np.array([5, 0, most, 1])
    trees = [grown(count, generator) for count in counts.tolist()]
    left, right = (np.array([child for tree in trees for child in tree[side]], dtype=np.int32) for side in (0, 1))
    columns = generator.integers(0, N_COLUMNS, counts.sum())
    borders = generator.integers(0, N_BINS, counts.sum()).astype(np.uint8)
    values = generator.normal(size=(int((counts + 1).sum()), dimension))
    bins, sums = bins_of(n_rows), np.zeros((n_rows, dimension))
    apply(
        OtherTrees(counts, Splits(columns, borders, borders.astype(np.float32) - 0.5), left, right, values),
        way,
        sums,
        bins,
    )
    leaves, first_node, first_leaf = [], 0, 0
    for count in counts.tolist():
        leaf = np.empty(n_rows, dtype=int)
        for row in range(n_rows):
            node = 0 if count else ~0
            while node >= 0:
                at = first_node + node
                node = int((right if bins[columns[at], row] > borders[at] else left)[at])
            leaf[row] = first_leaf + ~node
        leaves.append(leaf)
        first_node, first_leaf = first_node + count, first_leaf + count + 1
    np.testing.assert_array_equal(sums, summed(leaves, values, n_rows))
