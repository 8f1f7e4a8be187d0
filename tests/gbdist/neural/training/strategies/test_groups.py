"""Ranks in groups: who shares a network with whom, before a run and after its gang has changed."""

import pytest

from gbdist.errors import ParameterError
from gbdist.neural.network.network import Network
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.params import StrategyParams
from gbdist.neural.training.strategies.groups import Groups, check_model_ranks, grouped, most_parts

FOUR_LAYERS = NetworkSpec(3, (64, 70, 8), 2, "log_loss")


def test_groups_are_neighbours_and_peers_hold_the_same_part() -> None:
    groups = Groups(6, 2)
    assert [groups.part(rank) for rank in range(6)] == [0, 1, 0, 1, 0, 1]
    assert [groups.members(rank) for rank in range(6)] == [[0, 1], [0, 1], [2, 3], [2, 3], [4, 5], [4, 5]]
    assert [groups.peers(rank) for rank in range(6)] == [[0, 2, 4], [1, 3, 5]] * 3


@pytest.mark.parametrize(
    ("size", "model_ranks", "most", "parts"),
    [
        (1, 0, 3, 1),
        (2, 0, 3, 2),
        (4, 0, 4, 4),
        (4, 0, 3, 2),  # three parts, but groups of three do not cover four ranks
        (6, 0, 3, 3),
        (4, 2, 3, 2),
        (3, 2, 3, 1),  # one of four ranks was lost: each trains the whole network
        (5, 0, 4, 1),
        (4, 4, 2, 2),
        (2, 4, 4, 2),
    ],
)
def test_a_gang_is_cut_into_the_largest_groups_that_fit(size: int, model_ranks: int, most: int, parts: int) -> None:
    assert grouped(size, model_ranks, most) == Groups(size, parts)


@pytest.mark.parametrize(
    "spec",
    [
        NetworkSpec(3, (), 1, "squared_error"),
        FOUR_LAYERS,
        NetworkSpec(3, (8,), 1, "squared_error", categories=(4,), category_sizes=(2,)),
        NetworkSpec(
            2, (8,), 1, "squared_error", numeric_embedding="piecewise", embedding_size=2, edges=((0, 1), (0, 1))
        ),
    ],
)
def test_a_pipeline_has_as_many_stages_as_there_are_blocks(spec: NetworkSpec) -> None:
    assert most_parts("pipeline", spec) == len(Network(spec).blocks)


def test_parts_of_other_strategies() -> None:
    assert most_parts("tensor", FOUR_LAYERS) == 4
    assert most_parts("tensor", NetworkSpec(3, (20,), 2, "log_loss")) == 1
    assert most_parts("sync", FOUR_LAYERS) == 1


def test_model_ranks_that_fit_are_let_through() -> None:
    for kind, size, model_ranks in [
        ("pipeline", 1, 0),
        ("pipeline", 5, 0),
        ("tensor", 4, 2),
        ("tensor", 4, 4),
        ("sync", 3, 2),
    ]:
        check_model_ranks(StrategyParams(kind, model_ranks=model_ranks), FOUR_LAYERS, size)


def test_workers_that_are_no_multiple_are_refused() -> None:
    with pytest.raises(ParameterError) as caught:
        check_model_ranks(StrategyParams("pipeline", model_ranks=2), FOUR_LAYERS, 5)
    assert str(caught.value) == (
        "model_ranks=2 cannot be used: expected a divisor of the number of workers, 5: each group of workers holds one network. "
        "Lower it, train on another number of workers, or leave it at 0: then the largest groups are made that fit"
    )


def test_more_ranks_than_parts_are_refused() -> None:
    with pytest.raises(ParameterError) as caught:
        check_model_ranks(StrategyParams("tensor", model_ranks=8), FOUR_LAYERS, 8)
    assert str(caught.value) == (
        "model_ranks=8 cannot be used: expected at most 4, as many parts as strategy='tensor' can cut this network into. "
        "Lower it, or leave it at 0: then the largest groups are made that fit"
    )
