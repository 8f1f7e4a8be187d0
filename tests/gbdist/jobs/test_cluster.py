"""Workers are ready for a job's tasks before the first of them comes."""

import sys

from gbdist.jobs.cluster import connect, workers_for


def loaded() -> bool:
    return "pyarrow" in sys.modules


def test_workers_have_pyarrow_before_tasks_come() -> None:
    with workers_for(None, workers=2, threads=1) as client:
        assert list(client.run(loaded).values()) == [True, True]
        with connect(client.scheduler.address) as again:
            assert list(again.run(loaded).values()) == [True, True]
