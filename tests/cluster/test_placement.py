"""Placement: every row once, in order, levelled, and no more moved than must be."""

import itertools
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist_cluster.placement import Piece, Placement, largest_rank, place

WORKERS = ("tcp://a:1", "tcp://b:1", "tcp://c:1", "tcp://d:1")


@st.composite
def layouts(draw: st.DrawFn) -> tuple[list[int], list[str | None], tuple[str, ...]]:
    """Partitions of 0 to 400 rows, on the workers, elsewhere, or nowhere."""
    workers = WORKERS[: draw(st.integers(1, 4))]
    places = st.sampled_from([None, "tcp://gone:1", *workers])
    parts = draw(st.lists(st.tuples(st.integers(0, 400) | st.just(0), places), max_size=12))
    return [rows for rows, _ in parts], [place for _, place in parts], workers


def owners(rows_per_partition: list[int], placement: Placement) -> list[int]:
    """Rank of every row, by global row number; fails when a row has no owner or two."""
    firsts = [0, *itertools.accumulate(rows_per_partition)]
    ranks: list[int | None] = [None] * firsts[-1]
    for piece in placement.pieces:
        assert piece.first_row == firsts[piece.partition] + piece.start
        assert 0 <= piece.start < piece.stop <= rows_per_partition[piece.partition]
        for row in range(piece.first_row, piece.first_row + piece.rows):
            assert ranks[row] is None
            ranks[row] = piece.rank
    assert None not in ranks
    return ranks  # type: ignore[return-value]


@settings(deadline=None)
@given(layouts(), st.sampled_from([1, 7, 1024]))
def test_every_row_has_one_owner_and_ranks_are_level(
    layout: tuple[list[int], list[str | None], tuple[str, ...]], min_rows: int
) -> None:
    rows, where, workers = layout
    placement = place(rows, where, workers, min_rows_per_rank=min_rows)
    ranks = owners(rows, placement)
    assert [piece.first_row for piece in placement.pieces] == sorted(piece.first_row for piece in placement.pieces)
    assert set(ranks) == set(range(len(placement.members)))  # nobody without rows
    wanted = min(len(workers), max(1, sum(rows) // min_rows)) if sum(rows) else 0
    assert len(placement.members) <= wanted
    assert [address for address in workers if address in placement.members] == list(placement.members)
    for rank in range(len(placement.members)):
        assert placement.rows_of(rank) == ranks.count(rank) <= largest_rank(sum(rows), wanted)


@settings(deadline=None)
@given(layouts())
def test_no_more_rows_move_than_lie_above_the_mean(
    layout: tuple[list[int], list[str | None], tuple[str, ...]],
) -> None:
    rows, where, workers = layout
    placement = place(rows, where, workers, min_rows_per_rank=1)
    ranks = owners(rows, placement)
    homes = [home for home, count in zip(where, rows, strict=True) for _ in range(count)]
    chosen = min(len(workers), sum(rows))
    moved = sum(home in workers and placement.members[rank] != home for home, rank in zip(homes, ranks, strict=True))
    mean = sum(rows) // max(chosen, 1)
    assert moved <= sum(max(0, homes.count(address) - mean) for address in workers)


@settings(deadline=None)
@given(st.lists(st.integers(900, 1000), min_size=1, max_size=8), st.data())
def test_nothing_moves_when_workers_are_level(rows: list[int], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(rows))))
    workers = [f"tcp://w{number}:1" for number in range(len(rows))]
    where = [workers[number] for number in order]
    placement = place(rows, where, workers, min_rows_per_rank=1)
    assert [placement.members[piece.rank] for piece in placement.pieces] == where
    assert len(placement.pieces) == len(rows)


def test_one_partition_is_cut_for_two_workers() -> None:
    assert place([5000], [None], WORKERS[:2]) == Placement(
        WORKERS[:2], (Piece(0, 0, 2500, 0, 0), Piece(0, 2500, 5000, 2500, 1))
    )


def test_the_holder_keeps_the_first_rows() -> None:
    placement = place([5000], ["tcp://b:1"], WORKERS[:2])
    assert placement.pieces == (Piece(0, 0, 2500, 0, 1), Piece(0, 2500, 5000, 2500, 0))


def test_cuts_move_to_an_edge_that_is_near() -> None:
    # 13 equal partitions over 3 workers: the even cuts, after 4.33 and 8.67 partitions, are a third of one off (7.7 %).
    # With 40 they are a third of a fortieth off, and no partition is cut.
    placement = place([100] * 40, [None] * 40, WORKERS[:3])
    assert [piece.rows for piece in placement.pieces] == [100] * 40
    assert [placement.rows_of(rank) for rank in range(3)] == [1300, 1400, 1300]


def test_empty_partitions_get_no_piece() -> None:
    placement = place([0, 4000, 0, 4000, 0], [None, "tcp://a:1", None, "tcp://b:1", None], WORKERS[:2])
    assert placement.pieces == (Piece(1, 0, 4000, 0, 0), Piece(3, 0, 4000, 4000, 1))


def test_no_rows_give_no_ranks() -> None:
    assert place([0, 0], [None, None], WORKERS) == Placement((), ())


def test_tiny_data_get_one_rank_where_most_of_them_lie() -> None:
    placement = place([200, 300], ["tcp://a:1", "tcp://c:1"], WORKERS)
    assert placement.members == ("tcp://c:1",)
    assert placement.pieces == (Piece(0, 0, 200, 0, 0), Piece(1, 0, 300, 200, 0))


def test_never_more_ranks_than_rows() -> None:
    placement = place([2], [None], WORKERS, min_rows_per_rank=1)
    assert [piece.rows for piece in placement.pieces] == [1, 1]


def test_input_that_does_not_match_is_refused() -> None:
    with pytest.raises(ValueError, match="2 partitions but 1 places"):
        place([1, 2], [None], WORKERS)
    with pytest.raises(ValueError, match="3 rows but no workers"):
        place([3], [None], [])


Layout = tuple[list[int], list[str | None], tuple[str, ...]]
SPEEDS = st.lists(st.floats(0.01, 100.0), min_size=len(WORKERS), max_size=len(WORKERS)).map(
    lambda drawn: dict(zip(WORKERS, drawn, strict=True))
)


def targets(rows: int, members: tuple[str, ...], speeds: dict[str, float]) -> list[float]:
    """Rows of each rank in proportion to its speed."""
    return [rows * speeds[address] / sum(speeds[member] for member in members) for address in members]


@settings(deadline=None)
@given(layouts(), SPEEDS, st.sampled_from([1, 7, 1024]))
def test_ranks_get_rows_by_their_speed(layout: Layout, speeds: dict[str, float], min_rows: int) -> None:
    rows, where, workers = layout
    placement = place(rows, where, workers, min_rows_per_rank=min_rows, speeds=speeds)
    ranks = owners(rows, placement)
    assert set(ranks) == set(range(len(placement.members)))
    for rank, target in enumerate(targets(sum(rows), placement.members, speeds)):
        # Speeds are rounded, but for a row at most where there are so few.
        assert placement.rows_of(rank) <= ceil(target) + target / 10 + 1
        assert len(placement.members) == 1 or target >= min_rows - 1


@settings(deadline=None)
@given(layouts(), SPEEDS)
def test_no_more_rows_move_than_lie_above_the_targets(layout: Layout, speeds: dict[str, float]) -> None:
    rows, where, workers = layout
    placement = place(rows, where, workers, min_rows_per_rank=1, speeds=speeds)
    homes = [home for home, count in zip(where, rows, strict=True) for _ in range(count)]
    ranks = owners(rows, placement)
    if len(placement.members) < len(workers):
        return  # the rows of who is no rank all move
    moved = sum(home in workers and placement.members[rank] != home for home, rank in zip(homes, ranks, strict=True))
    above = [homes.count(a) - t for a, t in zip(workers, targets(sum(rows), workers, speeds), strict=True)]
    assert moved <= sum(max(0.0, rows_above) + 1 for rows_above in above)


@settings(deadline=None)
@given(layouts(), st.floats(1e-6, 1e6), st.sampled_from([1, 7, 1024]))
def test_equal_speeds_change_nothing(layout: Layout, speed: float, min_rows: int) -> None:
    rows, where, workers = layout
    with_speeds = place(rows, where, workers, min_rows_per_rank=min_rows, speeds=dict.fromkeys(workers, speed))
    assert with_speeds == place(rows, where, workers, min_rows_per_rank=min_rows)


@settings(deadline=None)
@given(layouts(), SPEEDS)
def test_what_was_placed_by_speed_stays(layout: Layout, speeds: dict[str, float]) -> None:
    rows, where, workers = layout
    placement = place(rows, where, workers, min_rows_per_rank=1, speeds=speeds)
    pieces, members = placement.pieces, placement.members
    again = place(
        [piece.rows for piece in pieces],
        [members[piece.rank] for piece in pieces],
        members,
        min_rows_per_rank=1,
        speeds=speeds,
    )
    moved = [members[one.rank] for one in pieces] != [again.members[one.rank] for one in again.pieces]
    assert not moved or len(members) < len(workers)  # with fewer ranks targets are others


def test_a_slow_worker_gets_fewer_rows() -> None:
    speeds = {"tcp://a:1": 3.0, "tcp://b:1": 1.0}
    placement = place([2000, 2000], ["tcp://a:1", "tcp://b:1"], WORKERS[:2], min_rows_per_rank=1, speeds=speeds)
    assert placement.pieces == (Piece(0, 0, 2000, 0, 0), Piece(1, 0, 1000, 2000, 1), Piece(1, 1000, 2000, 3000, 0))


def test_a_worker_a_tenth_above_its_target_keeps_all() -> None:
    speeds = {"tcp://a:1": 3.0, "tcp://b:1": 1.0}
    placement = place([2910, 1090], ["tcp://a:1", "tcp://b:1"], WORKERS[:2], min_rows_per_rank=1, speeds=speeds)
    assert [piece.rows for piece in placement.pieces] == [2910, 1090]


def test_a_worker_too_slow_to_be_worth_a_rank_is_none() -> None:
    # Its tenth of 10,000 rows would be fewer than 1,024: so another one, that holds nothing, takes its place.
    speeds = {"tcp://a:1": 1.0, "tcp://b:1": 0.1, "tcp://c:1": 1.0}
    assert place([10_000], ["tcp://b:1"], WORKERS[:3], speeds=speeds).members == ("tcp://a:1", "tcp://c:1")


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan"), None])
def test_speeds_that_are_none_are_refused(speed: float | None) -> None:
    speeds = {"tcp://a:1": 1.0} if speed is None else {"tcp://a:1": 1.0, "tcp://b:1": speed}
    with pytest.raises(ValueError, match=f"^worker tcp://b:1 has the speed {speed}$"):
        place([3], [None], WORKERS[:2], speeds=speeds)


@settings(deadline=None)
@given(layouts(), st.data())
def test_rows_between_two_cuts_have_one_owner(
    layout: tuple[list[int], list[str | None], tuple[str, ...]], data: st.DataObject
) -> None:
    rows, where, workers = layout
    cuts = [
        sorted(data.draw(st.sets(st.integers(0, max(0, count - 1)), max_size=5))) if count else [] for count in rows
    ]
    placement = place(rows, where, workers, min_rows_per_rank=1, cuts=cuts)
    ranks = owners(rows, placement)
    assert set(ranks) == set(range(len(placement.members)))
    firsts = [0, *itertools.accumulate(rows)]
    allowed = {first + row for first, of_part in zip(firsts, cuts, strict=False) for row in of_part}
    changes = {row for row, (before, after) in enumerate(itertools.pairwise(ranks), start=1) if before != after}
    assert changes <= allowed


def test_cuts_near_the_mean_keep_ranks_level() -> None:
    # Groups of 7 rows straddle the edges of partitions of 100.
    cuts = [[row for row in range(100) if (first + row) % 7 == 0] for first in range(0, 1000, 100)]
    placement = place([100] * 10, [None] * 10, WORKERS, min_rows_per_rank=1, cuts=cuts)
    assert len(placement.members) == 4
    assert max(placement.rows_of(rank) for rank in range(4)) <= 250 + 7
    assert all(piece.first_row % 7 == 0 for piece in placement.pieces if piece.start)


def test_one_group_is_one_rank() -> None:
    placement = place([100] * 3, WORKERS[:3], WORKERS, min_rows_per_rank=1, cuts=[[0], [], []])
    assert len(placement.members) == 1
    assert placement.rows_of(0) == 300
