"""Where trials run: in this process, each on a worker of its own, or one after another on all workers (decision 0049)."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from distributed import Client

from gbdist.errors import ClusterError
from gbdist.estimators.cores import limited_to
from gbdist.estimators.listeners import told_to
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation.raw_parts import send
from gbdist.selection.evaluating.result import AskedAfter, FoldScores, Watch
from gbdist.selection.evaluation import Evaluation
from gbdist.selection.searching.hearing import SILENT, is_told
from gbdist.selection.searching.pools import Pools, key_of
from gbdist_cluster.gang import Member, RankContext, run_on_gang
from gbdist_cluster.shards import keep
from gbdist_cluster.versions import usable_workers


@dataclass(frozen=True, eq=False)
class Trained:
    """What a trial is to train.

    ``watch`` may raise, which ends the trial. With ``asked_after`` it is called after every iteration, and what it answers to
    those counts.
    """

    estimator: Any
    watch: Watch
    asked_after: AskedAfter | None
    train_scores: bool

    def run(self, evaluation: Evaluation, data: DaskPool | None) -> FoldScores:
        """Train and score from here, with the rows of ``data`` if there are any."""
        return evaluation.run(
            self.estimator,
            watch=None if self.asked_after is None else self.watch,
            asked_after=self.asked_after,
            train_scores=self.train_scores,
            data=data,
        )


class Place(Protocol):
    """One trial at a time runs here."""

    def run(self, trained: Trained) -> FoldScores:
        """Train and score; raises what fits raise."""
        ...

    @property
    def lost(self) -> bool:
        """Whether what it ran on is gone, so that trials can run elsewhere alone."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class Places(ABC):
    """Where the trials of a search run side by side.

    ``side_by_side`` says how many there are now, ``most`` how many there may be later. ``pools`` are theirs, if they have any.
    """

    def __init__(self, side_by_side: int, most: int, pools: Pools | None) -> None:
        self.side_by_side, self.most, self._pools = side_by_side, most, pools

    @abstractmethod
    def another(self, wait: float = 0.0) -> Place | None:
        """A place that is free, after ``wait`` seconds at most; None if there is none. ClusterError where none came in time."""

    def give_back(self, place: Place) -> None:
        """A place is not needed any more, or lost."""
        place.close()

    def whole(self, estimator: Any) -> DaskPool | None:
        """All rows, quantized for an estimator, where they are kept; None elsewhere."""
        return None if self._pools is None else self._pools.whole(estimator)

    def close(self) -> None:
        """Free what all of them share."""
        if self._pools is not None:
            self._pools.close()


# ---- in this process, or on the whole cluster


@dataclass(frozen=True, eq=False)
class _Anywhere:
    """Where fits run by themselves: small data in this process, others on all workers; with ``pools``, on those."""

    evaluation: Evaluation
    pools: Pools | None = None

    @property
    def lost(self) -> bool:
        return False

    def run(self, trained: Trained) -> FoldScores:
        return trained.run(self.evaluation, None if self.pools is None else self.pools.whole(trained.estimator))

    def close(self) -> None:
        """Nothing is its own."""


class Anywhere(Places):
    """Places that are alike."""

    def __init__(self, evaluation: Evaluation, side_by_side: int, pools: Pools | None = None) -> None:
        super().__init__(side_by_side, side_by_side, pools)
        self._place = _Anywhere(evaluation, pools)

    def another(self, wait: float = 0.0) -> Place | None:
        """See ``Places``."""
        return self._place


# ---- on workers


class OnWorker(ABC):
    """A place that is a worker; see ``Place``."""

    def __init__(self, client: Client, address: str) -> None:
        self._client, self.address = client, address

    @property
    def lost(self) -> bool:
        """See ``Place``."""
        try:
            return self.address not in {worker.address for worker in usable_workers(self._client, 0.0)}
        except ClusterError:  # there are none
            return True

    @abstractmethod
    def run(self, trained: Trained) -> FoldScores:
        """See ``Place``."""

    @abstractmethod
    def close(self) -> None:
        """See ``Place``."""


class OnWorkers(Places):
    """Places that are workers, ``most`` at once, those that come later too."""

    def __init__(
        self, client: Client, n_workers: int, most: int, make: Callable[[str], OnWorker], pools: Pools | None = None
    ) -> None:
        super().__init__(min(n_workers, most), most, pools)
        self._client, self._make = client, make
        self._used: set[str] = set()

    def another(self, wait: float = 0.0) -> Place | None:
        """See ``Places``."""
        try:
            workers = usable_workers(self._client, wait)
        except ClusterError:
            if wait:
                raise
            return None
        address = next((one.address for one in workers if one.address not in self._used), None)
        if address is None:
            return None
        self._used.add(address)
        return self._make(address)

    def give_back(self, place: Place) -> None:
        """See ``Places``."""
        super().give_back(place)
        if isinstance(place, OnWorker):
            self._used.discard(place.address)


class PoolPlace(OnWorker):
    """A worker that has all rows, quantized, for itself: trees are grown on it alone, as a gang of one."""

    def __init__(self, client: Client, address: str, evaluation: Evaluation, pools: Pools) -> None:
        super().__init__(client, address)
        self._evaluation, self._pools = evaluation, pools
        self._key = ""
        self._copy: DaskPool | None = None

    def run(self, trained: Trained) -> FoldScores:
        """See ``Place``."""
        if self._copy is None or self._key != key_of(trained.estimator):
            self.close()
            self._key, self._copy = self._pools.copied_to(self.address, trained.estimator)
        return trained.run(self._evaluation, self._copy)

    def close(self) -> None:
        """See ``Place``."""
        if self._copy is not None:
            self._copy.close()
            self._copy = None


@dataclass(frozen=True, eq=False)
class _Held:
    """An evaluation with its rows, as a worker keeps it."""

    evaluation: Evaluation
    nbytes: int


class TaskPlace(OnWorker):
    """A worker that has an evaluation of small data for itself, and runs it as this process would."""

    def __init__(self, client: Client, address: str, evaluation: Evaluation, nbytes: int) -> None:
        super().__init__(client, address)
        self._evaluation, self._nbytes = evaluation, nbytes
        self._held: Any = None

    def run(self, trained: Trained) -> FoldScores:
        """See ``Place``."""
        told = _Told(trained.estimator, trained.asked_after, trained.train_scores)
        member = Member(self.address, (self._evaluation_there(),))

        def hear(message: tuple[int, float]) -> bool:
            return not trained.watch(*message)

        (scores,) = run_on_gang(self._client, _evaluate, members=[member], shared=told, listener=hear)
        return scores  # type: ignore[no-any-return]

    def close(self) -> None:
        """See ``Place``."""
        if self._held is not None:
            self._held.release()
            self._held = None

    def _evaluation_there(self) -> Any:
        if self._held is None:
            (sent,) = send(self._client, [_Held(self._evaluation, self._nbytes)], [self.address])
            self._held = self._client.submit(keep, sent, workers=[self.address], pure=False)
        return self._held


@dataclass(frozen=True, eq=False)
class _Told:
    """What a rank is told of a trial."""

    estimator: Any
    asked_after: AskedAfter | None
    train_scores: bool


def _evaluate(context: RankContext) -> FoldScores:
    """The routine of a gang of one."""
    told: _Told = context.shared

    def watch(iteration: int, score: float) -> bool:
        context.check_cancelled()
        if told.asked_after is not None and told.asked_after(iteration):
            return not context.ask((iteration, score))
        if is_told(iteration):
            context.emit((iteration, score))
        return True

    with ExitStack() as stack:
        stack.enter_context(limited_to(context.threads))
        stack.enter_context(told_to(SILENT))
        evaluation: Evaluation = context.shards[0].evaluation
        return evaluation.run(told.estimator, watch=watch, train_scores=told.train_scores)
