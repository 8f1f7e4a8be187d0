"""Steps of all kinds, made by hypothesis."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gbdist.boosting.progress import Step
from gbdist.models.statistics import Projection, StatisticFeature
from gbdist.models.tree import Node, NonSymmetricTree, ObliviousTree, Tree, TreeSplit

NUMBERS = st.integers(0, 1 << 32)
SPLITS = st.builds(TreeSplit, NUMBERS, NUMBERS)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=2).map(tuple)
STATISTICS = st.builds(
    StatisticFeature,
    st.builds(Projection, st.lists(NUMBERS, min_size=1, max_size=3).map(tuple), PAIRS, PAIRS),
    st.sampled_from(["Borders", "Buckets", "Counter"]),
    st.integers(0, 9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(1, 255),
)
METRICS = st.dictionaries(
    st.text(max_size=5), st.dictionaries(st.text(max_size=5), st.floats(), max_size=3), max_size=3
)


def floats(*shape: int) -> st.SearchStrategy[Any]:
    return hnp.arrays(np.float64, shape, elements=st.floats())


@st.composite
def nodes(draw: st.DrawFn, n_leaves: int) -> tuple[Node, ...]:
    """A tree of so many leaves, in the order in which one meets its nodes."""
    found: list[Node | None] = []
    leaves = iter(range(n_leaves))

    def grow(n: int) -> int:
        if n == 1:
            return ~next(leaves)
        number = len(found)
        found.append(None)
        left = draw(st.integers(1, n - 1))
        found[number] = Node(draw(SPLITS), grow(left), grow(n - left))
        return number

    grow(n_leaves)
    return tuple(node for node in found if node is not None)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    dimension, tree = draw(st.integers(1, 3)), None
    if draw(st.booleans()):
        splits = tuple(draw(st.lists(SPLITS, max_size=3)))
        n_leaves = 1 << len(splits)
        tree = ObliviousTree(splits, draw(floats(n_leaves, dimension)), draw(floats(n_leaves)))
    else:
        n_leaves = draw(st.integers(1, 6))
        tree = NonSymmetricTree(draw(nodes(n_leaves)), draw(floats(n_leaves, dimension)), draw(floats(n_leaves)))
    return Step(
        tree=tree,
        metrics=draw(METRICS),
        chosen=tuple(draw(st.lists(SPLITS, max_size=4))),
        statistics=tuple(draw(st.lists(STATISTICS, max_size=2))),
        values=tuple(draw(st.lists(floats(n_leaves, dimension), max_size=2))),
        left_out=draw(st.integers(0, 5)),
    )


def plain_step(number: int = 0) -> Step:
    """A small step; no two numbers have the same."""
    tree: Tree = ObliviousTree((TreeSplit(1, number),), np.array([[0.5], [-0.5]]) + number, np.array([1.0, 2.0]))
    return Step(tree, {"learn": {"RMSE": float(number)}}, tree.splits)
