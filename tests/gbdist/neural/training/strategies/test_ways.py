"""How dense layers are split: each one's input lies as the layer before has left it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdist.neural.training.strategies.ways import FEWEST_UNITS, Way, most_ranks, units_of, ways_of

WHOLE, UNITS, GATHERED, INPUTS = Way.WHOLE, Way.UNITS, Way.GATHERED, Way.INPUTS


@pytest.mark.parametrize(
    ("hidden", "residual", "ways"),
    [
        ((), False, [WHOLE]),
        ((64,), False, [UNITS, INPUTS]),
        ((31,), False, [WHOLE, WHOLE]),  # 15 units for one of two ranks
        ((256, 128), False, [UNITS, INPUTS, WHOLE]),
        ((256, 256), False, [UNITS, INPUTS, WHOLE]),
        ((256, 256), True, [UNITS, GATHERED, INPUTS]),
        ((256, 256, 256), True, [UNITS, GATHERED, GATHERED, INPUTS]),
        ((256, 256, 128, 128), True, [UNITS, GATHERED, INPUTS, UNITS, INPUTS]),
        ((256, 8, 64), False, [UNITS, INPUTS, UNITS, INPUTS]),
        ((8, 8, 64), True, [WHOLE, WHOLE, UNITS, INPUTS]),
    ],
)
def test_the_ways_of_layers_on_two_ranks(hidden: tuple[int, ...], residual: bool, ways: list[Way]) -> None:
    assert ways_of(hidden, 2, residual=residual) == ways


@given(st.lists(st.sampled_from([4, 16, 32, 64, 100]), max_size=6), st.integers(1, 4), st.booleans())
def test_every_layer_finds_its_input_as_it_needs_it(hidden: list[int], ranks: int, residual: bool) -> None:
    in_columns = False
    for number, way in enumerate(ways_of(hidden, ranks, residual=residual)):
        assert in_columns == (way in (GATHERED, INPUTS))
        in_columns = way in (UNITS, GATHERED)
        if in_columns:
            assert hidden[number] >= FEWEST_UNITS * ranks
        if residual and 0 < number < len(hidden) and hidden[number] == hidden[number - 1]:
            assert way is not INPUTS  # the output of the layer before would have to be whole
    assert not in_columns


@pytest.mark.parametrize(("hidden", "most"), [((), 1), ((15,), 1), ((31,), 1), ((32,), 2), ((20, 130), 8)])
def test_over_how_many_ranks_a_network_can_be_split(hidden: tuple[int, ...], most: int) -> None:
    assert most_ranks(hidden) == most
    assert UNITS not in ways_of(hidden, most + 1, residual=False)


@given(st.integers(1, 100), st.integers(1, 9))
def test_units_are_shared_out(units: int, ranks: int) -> None:
    cut = [range(units)[units_of(units, rank, ranks)] for rank in range(ranks)]
    assert [unit for mine in cut for unit in mine] == list(range(units))
    assert all(mine.start % 4 == 0 for mine in cut if mine)
    if units >= FEWEST_UNITS * ranks:
        assert min(len(mine) for mine in cut) >= FEWEST_UNITS - 4
