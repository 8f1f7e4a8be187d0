"""How the ranks of a run train one network together: what the loop asks of every strategy, and how gradients are added up."""

from typing import Protocol

from gbdist.neural.network.blocks import Array, Batch, Noise
from gbdist.neural.training.state import Progress, Vector


class Strategy(Protocol):
    """Makes steps, each on this rank's rows of one global batch.

    All ranks make the same calls in the same order. Which rows belong to a batch does not depend on the number of ranks.
    """

    def begin(self, progress: Progress) -> None:
        """Go on from ``progress``, the same on all ranks: the whole network, optimizer, sums of the epoch in hand."""
        ...

    def begin_epoch(self) -> None:
        """Forget the sums of the epoch before. Not called where a run goes on within an epoch."""
        ...

    def step(self, batch: Batch, rate: float, noise: Noise | None, pause: bool) -> None:
        """Train on this rank's rows of the next batch, perhaps none, at a learning rate; ``pause``: this rank wants one."""
        ...

    @property
    def settled(self) -> bool:
        """Whether all ranks hold the same parameters after the step just made."""
        ...

    @property
    def paused(self) -> bool:
        """Whether a rank has wanted a pause, the same answer on every rank; to be asked where ``settled``."""
        ...

    def progress(self) -> Progress:
        """Where the run is, the same on every rank; to be asked where ``settled``. Arrays are the run's own: copy them."""
        ...

    def held(self) -> Progress | None:
        """What ``progress`` says after the step that was ``settled`` last, without a word to other ranks; None if it is not here.

        Perhaps some batches further on: see ``beyond``. To be asked when a peer is lost, so that a run goes on from there.
        """
        ...

    @property
    def beyond(self) -> int:
        """How many batches after the step that was ``settled`` last are part of what ``held`` says; to be asked after it."""
        ...

    def end_epoch(self) -> float:
        """Make all ranks hold the same; the mean loss of the epoch's rows, penalty included, as scikit-learn reports it.

        May be asked again: the sums stay until ``begin_epoch``.
        """
        ...

    def outputs(self, batch: Batch) -> Array:
        """Raw outputs for rows of an eval set, [n_rows, n_outputs]; all ranks take part, with as many calls each."""
        ...


class Exchange(Protocol):
    """Adds gradients up over ranks, perhaps in fewer bytes than they have."""

    def sum(self, message: Vector, exact: int) -> Vector:
        """Sum over the ranks, the same bits on each, of a gradient with ``exact`` numbers behind it that are never compressed.

        ``message`` is IN and may be the answer itself.
        """
        ...
