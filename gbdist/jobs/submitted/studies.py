"""The study of a job, in the job's folder: a driver that takes the job up again goes on with it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gbdist.errors import GbdistError
from gbdist.jobs.submitted.store import JobStore
from gbdist.jobs.tune import storage_in
from gbdist.selection.searching.claim import forget

#: Optuna's journal, which a study is a replay of.
JOURNAL: Final = "study/journal.log"


@dataclass(frozen=True, eq=False)
class JobStudy:
    """A job's study: Optuna's storage, whose journal is at ``path``, and where that is copied to, None where it is there."""

    storage: Any
    path: Path
    copied_to: JobStore | None

    def keep(self) -> None:
        """Keep what is in the storage, if it can be kept now; for whenever a trial has ended."""
        if self.copied_to is not None:
            with suppress(GbdistError):  # the next trial keeps this one too, and the last copy may raise
                self.copied_to.write(JOURNAL, self.path.read_bytes())


@contextmanager
def study_of(store: JobStore) -> Iterator[JobStudy]:
    """The study of a job, which is that of its attempts before.

    Where the job's folder is one of this machine, the journal is written there at once. Object stores cannot append: there it is
    on this machine while the block lasts, and copied whole. What was not kept when a worker is lost, trials that ran at most, is
    tried again.
    """
    if store.local is not None:
        path = store.local / JOURNAL
        path.parent.mkdir(parents=True, exist_ok=True)
        yield JobStudy(_free(path), path, None)
        return
    with tempfile.TemporaryDirectory(prefix="gbdist-study-") as folder:
        path = Path(folder) / Path(JOURNAL).name
        if path.name in store.names("study"):
            store.copy(JOURNAL, path)
        try:
            yield JobStudy(_free(path), path, store)
        finally:
            store.write(JOURNAL, path.read_bytes())


def _free(path: Path) -> Any:
    """The storage in a file, of whose studies a driver that is lost has none: the scheduler lets one attempt at a time run."""
    storage = storage_in(path)
    forget(storage)
    return storage
