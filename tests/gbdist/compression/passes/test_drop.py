"""Which trees go, the same on any ranks, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.compression.passes import drop
from gbdist.compression.passes.drop import Drop
from gbdist.compression.passes.outputs import loss_of, raw_predictions
from gbdist.errors import DataError, ModelError, ParameterError
from gbdist.models.ensemble import Ensemble

from ..conftest import data_of, on_ranks, placements, rows_of
from .losses import ensemble_of, labelled

Make = Callable[..., Ensemble]


def with_small_trees(make: Make, n_classes: int = 1, small: tuple[int, ...] = (2, 5, 7)) -> Ensemble:
    """Twelve trees, some of which say next to nothing."""
    ensemble = ensemble_of(make, n_classes)
    trees = [
        replace(tree, leaf_values=tree.leaf_values * (1e-3 if number in small else 1.0))
        for number, tree in enumerate(ensemble.trees)
    ]
    return replace(ensemble, trees=tuple(trees))


def prefix_losses(ensemble: Ensemble, data: Any) -> list[float]:
    return [
        loss_of(raw_predictions(replace(ensemble, trees=ensemble.trees[:n]), data), data)
        for n in range(1, len(ensemble.trees) + 1)
    ]


@pytest.mark.parametrize("how", ["prefix", "backward"])
def test_so_many_trees_are_left(make_ensemble: Make, raw_features: np.ndarray, how: Any) -> None:
    ensemble = ensemble_of(make_ensemble, 2)
    data = data_of(ensemble, labelled(ensemble, raw_features, 2))
    assert len(Drop(how, trees=5).apply(ensemble, data).trees) == 5
    assert len(Drop(how, share=0.5).apply(ensemble, data).trees) == 6
    assert Drop(how, trees=12).apply(ensemble, data).trees == ensemble.trees


def test_a_prefix_needs_no_rows(make_ensemble: Make) -> None:
    ensemble = ensemble_of(make_ensemble, 2)
    some = Drop("prefix", trees=5)
    assert not some.needs_rows
    assert some.apply(ensemble, None).trees == ensemble.trees[:5]
    assert all(one.needs_rows for one in (Drop("prefix", loss=0.1), Drop("backward", trees=5), Drop()))


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_the_best_prefix_is_that_of_the_lowest_loss(
    make_ensemble: Make, raw_features: np.ndarray, n_classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble = ensemble_of(make_ensemble, n_classes)
    truth = replace(ensemble, trees=ensemble.trees[:7])
    data = data_of(ensemble, labelled(ensemble, raw_features, n_classes))
    raw = raw_predictions(truth, data)
    label = raw[0] if n_classes == 1 else (raw[0] > 0) if n_classes == 2 else raw.argmax(axis=0)
    data = data_of(ensemble, rows_of(ensemble, raw_features, label.astype(np.float32)))
    monkeypatch.setattr(drop, "_WAITING", 900 * 3 * 5)  # the losses of twelve trees are asked for in several rounds
    expected = 1 + int(np.argmin(prefix_losses(ensemble, data)))
    assert 1 < expected < 12
    assert Drop().apply(ensemble, data).trees == ensemble.trees[:expected]


def test_the_shortest_prefix_within_a_loss(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = with_small_trees(make_ensemble, small=(8, 9, 10, 11))
    data = data_of(ensemble, labelled(ensemble, raw_features, 1))
    losses = prefix_losses(ensemble, data)
    found = len(Drop("prefix", loss=0.01).apply(ensemble, data).trees)
    assert found < 12
    assert losses[found - 1] <= 1.01 * losses[-1]
    assert min(losses[: found - 1]) > 1.01 * losses[-1]


def test_trees_that_say_nothing_go_first(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = with_small_trees(make_ensemble)
    data = data_of(ensemble, labelled(ensemble, raw_features, 1))
    small = Drop("backward", trees=9).apply(ensemble, data)
    assert small.trees == tuple(tree for number, tree in enumerate(ensemble.trees) if number not in (2, 5, 7))


def test_constants_make_up_for_the_mean_of_what_is_gone(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = with_small_trees(make_ensemble)
    moved = replace(ensemble.trees[5], leaf_values=ensemble.trees[5].leaf_values + 40.0)
    ensemble = replace(ensemble, trees=(*ensemble.trees[:5], moved, *ensemble.trees[6:]))
    data = data_of(ensemble, labelled(ensemble, raw_features, 1))
    small = Drop("backward", trees=9).apply(ensemble, data)
    assert small.bias[0] == pytest.approx(ensemble.bias[0] + 40.0, abs=0.01)
    assert raw_predictions(small, data) == pytest.approx(raw_predictions(ensemble, data), abs=0.01)


def test_as_few_trees_as_the_loss_allows(make_ensemble: Make, raw_features: np.ndarray) -> None:
    ensemble = with_small_trees(make_ensemble)
    data = data_of(ensemble, labelled(ensemble, raw_features, 1))
    near = raw_predictions(ensemble, data)[0] + np.random.default_rng(5).normal(size=900)
    data = data_of(ensemble, replace(data.rows, label=near.astype(np.float32)))
    loss = loss_of(raw_predictions(ensemble, data), data)
    small = Drop("backward", loss=0.01).apply(ensemble, data)
    fewer = Drop("backward", trees=len(small.trees) - 1).apply(ensemble, data)
    assert len(small.trees) <= 9
    assert loss_of(raw_predictions(small, data), data) <= 1.01 * loss
    assert loss_of(raw_predictions(fewer, data), data) > 1.01 * loss


@pytest.mark.parametrize(
    "chosen", [Drop(), Drop("prefix", loss=0.05), Drop("backward", trees=5), Drop("backward", loss=0.05)]
)
@pytest.mark.parametrize("n_classes", [1, 3])
def test_ranks_do_not_change_a_bit(make_ensemble: Make, raw_features: np.ndarray, n_classes: int, chosen: Drop) -> None:
    ensemble = with_small_trees(make_ensemble, n_classes)
    rows = labelled(ensemble, raw_features, n_classes)

    def dropped(data: Any) -> tuple[Any, ...]:
        small = chosen.apply(ensemble, data)
        return tuple(ensemble.trees.index(tree) for tree in small.trees), small.bias.tobytes()

    seen = {one for placement in placements(900) for one in on_ranks(ensemble, rows, placement, dropped)}
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"how": "last"},
            "how='last' cannot be used: expected 'best', 'prefix' or 'backward'. Leave it out for 'best'.",
        ),
        (
            {"trees": 3},
            "trees=3 cannot be used: expected nothing beside how='best'. Leave it out, or set how='prefix'.",
        ),
        ({"how": "prefix"}, "trees=None cannot be used: expected either trees or share, and share=None. "),
        (
            {"how": "prefix", "share": 0.5, "loss": 0.1},
            "share=0.5 cannot be used: expected nothing beside loss=0.1. Leave one out.",
        ),
        (
            {"how": "backward", "loss": -0.1},
            "loss=-0.1 cannot be used: expected at least 0. Say by what share the loss may grow: 0.002.",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as error:
        Drop(**given)
    assert str(error.value).startswith(message)


def test_where_it_does_not_apply_it_says_so(make_ensemble: Make) -> None:
    ensemble = ensemble_of(make_ensemble, 1)
    with pytest.raises(ModelError, match=r"^trees=13 cannot be kept of a model of 12\. "):
        Drop("prefix", trees=13).apply(ensemble, None)
    with pytest.raises(ModelError, match=r"^drop needs a model of at least 2 trees, and this one has 1\. "):
        Drop("prefix", trees=1).apply(replace(ensemble, trees=ensemble.trees[:1]), None)
    with pytest.raises(DataError, match=r"^pass 'drop': found no rows"):
        Drop().apply(ensemble, None)
