"""Which pipelines are tried for a model."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gbdist.compression.candidates import families_for
from gbdist.compression.passes import MergeTrees, PruneTables, ReduceDepth
from gbdist.models.tree import ObliviousTree


def names(ensemble: Any) -> set[str]:
    return {family.name for family in families_for(ensemble)}


def test_tables_are_pruned_where_trees_ask_for_some(
    make_categorical: Callable[..., Any], make_ensemble: Callable[..., Any]
) -> None:
    ensemble = make_categorical().ensemble
    assert names(ensemble) - names(make_ensemble([3] * 4)) == {"tables, depth"}
    (family,) = (family for family in families_for(ensemble) if family.name == "tables, depth")
    assert family.passes(25) == (PruneTables(share=0.1), ReduceDepth(share=0.25), MergeTrees())


def test_one_tree_is_neither_a_prefix_nor_re_weighted(make_ensemble: Callable[..., Any]) -> None:
    one = make_ensemble([3])
    assert isinstance(one.trees[0], ObliviousTree)
    assert names(make_ensemble([3, 3])) - names(one) == {"prefix", "reweight"}
    assert all(np.isfinite(family.step(0.5)) for family in families_for(one))
