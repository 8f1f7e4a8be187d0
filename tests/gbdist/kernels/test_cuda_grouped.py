"""CUDA kernels of the losses of ranking equal their NumPy twins, bit for bit."""

from typing import Any

import numpy as np
import pytest

from .conftest import Card, Scratch, equal
from .test_grouped import N_LEAVES, Groups

pytestmark = [
    pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning"),
    pytest.mark.usefixtures("quick_simulator"),
]


def carded(one: Any) -> Any:
    """Arrays as a kernel wants them, tuples of them included; the last of scratch are numbers of rows."""
    if isinstance(one, tuple) and any(isinstance(each, np.ndarray) for each in one):
        kind = Scratch if one[-1].dtype == np.int32 else Card
        return tuple(map(kind, one))
    return Card(one) if isinstance(one, np.ndarray) else one


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", list(Groups(0, False).calls()))
def test_losses_of_ranking(name: str, weighted: bool) -> None:
    groups = Groups(2, weighted)
    arguments = [carded(one) for one in groups.calls()[name]]
    if name.startswith("yeti"):
        arguments[5] = (Card(groups.first_rows), groups.keys)  # the keys come from the host
    equal(name.partition(" ")[0], *arguments, *map(Card, groups.results(name)))


@pytest.mark.parametrize("weighted", [False, True])
def test_sums_of_leaves(weighted: bool) -> None:
    rng = np.random.default_rng(1)
    first, second = (Card(one) for one in rng.normal(size=(2, 50)))
    weight = Card(rng.random(50 if weighted else 0).astype(np.float32))
    leaf_of_row, sums = Card(rng.integers(0, N_LEAVES, 50).astype(np.uint16)), np.ones((N_LEAVES, 4), np.int64)
    equal("add_row_leaf_sums", first, second, weight, leaf_of_row, 2.0 ** np.array([9, 40, 30, 29]), sums)
    equal("add_group_losses", first, 2.0**20, sums)
    equal("shift_predictions", first, leaf_of_row, Card(rng.normal(size=N_LEAVES)), Card(np.empty(50)))
