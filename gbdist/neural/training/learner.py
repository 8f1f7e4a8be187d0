"""A network as the trainer sees it: on one rank, or spread over several."""

from typing import Protocol

from gbdist.neural.network.blocks import Array, Batch, Noise


class Learner(Protocol):
    """Computes losses and gradients of parameters that lie in one vector.

    ``Network`` is the whole network in one memory. Where a network is spread over the ranks of a group, ``flat`` and
    ``gradient`` are a rank's own part, and all ranks of the group make the same calls.
    """

    @property
    def n_parameters(self) -> int:
        """Length of ``flat`` here."""
        ...

    @property
    def penalized(self) -> Array:
        """Which parameters the penalty on large weights counts, bool [n_parameters]."""
        ...

    def loss_and_gradient(self, flat: Array, batch: Batch, gradient: Array, noise: Noise | None) -> float:
        """Sum over the rows of weight × loss, without any penalty; its derivatives by ``flat`` go to ``gradient`` (OUT).

        0.0, and a gradient of zeros, without rows.
        """
        ...

    def outputs(self, flat: Array, batch: Batch) -> Array:
        """Raw outputs [n_rows, n_outputs]: before they become probabilities."""
        ...

    def whole(self, flat: Array) -> Array:
        """The parameters of the whole network, from this rank's part of them; all ranks of a group call it."""
        ...

    def part(self, whole: Array) -> Array:
        """This rank's part of the parameters of the whole network, a copy."""
        ...
