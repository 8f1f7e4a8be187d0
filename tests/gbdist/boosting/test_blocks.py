"""Trees that choose among several blocks of features are the same however the blocks' tables are added up over the ranks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from gbdist.boosting import fixed_point, grow, histogram
from gbdist.boosting.collective import SingleRank
from gbdist.boosting.histogram import HistogramSource, LevelTable
from gbdist.boosting.loop import boost
from gbdist.categories import features

from ..conftest import make_table, on_ranks, params_of


@dataclass
class Heard:
    """How rank 0 got the tables: the blocks of each round that added up small ones, and those that were dealt."""

    rounds: list[list[str]] = field(default_factory=list)
    dealt: list[str] = field(default_factory=list)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    heard = Heard()
    add_up, tables = grow._Tables._added_up, HistogramSource.tables

    def hear_rounds(self: Any, waiting: Any, *rest: Any) -> Any:
        if waiting and self._collective.rank == 0:
            heard.rounds.append([block.name for block, _, _ in waiting])
        return add_up(self, waiting, *rest)

    def hear_dealt(self: Any, *rest: Any) -> Iterator[LevelTable]:
        for table in tables(self, *rest):
            if self._collective.rank == 0 and not table.complete:
                heard.dealt.append(self._name)
            yield table

    monkeypatch.setattr(grow._Tables, "_added_up", hear_rounds)
    monkeypatch.setattr(HistogramSource, "tables", hear_dealt)
    return heard


#: How many bytes are added up whole, and kept: nothing, some, or everything.
NOTHING, SOME, EVERYTHING = 0, 1, 2


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("kept", [NOTHING, SOME, EVERYTHING])
@pytest.mark.parametrize("whole", [NOTHING, SOME, EVERYTHING])
def test_ways_to_add_up_several_blocks_give_the_same_trees(
    whole: int, kept: int, wide: bool, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wide:
        monkeypatch.setattr(fixed_point, "PACKED_ROWS_LIMIT", 0)
    table = make_table(500, (3, 7, 40), n_binned=4)
    params = params_of(table.rules(one_hot=[0], max_complexity=3, model_size_reg=0.0), iterations=3, depth=5)
    alone = boost(table.rows, [], table.n_bins, params, SingleRank())
    assert (heard.rounds, heard.dealt) == ([], [])
    for module in (grow, histogram):
        monkeypatch.setattr(module, "ALL_REDUCE_BYTES", (0, 10_000 if wide else 5_000, 1 << 40)[whole])
    monkeypatch.setattr(features, "KEPT_BYTES", (0, 3_000, 1 << 28)[kept])
    monkeypatch.setattr(features, "CHUNK_BYTES", 0)
    for n_ranks in (2, 3):
        ranks = on_ranks(table.cut(n_ranks), lambda rows, each: boost(rows, [], table.n_bins, params, each))
        assert [result.trees for result in ranks] == [alone.trees] * n_ranks

    # What the parameters are to bring about: rounds of several blocks, dealt ones, and such as do not stay.
    assert bool(heard.rounds) == (whole != NOTHING)
    assert bool(heard.dealt) == (whole != EVERYTHING)
    if heard.rounds:
        assert ["columns", "statistics"] in heard.rounds
    for added_up in heard.rounds:
        assert "more combinations" not in added_up[:-1]  # valid until the next block alone
    if whole == SOME:
        assert "columns" in heard.dealt
        assert any(len(added_up) > 1 and "columns" not in added_up for added_up in heard.rounds)
    names = {name for added_up in (*heard.rounds, heard.dealt) for name in added_up}
    assert ("more combinations" in names) == (kept != EVERYTHING)
    assert ("combinations 1" in names) == (kept != NOTHING)
