"""Stages by cost, and the order in which they take pieces: nobody waits for ever, nobody keeps more than it must."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdist.neural.training.strategies.stages import Turn, cut_by_cost, cut_rows, turns_of

COSTS = st.lists(st.integers(0, 50), min_size=1, max_size=8)


@given(COSTS, st.data())
def test_no_other_cut_has_a_cheaper_worst_stage(costs: list[int], data: st.DataObject) -> None:
    stages = data.draw(st.integers(1, len(costs)))
    cut = cut_by_cost(costs, stages)
    assert [block for stage in cut for block in stage] == list(range(len(costs)))
    assert len(cut) == stages
    assert all(len(stage) > 0 for stage in cut)
    every = [[0, *inner, len(costs)] for inner in combinations(range(1, len(costs)), stages - 1)]
    worst = [max(sum(costs[start:stop]) for start, stop in pairwise(bounds)) for bounds in every]
    assert max(sum(costs[block] for block in stage) for stage in cut) == min(worst)


def test_the_cut_of_a_usual_network() -> None:
    assert cut_by_cost([28 * 256, 256 * 128, 128], 2) == [range(1), range(1, 3)]
    assert cut_by_cost([1, 1, 1, 1], 2) == [range(2), range(2, 4)]
    assert cut_by_cost([5], 1) == [range(1)]


@pytest.mark.parametrize("stages", [0, 3])
def test_stages_that_would_be_empty_are_refused(stages: int) -> None:
    with pytest.raises(ValueError, match=f"2 blocks cannot be cut into {stages} stages"):
        cut_by_cost([1, 1], stages)


def played(stages: int, pieces: int) -> int:
    """Play all stages, each doing its next turn in one tick as soon as the messages for it are there; ticks until all is done."""
    left = [turns_of(stage, stages, pieces) for stage in range(stages)]
    down = [pieces, *([0] * (stages - 1))]  # outputs that wait for each stage
    up = [0] * (stages - 1) + [pieces]  # changes that wait for each stage; the last one makes its own
    kept = [0] * stages
    ticks = 0
    while any(left):
        ready = [bool(turns) and (down if turns[0].forward else up)[stage] > 0 for stage, turns in enumerate(left)]
        assert any(ready), "all stages wait for one another"
        for stage in (stage for stage in range(stages) if ready[stage]):
            turn = left[stage].pop(0)
            waiting, to, step = (down, stage + 1, 1) if turn.forward else (up, stage - 1, -1)
            waiting[stage] -= 1
            kept[stage] += step
            assert kept[stage] <= min(stages - stage, pieces)
            if 0 <= to < stages:
                waiting[to] += 1
        ticks += 1
    return ticks


@given(st.integers(1, 9), st.integers(1, 20))
def test_every_stage_gets_through_in_the_least_time(stages: int, pieces: int) -> None:
    # What a stage makes in a tick is taken in the next one, so the first piece needs as many ticks as there are stages each way.
    assert played(stages, pieces) == 2 * (pieces + stages - 1)


@given(st.integers(1, 9), st.integers(1, 20), st.data())
def test_pieces_go_once_each_way_in_order(stages: int, pieces: int, data: st.DataObject) -> None:
    turns = turns_of(data.draw(st.integers(0, stages - 1)), stages, pieces)
    assert len(turns) == 2 * pieces
    for forward in (True, False):
        assert [turn.piece for turn in turns if turn.forward == forward] == list(range(pieces))
    assert all(turns.index(Turn(piece, True)) < turns.index(Turn(piece, False)) for piece in range(pieces))


@given(st.integers(1, 50), st.integers(1, 9))
def test_pieces_cover_the_rows_and_none_is_empty(rows: int, pieces: int) -> None:
    cut = cut_rows(rows, pieces)
    assert [row for piece in cut for row in range(rows)[piece]] == list(range(rows))
    sizes = {piece.stop - piece.start for piece in cut}
    assert len(cut) == min(rows, pieces)
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


def test_no_rows_are_no_pieces() -> None:
    assert cut_rows(0, 4) == []
