"""How many raw partitions of a lazy collection are in memory at once, and how many stay there until they are quantized.

Pure arithmetic on what the first partitions weighed. A partition that stays is computed once; one that does not is computed
twice: to be looked at, and to be quantized.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gbdist_cluster.versions import WorkerFacts

#: A worker's process, measured: with the imports of gbdist alone, and while it trains.
PROCESS, PROCESS_AT_WORK = 300 << 20, 480 << 20
#: Share of a worker's limit that is for data even where a process takes nearly all of it.
_LEAST_SHARE = 0.25
#: Raw partitions that stay, and all bins, take at most this share of the workers' memory. Dask spills from 0.7 of it on, and the
#: interpreter, the sample and memory that is free but not given back to the system count there too.
_KEPT_SHARE = 0.35
#: Raw partitions on their way take at most this share more.
_PASSING_SHARE = 0.1
#: Waves on their way at a time: while the client looks at one, the workers compute the next.
WAVES_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Weight:
    """What partitions weigh: bytes of a raw one on average, and bytes that all quantized rows take in memory."""

    raw_part: float
    all_bins: float


@dataclass(frozen=True, slots=True)
class Room:
    """Threads of all workers, and the memory that their processes leave to data; in bytes, 0 where a worker has no limit.

    ``on_disk`` says where bins will lie, None where that is not known yet; ``cell_bytes`` are those of a bin, or a number.
    """

    threads: int
    memory: int
    on_disk: bool | None = False
    cell_bytes: int = 1

    @classmethod
    def of(cls, workers: Sequence[WorkerFacts], on_disk: bool | None = False, cell_bytes: int = 1) -> "Room":
        """The room of a cluster."""
        limits = [worker.memory_limit for worker in workers]
        left = sum(max(limit - PROCESS_AT_WORK, int(limit * _LEAST_SHARE)) for limit in limits)
        return cls(sum(worker.threads for worker in workers), left if all(limits) else 0, on_disk, cell_bytes)

    def shared_by(self, data_sets: int) -> "Room":
        """The room of each of several data sets that are prepared at once."""
        return replace(self, threads=max(1, self.threads // data_sets), memory=self.memory // data_sets)

    def in_memory(self, cells: float, beside: float) -> float:
        """Bytes of quantized rows that memory holds: of so many cells, and of so many bytes beside them."""
        return beside if self.on_disk else cells * self.cell_bytes + beside

    def samples_on_disk(self, n_bytes: float) -> bool:
        """Whether so many bytes of sampled values go to the workers' disks: with the bins, or where they are many."""
        if self.on_disk is None:
            return bool(self.memory) and n_bytes > self.memory * _PASSING_SHARE
        return self.on_disk

    def wave(self, weight: Weight | None) -> int:
        """How many partitions are computed together; at least one. ``weight`` is None before anything is known."""
        if weight is None or not self.memory:
            return self.threads
        fitting = self.memory * _PASSING_SHARE / (WAVES_AT_ONCE * max(weight.raw_part, 1.0))
        return max(1, min(2 * self.threads, int(fitting)))

    def kept(self, n_parts: int, weight: Weight | None) -> int:
        """How many of the partitions may stay in memory until they are quantized; none are promised before they are weighed."""
        if not self.memory:
            return n_parts
        if weight is None:
            return 0
        free = self.memory * _KEPT_SHARE - weight.all_bins
        return max(0, min(n_parts, int(free / max(weight.raw_part, 1.0))))
