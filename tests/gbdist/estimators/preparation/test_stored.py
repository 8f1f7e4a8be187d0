"""Shards as the client sees them can be cut, and made again in the cheapest way that is left; without a cluster."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.stored import Stored, futures_of
from gbdist.estimators.preparation.tasks import cut_rows


@dataclass(eq=False)
class Future:
    """Stands for one of Dask's."""

    what: str
    status: str = "finished"

    @property
    def key(self) -> str:
        return self.what

    @property
    def client(self) -> Any:
        """Whose futures are those that are not released."""
        return SimpleNamespace(futures=() if self.status == "released" else (self.key,))

    def release(self) -> None:
        self.status = "released"


@dataclass
class Cluster:
    """Notes what it is asked to do."""

    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def submit(self, function: Any, whole: Future, start: int, stop: int, **how: Any) -> Future:
        assert function is cut_rows
        where = {name: how[name] for name in ("workers", "allow_other_workers")}
        self.asked.append((f"rows {start} to {stop} of {whole.what}", where))
        return Future(f"({whole.what})[{start}:{stop}]")


def stored(n_rows: int = 10, **more: Any) -> Stored:
    """Rows that can be made again; the second time they are called that."""
    made = iter(["second", "third"])

    def again(client: Any, address: str, scope: FutureScope) -> Any:
        client.asked.append((f"all again on {address}", {}))
        return Future(next(made))

    given = {"future": Future("first"), "spans": ((5, 5 + n_rows),), "parts": (2, 3), "again": again, **more}
    return Stored(**given)


@pytest.mark.parametrize(
    ("status", "lost"),
    [
        ("finished", False),
        ("pending", False),
        ("error", False),
        ("cancelled", True),
        ("lost", True),
        ("released", True),
    ],
)
def test_what_is_lost(status: str, lost: bool) -> None:
    assert stored(future=Future("first", status)).lost == lost


def test_rows_are_cut_where_they_are_to_be() -> None:
    cluster = Cluster()
    with FutureScope() as scope:
        part = stored(cuts=(0, 4, 8)).cut(cluster, 3, 8, "a", scope)
        assert cluster.asked == [("rows 3 to 8 of first", {"workers": ["a"], "allow_other_workers": True})]
        assert scope.held == [part.future]
    assert (part.n_rows, part.first_row, part.spans, part.parts) == (5, 8, ((8, 13),), (2, 3))
    assert part.cuts == (1,)  # row 4 of the whole; row 8 is no row of the part
    assert stored().cut(cluster, 3, 8, "a", scope).cuts is None


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_global_numbers_of_cut_rows(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=4))
    spans, end = [], 0
    for rows, gap in sizes:
        spans.append((end + gap, end + gap + rows))
        end += gap + rows
    numbers = [row for first, last in spans for row in range(first, last)]
    whole = stored(spans=tuple(spans))
    assert (whole.n_rows, whole.first_row) == (len(numbers), numbers[0])
    for _ in range(2):  # and once more, of what was cut
        start = data.draw(st.integers(0, len(numbers) - 1))
        stop = data.draw(st.integers(start + 1, len(numbers)))
        whole, numbers = whole.cut(Cluster(), start, stop, "a", FutureScope()), numbers[start:stop]
        assert [row for first, last in whole.spans for row in range(first, last)] == numbers
        assert (whole.n_rows, whole.first_row) == (len(numbers), numbers[0])


def test_what_is_made_again_are_the_same_rows() -> None:
    cluster, whole = Cluster(), stored(cuts=(0, 5))
    again = whole.made_again(cluster, "b", FutureScope())
    assert again.future.what == "second"
    assert (again.spans, again.parts, again.cuts) == (whole.spans, whole.parts, whole.cuts)
    assert again.made_again(cluster, "c", FutureScope()).future.what == "third"
    assert [what for what, _ in cluster.asked] == ["all again on b", "all again on c"]


def test_what_dask_always_makes_again_is_left_to_it() -> None:
    cluster, whole = Cluster(), stored(again=None)
    assert whole.made_again(cluster, "b", FutureScope()) is whole
    assert cluster.asked == []


@pytest.mark.parametrize(
    ("whole_lost", "asked"),
    [
        (False, ["rows 2 to 6 of first"]),
        (True, ["all again on b", "rows 2 to 6 of second"]),
    ],
)
def test_a_cut_is_made_again_of_the_whole_which_is_if_it_has_to_be(whole_lost: bool, asked: list[str]) -> None:
    cluster, whole = Cluster(), stored()
    part = whole.cut(cluster, 2, 6, "a", FutureScope())
    cluster.asked.clear()
    if whole_lost:
        whole.future.status = "lost"  # type: ignore[misc]
    again = part.made_again(cluster, "b", FutureScope())
    assert [what for what, _ in cluster.asked] == asked
    assert again.spans == part.spans


def test_a_cut_is_made_again_of_a_whole_that_was_let_go() -> None:
    cluster, whole = Cluster(), stored()
    part = whole.cut(cluster, 2, 6, "a", FutureScope())
    whole.future.release()
    assert part.made_again(cluster, "b", FutureScope()).future.what == "(second)[2:6]"


def test_a_cut_of_a_cut_is_made_again() -> None:
    cluster, whole = Cluster(), stored()
    part = whole.cut(cluster, 2, 8, "a", FutureScope())
    small = part.cut(cluster, 1, 3, "a", FutureScope())
    cluster.asked.clear()
    part.future.status = whole.future.status = "cancelled"  # type: ignore[misc]
    again = small.made_again(cluster, "b", FutureScope())
    assert again.future.what == "((second)[2:8])[1:3]"
    assert again.spans == ((8, 10),)


def test_futures_are_listed_rank_by_rank() -> None:
    one, two, three = (stored(future=Future(what)) for what in ("one", "two", "three"))
    assert [future.what for future in futures_of([(two, one), (), (three,)])] == ["two", "one", "three"]
