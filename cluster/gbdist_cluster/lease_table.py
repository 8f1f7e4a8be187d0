"""Who may run a gang on which workers: the rules, without clocks or messages.

A lease is a set of workers, granted whole or not at all, first come first served: a request waits for every earlier
request and every holder that shares a worker with it, and for nobody else. So two gangs never sit half-started on
each other's workers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

__all__ = ["Gone", "Granted", "Lease", "LeaseTable", "Standing", "Waiting"]


@dataclass(frozen=True, slots=True)
class Lease:
    """What is asked for: ``workers`` for the run ``lease_id`` of ``client``; ``label`` is for people."""

    lease_id: str
    client: str
    workers: frozenset[str]
    label: str


@dataclass(frozen=True, slots=True)
class Granted:
    """The lease is held."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The lease waits for these, holders before earlier requests."""

    behind: tuple[Lease, ...]


@dataclass(frozen=True, slots=True)
class Gone:
    """The lease was never asked for, was released, or was ended; ``reason`` says which."""

    reason: str


Standing = Granted | Waiting | Gone


class LeaseTable:
    """All leases of a cluster. ``now`` is seconds on any clock that does not run backwards."""

    def __init__(self) -> None:
        self._held: dict[str, Lease] = {}
        self._queue: dict[str, Lease] = {}  # in order of arrival
        self._beats: dict[str, float] = {}
        self._ended: dict[str, str] = {}

    def request(self, lease: Lease, now: float) -> Standing:
        """Queue a lease, or grant it at once; asking again with the same id changes nothing."""
        if lease.lease_id not in self._ended:
            if lease.lease_id not in self._held:
                self._queue.setdefault(lease.lease_id, lease)
            self._beats[lease.lease_id] = now
        self._grant()
        return self.standing(lease.lease_id)

    def exchange(self, lease: Lease, now: float) -> Standing:
        """Give up whatever the lease holds, and ask for other workers behind all others."""
        self._held.pop(lease.lease_id, None)
        self._queue.pop(lease.lease_id, None)
        self._ended.pop(lease.lease_id, None)
        return self.request(lease, now)

    def extend(self, lease_id: str, workers: Iterable[str]) -> bool:
        """Add workers to a held lease unless somebody has them, or awaits them and not the holder; never waits.

        Whoever waits for a worker that the holder has waits for the holder's end anyway. Return whether they were added.
        """
        more = frozenset(workers)
        if lease_id not in self._held:
            return False
        lease = self._held[lease_id]
        ahead = [other for other in self._held.values() if other.lease_id != lease_id]
        ahead += [other for other in self._queue.values() if not other.workers & lease.workers]
        if any(more & other.workers for other in ahead):
            return False
        self._held[lease_id] = replace(lease, workers=lease.workers | more)
        return True

    def shrink(self, lease_id: str, workers: Iterable[str]) -> None:
        """Let go of all but these workers of a held lease."""
        if lease_id in self._held:
            lease = self._held[lease_id]
            self._held[lease_id] = replace(lease, workers=lease.workers & frozenset(workers))
        self._grant()

    def release(self, lease_id: str, reason: str = "it was released") -> bool:
        """End a lease or withdraw a request; return whether there was one."""
        found = self._held.pop(lease_id, None) or self._queue.pop(lease_id, None)
        self._beats.pop(lease_id, None)
        if found:
            self._ended[lease_id] = reason
            while len(self._ended) > 1000:  # long enough for a holder to learn what happened
                del self._ended[next(iter(self._ended))]
        self._grant()
        return found is not None

    def beat(self, lease_id: str, now: float) -> None:
        """Note that the holder is alive."""
        if lease_id in self._beats:
            self._beats[lease_id] = now

    def expire(self, now: float, deadline: float) -> list[Lease]:
        """End the leases whose holders were silent for more than ``deadline`` seconds; return them."""
        silent = [lease_id for lease_id, last in self._beats.items() if now - last > deadline]
        ended = [lease for lease_id in silent if (lease := self._find(lease_id))]
        for lease in ended:
            self.release(lease.lease_id, f"its holder was silent for {deadline:g} s")
        return ended

    def remove_client(self, client: str) -> list[Lease]:
        """End everything of a client that left; return what it had."""
        ended = [lease for lease in (*self._held.values(), *self._queue.values()) if lease.client == client]
        for lease in ended:
            self.release(lease.lease_id, "its client left the cluster")
        return ended

    def remove_worker(self, address: str) -> list[Lease]:
        """Take a worker that left out of the held leases and end the requests for it; return all these leases.

        A held lease is held on, even without any worker: its ranks still run on the others, and its client may extend it.
        """
        hit = [lease for lease in (*self._held.values(), *self._queue.values()) if address in lease.workers]
        for lease in hit:
            if lease.lease_id in self._queue:
                self.release(lease.lease_id, f"worker {address} left the cluster")
            else:
                self._held[lease.lease_id] = replace(lease, workers=lease.workers - {address})
        self._grant()
        return hit

    def held(self) -> list[Lease]:
        """Return all leases that are held."""
        return list(self._held.values())

    def standing(self, lease_id: str) -> Standing:
        """Return whether a lease is held, waits (and for whom), or is gone (and why)."""
        if lease_id in self._held:
            return Granted()
        if lease_id not in self._queue:
            return Gone(self._ended.get(lease_id, "it was never asked for"))
        return Waiting(tuple(self._ahead(self._queue[lease_id])))

    def _find(self, lease_id: str) -> Lease | None:
        return self._held.get(lease_id) or self._queue.get(lease_id)

    def _ahead(self, lease: Lease) -> list[Lease]:
        """Return the holders and the earlier requests that share a worker with a request."""
        earlier = []
        for other in self._queue.values():
            if other.lease_id == lease.lease_id:
                break
            earlier.append(other)
        return [other for other in (*self._held.values(), *earlier) if other.workers & lease.workers]

    def _grant(self) -> None:
        for lease in list(self._queue.values()):
            if not self._ahead(lease):
                self._held[lease.lease_id] = self._queue.pop(lease.lease_id)
