"""Small random ensembles with few borders, so that trees often test the same, and what they predict for rows of bins."""

from dataclasses import replace

import numpy as np

from gbdist.compression.passes.nested import Branch, Leaf, Nested, flat
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import CategoricalPart, OneHotFeature
from gbdist.models.tree import NonSymmetricTree, ObliviousTree, Tree, TreeSplit
from gbdist.quantize.borders import FeatureBorders

N_NUMBERS = 3
N_BORDERS = 4


def random_ensemble(
    seed: int, *, symmetric: bool = True, dimension: int = 1, n_trees: int = 12, max_depth: int = 4
) -> Ensemble:
    """Trees on three numbers of four borders each and one one-hot column of three values; one leaf now and then."""
    generator = np.random.default_rng(seed)
    borders = tuple(
        FeatureBorders(np.sort(generator.normal(size=N_BORDERS)).astype(np.float32), "AsIs") for _ in range(N_NUMBERS)
    )
    names = (*(f"f{f}" for f in range(N_NUMBERS)), "colour")
    part = CategoricalPart((N_NUMBERS,), (OneHotFeature(0, (5, 77, 4_000_000_000)),))
    ensemble = Ensemble((), borders, generator.normal(size=dimension), names, None, categories=part)
    grow = _random_oblivious if symmetric else _random_other
    return replace(ensemble, trees=tuple(grow(generator, max_depth, dimension) for _ in range(n_trees)))


def random_bins(n_rows: int, seed: int = 0) -> np.ndarray:
    """uint8 [4, n_rows]: every bin of every feature, a category that no test names included."""
    generator = np.random.default_rng(seed)
    tops = [N_BORDERS + 1] * N_NUMBERS + [4]
    return np.stack([generator.integers(0, top, n_rows) for top in tops]).astype(np.uint8)


def predicted(ensemble: Ensemble, bins: np.ndarray) -> np.ndarray:
    """Raw predictions, float64 [n_rows, dimension]."""
    total = np.zeros((bins.shape[1], ensemble.dimension))
    for tree in ensemble.trees:
        total += tree.leaf_values[leaves_of(tree, ensemble, bins)]
    return total + ensemble.bias


def leaves_of(tree: Tree, ensemble: Ensemble, bins: np.ndarray) -> np.ndarray:
    """The leaf of each row, int64 [n_rows]."""
    if isinstance(tree, ObliviousTree):
        leaves = np.zeros(bins.shape[1], np.int64)
        for level, split in enumerate(tree.splits):
            leaves |= _outcomes(split, ensemble, bins).astype(np.int64) << level
        return leaves
    at = np.full(bins.shape[1], 0 if tree.nodes else ~0)
    while np.any(at >= 0):
        for number, node in enumerate(tree.nodes):
            at = np.where(at == number, np.where(_outcomes(node.split, ensemble, bins), node.right, node.left), at)
    return ~at


def same_predictions(one: Ensemble, other: Ensemble, n_rows: int = 1000) -> bool:
    """Whether two ensembles predict the same but for the rounding of sums."""
    bins = random_bins(n_rows)
    return bool(np.allclose(predicted(one, bins), predicted(other, bins), rtol=0, atol=1e-12))


def n_leaves(ensemble: Ensemble) -> int:
    return sum(tree.n_leaves for tree in ensemble.trees)


def _outcomes(split: TreeSplit, ensemble: Ensemble, bins: np.ndarray) -> np.ndarray:
    one_hot = isinstance(ensemble.features[split.feature], OneHotFeature)
    compare = np.equal if one_hot else np.greater
    return np.asarray(compare(bins[split.feature], split.border))


def _random_split(generator: np.random.Generator) -> TreeSplit:
    feature = int(generator.integers(N_NUMBERS + 1))
    return TreeSplit(feature, int(generator.integers(N_BORDERS if feature < N_NUMBERS else 3)))


def _random_oblivious(generator: np.random.Generator, max_depth: int, dimension: int) -> ObliviousTree:
    depth = int(generator.integers(max_depth + 1))
    splits = tuple(_random_split(generator) for _ in range(depth))
    return ObliviousTree(splits, generator.normal(size=(1 << depth, dimension)), generator.random(1 << depth) * 10)


def _random_other(generator: np.random.Generator, max_depth: int, dimension: int) -> NonSymmetricTree:
    def below(depth: int) -> Nested:
        if depth == 0 or generator.random() < 0.2:
            return Leaf(generator.normal(size=dimension), float(generator.random()))
        return Branch(_random_split(generator), below(depth - 1), below(depth - 1))

    return flat(below(max_depth))
