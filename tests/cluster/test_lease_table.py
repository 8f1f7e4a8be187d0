"""The rules of leases, as tables of what happened and how everybody stands after it."""

import pytest

from gbdist_cluster.lease_table import Gone, Granted, Lease, LeaseTable, Waiting


def lease(name: str, workers: str, client: str = "") -> Lease:
    """A lease on workers of one letter; the client is the lease's own unless given."""
    return Lease(name, client or f"client of {name}", frozenset(workers), f"run {name}")


def say(table: LeaseTable, name: str) -> str:
    """Standing in a word: held, gone, or the names that it waits for."""
    match table.standing(name):
        case Granted():
            return "held"
        case Waiting(behind):
            return "behind " + " ".join(other.lease_id for other in behind)
        case Gone():
            return "gone"


@pytest.mark.parametrize(
    ("requests", "standings"),
    [
        pytest.param({"A": "ab"}, {"A": "held"}, id="a free cluster"),
        pytest.param({"A": "ab", "B": "cd"}, {"A": "held", "B": "held"}, id="nothing in common"),
        pytest.param({"A": "ab", "B": "bc"}, {"A": "held", "B": "behind A"}, id="one worker in common"),
        pytest.param(
            {"A": "ab", "B": "bc", "C": "cd"},
            {"A": "held", "B": "behind A", "C": "behind B"},
            id="nobody overtakes who came first",
        ),
        pytest.param(
            {"A": "ab", "B": "bc", "C": "de"}, {"A": "held", "B": "behind A", "C": "held"}, id="who is in nobody's way"
        ),
        pytest.param({"A": "a", "B": "b", "C": "ab"}, {"C": "behind A B"}, id="all or nothing"),
    ],
)
def test_requests_are_granted_whole_and_in_order(requests: dict[str, str], standings: dict[str, str]) -> None:
    table = LeaseTable()
    for name, workers in requests.items():
        table.request(lease(name, workers), now=0)
    assert {name: say(table, name) for name in standings} == standings


@pytest.mark.parametrize(
    ("event", "standings"),
    [
        pytest.param(lambda table: table.release("A"), {"A": "gone", "B": "held", "C": "behind B"}, id="release"),
        pytest.param(
            lambda table: table.release("B"), {"A": "held", "B": "gone", "C": "held"}, id="a request withdrawn"
        ),
        pytest.param(
            lambda table: table.remove_client("client of A"),
            {"A": "gone", "B": "held", "C": "behind B"},
            id="client left",
        ),
        pytest.param(
            lambda table: table.remove_worker("a"),
            {"A": "held", "B": "behind A", "C": "behind B"},
            id="worker of one left",
        ),
        pytest.param(
            lambda table: table.remove_worker("b"), {"A": "held", "B": "gone", "C": "held"}, id="worker of two left"
        ),
        pytest.param(
            lambda table: [table.beat(name, now=20) for name in "BC"] and table.expire(now=31, deadline=30),
            {"A": "gone", "B": "held", "C": "behind B"},
            id="holder silent",
        ),
        pytest.param(
            lambda table: table.expire(now=30, deadline=30),
            {"A": "held", "B": "behind A", "C": "behind B"},
            id="holder silent, but not too long",
        ),
    ],
)
def test_what_ends_a_lease_lets_the_next_in(event: object, standings: dict[str, str]) -> None:
    table = LeaseTable()
    for name, workers in {"A": "ab", "B": "bc", "C": "cd"}.items():
        table.request(lease(name, workers), now=0)
    event(table)  # type: ignore[operator]
    assert {name: say(table, name) for name in standings} == standings


def test_asking_again_changes_nothing() -> None:
    table = LeaseTable()
    table.request(lease("A", "a"), now=0)
    table.request(lease("B", "a"), now=0)
    table.request(lease("C", "a"), now=0)
    assert isinstance(table.request(lease("B", "a"), now=1), Waiting)
    assert say(table, "C") == "behind A B"


def test_a_lease_that_was_ended_is_not_granted_again() -> None:
    table = LeaseTable()
    table.request(lease("A", "a"), now=0)
    table.request(lease("B", "a"), now=0)
    table.remove_worker("a")
    assert table.request(lease("B", "a"), now=1) == Gone("worker a left the cluster")
    assert set(table._beats) == {"A"}  # or a scheduler would remember every such request for ever


def test_a_lease_without_workers_is_held_on() -> None:
    table = LeaseTable()
    table.request(lease("A", "a"), now=0)
    table.remove_worker("a")
    assert say(table, "A") == "held"
    assert table.extend("A", "b")


def test_an_exchange_gives_up_and_waits_behind_all_others() -> None:
    table = LeaseTable()
    table.request(lease("A", "a"), now=0)
    table.request(lease("B", "b"), now=0)
    table.request(lease("C", "ab"), now=0)
    assert table.exchange(lease("A", "b"), now=1) == Waiting((lease("B", "b"), lease("C", "ab")))
    table.release("B")
    assert say(table, "C") == "held"
    table.release("C")
    assert say(table, "A") == "held"


def test_an_exchange_is_asked_for_by_what_has_ended_too() -> None:
    table = LeaseTable()
    table.request(lease("A", "a"), now=0)
    table.release("A")
    assert table.exchange(lease("A", "b"), now=1) == Granted()


def test_extending_never_waits_and_never_takes_what_others_want() -> None:
    table = LeaseTable()
    table.request(lease("A", "a"), now=0)
    table.request(lease("B", "b"), now=0)
    table.request(lease("C", "bc"), now=0)
    assert not table.extend("A", "b")  # held
    assert not table.extend("A", "c")  # awaited
    assert table.extend("A", "d")
    assert not table.extend("unknown", "e")
    table.request(lease("D", "d"), now=0)
    assert say(table, "D") == "behind A"


def test_removing_a_worker_names_the_leases_that_it_hits() -> None:
    table = LeaseTable()
    for name, workers in {"A": "ab", "B": "bc", "C": "d"}.items():
        table.request(lease(name, workers), now=0)
    assert [hit.lease_id for hit in table.remove_worker("b")] == ["A", "B"]


def test_a_lease_that_shrinks_lets_others_have_the_rest_and_gets_nothing_new() -> None:
    table = LeaseTable()
    for one in (lease("A", "abc"), lease("B", "b"), lease("C", "a")):
        table.request(one, 0.0)
    table.shrink("A", "ad")
    assert [say(table, name) for name in "ABC"] == ["held", "held", "behind A"]
    assert [each.workers for each in table.held()] == [frozenset("a"), frozenset("b")]
    table.shrink("C", "")  # not held: it goes on to wait for what it asked for
    table.release("A")
    assert [each.workers for each in table.held()] == [frozenset("b"), frozenset("a")]
