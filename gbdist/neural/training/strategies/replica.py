"""A copy of a run on one rank: the parameters, their optimizer and loss scale, moved by sums of gradients over the ranks.

Ranks that begin alike and take the same sums in the same order stay alike, to the bit: the optimizer and the loss scale see
nothing else.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gbdist.neural.network.blocks import Array, Batch, Noise
from gbdist.neural.network.numbers import held_dtype
from gbdist.neural.training.learner import Learner
from gbdist.neural.training.optimizers import Penalty, optimizer_of
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.precision import loss_scale
from gbdist.neural.training.state import Progress, Vector

#: Numbers behind a gradient: Σ weight × loss, Σ weight, rows, ranks that want a pause.
NUMBERS: Final = 4


class Replica:
    """See the module.

    Parameters
    ----------
    learner : Learner
        The network, or this rank's part of it.
    told : bool [n_parameters] or None
        Of a part: whose penalty this rank tells, where others have them too; None: of all.
    """

    def __init__(self, learner: Learner, params: TrainParams, told: NDArray[np.bool_] | None = None) -> None:
        self._learner = learner
        self._penalty = Penalty(learner.penalized, params, told)
        self._optimizer = optimizer_of(self._penalty, params)
        self._precision, self._scale = params.precision, loss_scale(params.precision)
        self._flat: Vector = np.empty(0)
        self._moments: tuple[Vector, ...] = ()
        self._message: Vector = np.empty(0)
        self._ahead: Vector = np.empty(0)
        self._step, self._loss_sum, self._rows = 0, 0.0, 0.0
        self._whole = True
        #: Whether a rank has wanted a pause, by the sums that were taken.
        self.paused = False

    def begin(self, progress: Progress) -> None:
        """Go on from ``progress``, of the whole network; copies what it holds."""
        part, held = self._learner.part, held_dtype(self._precision)
        self._flat = part(progress.flat.astype(held, copy=False))
        self._moments = tuple(part(each.astype(held, copy=False)) for each in progress.moments)
        if not self._moments:
            self._moments = tuple(np.zeros_like(self._flat) for _ in range(self._optimizer.n_moments))
        self._message = np.zeros(self._learner.n_parameters + NUMBERS, held)
        self._scale = loss_scale(self._precision, progress.scale, progress.good, progress.skipped)
        self._step, self._loss_sum, self._rows = progress.step, progress.loss_sum, progress.rows
        self.paused = False

    def begin_epoch(self) -> None:
        """Forget the sums of the epoch before."""
        self._loss_sum = self._rows = 0.0

    def message(self, batch: Batch, noise: Noise | None, pause: bool, under_way: Sequence[float] = ()) -> Vector:
        """The gradient of this rank's rows of a batch, perhaps none, and ``NUMBERS`` behind it: what is added up over ranks.

        [n_parameters + NUMBERS], this object's own until the next call. ``under_way`` are the learning rates of steps that will
        be made before the one of this batch: the gradient is that of the parameters that are expected then.
        """
        message, n = self._message, self._learner.n_parameters
        scale = self._scale.value
        at = self._expected(under_way)
        loss = self._learner.loss_and_gradient(at, scaled(batch, scale), message[:n], noise)
        if scale != 1.0:
            message[:n] /= scale
        with np.errstate(over="ignore"):  # a loss that is too large for float32 is infinite
            message[n:] = loss / scale, weight_of(batch), batch.n_rows, pause
        return message

    def _expected(self, rates: Sequence[float]) -> Vector:
        """The parameters that are expected after steps at these learning rates."""
        if not rates or self._step == 0:
            return self._flat
        if self._ahead.size != self._flat.size:
            self._ahead = np.empty_like(self._flat)
        self._optimizer.look_ahead(self._flat, self._moments, rates, self._step, self._ahead)
        return self._ahead

    def take(self, total: Vector, rate: float) -> None:
        """Make the step that a sum of messages (IN) leads to, at a learning rate; none where no row weighs anything."""
        n = self._learner.n_parameters
        loss, weight, rows, pauses = total[n:].tolist()
        self.paused = self.paused or pauses > 0.0
        if weight > 0.0:  # else there is nothing to learn from
            self._move(total[:n], rate, rows, loss, weight)

    def _move(self, gradient: Vector, rate: float, rows: float, loss: float, weight: float) -> None:
        """Make the step, or leave it out because a number overflowed."""
        if self._scale.dynamic:
            finite = bool(np.isfinite(gradient).all())
            self._scale = self._scale.after(finite=finite)
            if not finite:
                return
        self._whole = False
        self._loss_sum += rows * (loss + self._penalty.of(self._flat)) / weight
        self._rows += rows
        self._step += 1
        self._optimizer.step(self._flat, gradient, self._moments, rate, self._step, weight)
        self._whole = True

    def progress(self) -> Progress:
        """Where the run is after the sum that was taken last; arrays of a whole network are this object's own."""
        whole, scale = self._learner.whole, self._scale
        return Progress(
            whole(self._flat),
            tuple(whole(each) for each in self._moments),
            step=self._step,
            loss_sum=self._loss_sum,
            rows=self._rows,
            scale=scale.value,
            good=scale.good,
            skipped=scale.skipped,
        )

    def held(self) -> Progress | None:
        """``progress``; None where a step was begun and not ended."""
        return self.progress() if self._whole else None

    @property
    def mean_loss(self) -> float:
        """Mean loss of the rows of the epoch in hand, penalty included; NaN without any."""
        return self._loss_sum / self._rows if self._rows else float("nan")

    def outputs(self, batch: Batch) -> Array:
        """Raw outputs for some rows."""
        return self._learner.outputs(self._flat, batch)


def weight_of(batch: Batch) -> float:
    """Σ weight of a batch's rows."""
    return float(batch.n_rows) if batch.weight is None else float(batch.weight.sum(dtype=np.float64))


def scaled(batch: Batch, scale: float) -> Batch:
    """A batch whose losses are multiplied by ``scale``: those of rows that weigh so much more."""
    if scale == 1.0:
        return batch
    weight: Any = np.ones(batch.n_rows, np.float32) if batch.weight is None else batch.weight
    return replace(batch, weight=weight * weight.dtype.type(scale))
