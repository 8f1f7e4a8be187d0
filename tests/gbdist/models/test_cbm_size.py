from dataclasses import replace

import numpy as np
import pytest

from gbdist.errors import ModelError
from gbdist.models.catboost_format import cbm_bytes, to_catboost
from gbdist.models.cbm_size import size_of, size_of_cbm
from gbdist.models.tree import Node, NonSymmetricTree, TreeSplit

#: Flatbuffers begin vectors at places that their elements can be read from.
PADDING = 64


def test_leaves_borders_and_tables_are_counted(make_categorical) -> None:
    ensemble = make_categorical(class_names=("a", "b", "c"), n_classes=3, dimension=3).ensemble
    model = to_catboost(ensemble)
    size = size_of(model)
    n_leaves = sum(tree.n_leaves for tree in ensemble.trees)
    assert size.total == len(cbm_bytes(model))
    assert size.leaf_values == n_leaves * 3 * 8
    assert size.leaf_weights == n_leaves * 8
    in_use = {s for tree in ensemble.trees for s in tree.splits if s.feature not in _one_hot(ensemble)}
    inside = {
        TreeSplit(f, border)
        for tree in ensemble.trees
        for s in tree.splits
        if s.feature >= len(ensemble.borders) + 2
        for f, border in ensemble.features[s.feature].projection.float_splits
    }
    assert size.borders == 4 * len(in_use | inside)
    assert size.tables > sum(table.keys.nbytes for table in _tables_in_use(ensemble))


def _one_hot(ensemble) -> range:
    return range(len(ensemble.borders), len(ensemble.borders) + len(ensemble.categories.one_hot))


def _tables_in_use(ensemble) -> list:
    used = {ensemble.features[s.feature] for tree in ensemble.trees for s in tree.splits}
    wanted = {(f.projection, f.kind == "Counter") for f in used if hasattr(f, "projection")}
    return [table for table in ensemble.categories.tables if (table.projection, table.counter) in wanted]


def test_more_trees_of_the_same_splits_leave_the_rest_as_it_is(make_ensemble) -> None:
    few = make_ensemble([3, 5, 2] * 4)
    many = replace(few, trees=few.trees * 3)
    sizes = [size_of(to_catboost(ensemble)) for ensemble in (few, many)]
    assert sizes[1].trees == 3 * sizes[0].trees
    assert sizes[1].borders == sizes[0].borders
    assert sizes[0].tables == sizes[1].tables == 0
    assert abs(sizes[1].rest - sizes[0].rest) < PADDING


def test_nodes_of_other_trees_are_counted(make_ensemble) -> None:
    ensemble = make_ensemble([1])
    nodes = tuple(Node(TreeSplit(3, k), k + 1 if k < 3 else ~0, ~(4 - k)) for k in range(4))
    tree = NonSymmetricTree(nodes, np.arange(5.0)[:, None], np.ones(5))
    sizes = [size_of(to_catboost(replace(ensemble, trees=(tree,) * n))) for n in (10, 30)]
    # Nine nodes, leaves included: a split, a packed split, two steps of 16 bits and a leaf; sizes and starts of trees.
    assert [size.trees for size in sizes] == [10 * (9 * 16 + 8), 30 * (9 * 16 + 8)]
    assert abs(sizes[1].rest - sizes[0].rest) < PADDING


def test_other_bytes_are_no_model() -> None:
    with pytest.raises(ModelError) as caught:
        size_of_cbm(b"PK\x03\x04 and more")
    assert str(caught.value) == (
        "these 13 bytes are no .cbm: they begin with b'PK\\x03\\x04', not with b'CBM1'. "
        'Pass a file that CatBoost saved with format="cbm".'
    )
