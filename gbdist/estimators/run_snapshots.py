"""The snapshots of one fit, whatever is trained: read before anything else, compared with the run, then written."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from gbdist.counted import TREES
from gbdist.estimators.keeper import DataCheck
from gbdist.snapshots.digest import DataDigest
from gbdist.snapshots.identity import Identity, identity_of, require_same
from gbdist.snapshots.store import Loaded, Store
from gbdist.snapshots.writer import SnapshotWriter


class RunSnapshots(ABC):
    """The snapshots of one fit.

    ``require`` may be called several times, as more is known of the run; ``begin`` once, when all is known.
    """

    counted = TREES

    def __init__(self, path: str, interval: float) -> None:
        self.path = path
        self._interval = interval
        self._store = Store(path)
        self._store.prepare()
        self._loaded: Loaded | None = self._store.load()
        self._saved: Identity | None = None
        if self._loaded is not None:
            self._saved = identity_of(self._loaded.content.identity, self._loaded.path)
            self._read(self._loaded)
        self._identity: Identity | None = None
        self._writer: SnapshotWriter | None = None

    @abstractmethod
    def _read(self, loaded: Loaded) -> None:
        """Look at what was saved. Raises DamagedSnapshot for what cannot be read."""

    @abstractmethod
    def _begin_with(self) -> tuple[Sequence[bytes], int]:
        """Records of what the run goes on from, and how many iterations were saved."""

    def _require(self, identity: Identity) -> None:
        """SnapshotError unless the run may go on from what there is; data are compared by ``begin``, or by the ranks."""
        if self._saved is not None and self._loaded is not None:
            require_same(self._saved, identity, self._loaded.path)
        self._identity = identity

    @property
    def data_check(self) -> DataCheck:
        """What the ranks of a gang are to compare their data with; what they find is to come to ``begin``."""
        path = self.path if self._loaded is None else self._loaded.path
        return DataCheck(self.identity, self._saved, path)

    @property
    def identity(self) -> Identity:
        """Of the run, as far as it is known."""
        if self._identity is None:
            raise RuntimeError("not known before require")
        return self._identity

    def begin(self, data: DataDigest) -> None:
        """All is known: refuse what does not fit, with a SnapshotError, and start to write what is heard, if that is not done."""
        if self._writer is not None:
            return
        self._require(self.identity.with_data(data))
        records, saved = self._begin_with()
        self._writer = SnapshotWriter(
            self._store, self.identity, self._interval, records, saved=saved, counted=self.counted
        )

    def close(self) -> None:
        """Write what is not written yet; however the run has ended, and also if it never began."""
        if self._writer is not None:
            self._writer.close()
