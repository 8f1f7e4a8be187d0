"""Trees that test the same become one: an exact pass, whose predictions differ by the rounding of sums alone."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.passes.nested import Leaf, Nested, nested
from gbdist.compression.passes.simple import (
    Known,
    in_order,
    nothing_known,
    routed,
    simple,
    structure_of,
    without_constants,
)
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree, Tree, TreeSplit

#: CatBoost's trees are no deeper
_MAX_DEPTH = 16


@dataclass(frozen=True)
class MergeTrees(Pass):
    """Put trees together wherever that needs no more leaves than before.

    1. Each tree is made simple: tests that make no difference go (``simple``), those of oblivious trees are put in one order.
    2. Trees that are one leaf go into the bias.
    3. Trees with the same tests become one with the sum of their values. Its leaf weights are their mean: a leaf weight counts
       training rows, and summed weights would make one tree look as if it had been trained on several times the rows of
       the others, to importances and SHAP values.
    4. A tree whose tests are all among those of another is added to that one, which keeps its leaf weights.
    5. Two oblivious trees of depth d that share d - 1 tests become one of depth d + 1, which has as many leaves as both. Its leaf
       weights are estimates: the two tests that are not shared are taken to be independent, given the shared ones.

    It needs no rows and has no parameters.
    """

    name: ClassVar[str] = "merge"
    needs_rows: ClassVar[bool] = False

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        """The ensemble with fewer trees, in the order of the first tree of each; ``data`` is not asked for."""
        del data
        known = nothing_known(ensemble)
        ensemble = without_constants(replace(ensemble, trees=tuple(simple(tree, known) for tree in ensemble.trees)))
        trees = _without_parts(_without_same(ensemble.trees), known)
        return replace(ensemble, trees=tuple(_in_pairs(trees)))


def _without_same(trees: Iterable[Tree]) -> list[Tree]:
    """One tree for all that have the same tests."""
    alike: dict[object, list[Tree]] = {}
    for tree in trees:
        alike.setdefault(structure_of(tree), []).append(tree)
    return [_sum_of_same(same) for same in alike.values()]


def _sum_of_same(trees: Sequence[Tree]) -> Tree:
    if len(trees) == 1:
        return trees[0]
    values, weights = trees[0].leaf_values.copy(), trees[0].leaf_weights.copy()
    for tree in trees[1:]:
        values += tree.leaf_values
        weights += tree.leaf_weights
    return replace(trees[0], leaf_values=values, leaf_weights=weights / len(trees))


def _without_parts(trees: Sequence[Tree], known: Known) -> list[Tree]:
    """No tree that could be added to another; of several that it could be added to, the first is taken."""
    having: defaultdict[TreeSplit, set[int]] = defaultdict(set)
    for number, tree in enumerate(trees):
        for split in tree.splits:
            having[split].add(number)
    left = dict(enumerate(trees))
    # The smallest first, so that what was added to a tree goes on with it.
    for number in sorted(left, key=lambda number: len(trees[number].splits)):
        candidates = set.intersection(*(having[split] for split in trees[number].splits)) - {number}
        for other in sorted(candidates & left.keys()):
            leaf_of_leaf = _leaves_in(left[number], left[other], known)
            if leaf_of_leaf is not None:
                values = left[other].leaf_values + left[number].leaf_values[leaf_of_leaf]
                left[other] = replace(left[other], leaf_values=values)
                del left[number]
                break
    return list(left.values())


def _leaves_in(part: Tree, whole: Tree, known: Known) -> NDArray[np.int64] | None:
    """The leaf of ``part`` that has all rows of each leaf of ``whole``, int64 [n_leaves]; None where there is none."""
    if isinstance(part, ObliviousTree) and isinstance(whole, ObliviousTree):
        return _leaf_by(part.splits, whole.splits)
    numbered = replace(part, leaf_values=np.arange(part.n_leaves, dtype=np.float64)[:, np.newaxis])
    found = list(_routed_leaves(nested(whole), nested(numbered), known))
    numbers = [int(leaf.value[0]) for leaf in found if leaf is not None]
    return np.array(numbers) if len(numbers) == len(found) else None


def _routed_leaves(whole: Nested, part: Nested, known: Known) -> Iterator[Leaf | None]:
    """For each leaf of ``whole``, from left to right, the leaf of ``part`` that its rows are in."""
    if isinstance(whole, Leaf):
        yield routed(part, known)
        return
    yield from _routed_leaves(whole.left, part, known.after(whole.split, False))
    yield from _routed_leaves(whole.right, part, known.after(whole.split, True))


def _leaf_by(some: Sequence[TreeSplit], every: Sequence[TreeSplit]) -> NDArray[np.int64]:
    """The leaf by ``some`` of the tests of each leaf by ``every`` test, int64 [2**len(every)]."""
    leaves = np.arange(1 << len(every))
    found = np.zeros_like(leaves)
    for level, split in enumerate(some):
        found |= (leaves >> every.index(split) & 1) << level
    return found


def _in_pairs(trees: Sequence[Tree]) -> list[Tree]:
    """Oblivious trees that share all tests but one are put together, two at a time, as long as there are such."""
    result = list(trees)
    before = len(result) + 1
    while len(result) < before:
        before = len(result)
        result = _paired_once(result)
    return result


def _paired_once(trees: Sequence[Tree]) -> list[Tree]:
    """Each tree put together with the first one that it can be, if that has no partner yet."""
    waiting: dict[tuple[TreeSplit, ...], int] = {}  # the first tree without a partner that has these tests and one more
    result: dict[int, Tree] = {}
    single: dict[int, ObliviousTree] = {}
    for number, tree in enumerate(trees):
        result[number] = tree
        if not isinstance(tree, ObliviousTree) or tree.depth >= _MAX_DEPTH:
            continue
        shared = [tree.splits[:level] + tree.splits[level + 1 :] for level in range(tree.depth)]
        partners = {waiting[key] for key in shared if key in waiting} & single.keys()
        if partners:
            partner = min(partners)
            result[partner] = _pair(single.pop(partner), tree)
            del result[number]
            continue
        single[number] = tree
        for key in shared:
            if waiting.get(key) not in single:
                waiting[key] = number
    return list(result.values())


def _pair(one: ObliviousTree, other: ObliviousTree) -> ObliviousTree:
    """The sum of two trees of which each has one test that the other has not."""
    splits = in_order({*one.splits, *other.splits})
    leaf_of_one, leaf_of_other = _leaf_by(one.splits, splits), _leaf_by(other.splits, splits)
    shared = [split for split in other.splits if split in one.splits]
    shared_leaf = _leaf_by(shared, other.splits)
    weights = other.leaf_weights[leaf_of_other]
    total = np.bincount(shared_leaf, other.leaf_weights)[shared_leaf][leaf_of_other]
    share = np.divide(weights, total, out=np.full_like(total, 0.5), where=total > 0.0)
    return ObliviousTree(
        tuple(splits),
        one.leaf_values[leaf_of_one] + other.leaf_values[leaf_of_other],
        one.leaf_weights[leaf_of_one] * share,
    )
