"""How many raw partitions are in memory is a matter of arithmetic."""

import pytest

from gbdist.estimators.preparation.pace import Room, Weight
from gbdist_cluster.versions import WorkerFacts

MB = 1 << 20


@pytest.mark.parametrize(
    ("room", "weight", "wave", "kept"),
    [
        (Room(8, 0), None, 8, 100),  # no limit: everything may stay
        (Room(8, 0), Weight(10 * MB, MB), 8, 100),
        (Room(8, 1000 * MB), None, 8, 0),  # nothing is promised before a partition has been weighed
        (Room(8, 1000 * MB), Weight(1 * MB, 25 * MB), 16, 100),
        (Room(8, 1000 * MB), Weight(10 * MB, 150 * MB), 5, 20),
        (Room(8, 1000 * MB), Weight(10 * MB, 500 * MB), 5, 0),  # the bins alone fill what is given to data
        (Room(8, 1000 * MB), Weight(200 * MB, 50 * MB), 1, 1),
        (Room(8, 1000 * MB), Weight(0, 0), 16, 100),
    ],
)
def test_waves_and_what_stays(room: Room, weight: Weight | None, wave: int, kept: int) -> None:
    assert (room.wave(weight), room.kept(100, weight)) == (wave, kept)


def test_room_is_what_processes_leave_and_unlimited_if_one_worker_is() -> None:
    a, b = WorkerFacts("tcp://a", 4, 1000 * MB, "a"), WorkerFacts("tcp://b", 2, 600 * MB, "b")
    assert Room.of([a, b]) == Room(6, (520 + 150) * MB)
    assert Room.of([a, WorkerFacts("tcp://b", 2, 0, "b")]) == Room(6, 0)
