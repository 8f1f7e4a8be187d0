"""Strategy "local": each rank makes steps of its own on its rows of each batch; every ``period`` steps parameters are averaged.

Local SGD (Stich, "Local SGD Converges Fast and Communicates Little", 2019): a message every so many steps, not one a step. Ranks
of a group average among themselves, and at an epoch's end all do; see docs/decisions/0038 for what was measured.

A rank's step is meant to move the average as a step of all ranks on the whole batch would. Gradients are divided by the weight of
the rank's own rows, and the penalty by the weight that the whole batch is expected to have. With Adam the learning rate is
multiplied by √(1 / share of the rows that the rank has): Adam divides by the root of the mean square of its gradients, which is
noise for the most part, and so larger by that factor where a gradient is made of fewer rows.
"""

import struct
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from gbdist.boosting.collective import Collective
from gbdist.neural.network.blocks import Array, Batch, Noise
from gbdist.neural.training.compression import Exact, make_exchange, sum_of_largest
from gbdist.neural.training.learner import Learner
from gbdist.neural.training.optimizers import Penalty, optimizer_of
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.precision import LossScale, loss_scale
from gbdist.neural.training.state import Progress, Vector
from gbdist.neural.training.strategies.base import Exchange
from gbdist.neural.training.strategies.replica import scaled, weight_of

_TOLD = struct.Struct("<ddd?qdqq")


@dataclass(frozen=True, slots=True)
class _Told:
    """What a rank says of itself before an average; ``_TOLD`` is how it travels.

    Parameters
    ----------
    weight : Σ weight of its rows since the last average of these ranks
    loss_sum, rows : sums of the epoch that the others do not know yet
    pause : whether it wants one
    step : its number of steps
    scale, good, skipped : its loss scale; steps left out that the others do not know yet
    """

    weight: float
    loss_sum: float
    rows: float
    pause: bool
    step: int
    scale: float
    good: int
    skipped: int


class Local:
    """See the module, and ``Strategy``.

    With a compression, averages within an epoch are of parameters alone: as differences from the last average in half
    precision, or the largest of these differences while each rank keeps the rest of its own. Then all ranks are alike at epochs'
    ends only, as they are with several groups.

    Parameters
    ----------
    learner : Learner
        The network.
    share : float
        Share of the training set's rows that this rank has; less than if all had as many is taken as that, for steps would become
        very large.
    """

    beyond = 0

    def __init__(self, learner: Learner, params: TrainParams, collective: Collective, share: float) -> None:
        self._learner, self._params = learner, params
        self._all, self._group = collective, _group_of(collective, params.strategy.groups)
        self._exchange: Exchange = make_exchange(params.strategy, self._group)
        self._settles = params.strategy.compression == "none" and self._group.size == collective.size
        self._share = max(share, 1.0 / collective.size)
        self._rate_factor = 1.0 if params.solver == "sgd" else 1.0 / sqrt(self._share)
        # What shrinks beside the gradient takes no part in Adam's division.
        alpha = params.alpha / self._rate_factor if params.decoupled else params.alpha
        self._penalty = Penalty(learner.penalized, replace(params, alpha=alpha))
        self._optimizer = optimizer_of(self._penalty, params)
        self._scale: LossScale = loss_scale(params.precision)
        self._gradient: Vector = np.empty(0)
        self._flat: Array = None
        self._anchor: Array = None
        self._moments: tuple[Array, ...] = ()
        self._held = Progress(np.empty(0))
        self._step = self._since = 0
        self._group_weight = self._weight = self._loss_sum = self._rows = 0.0
        self._wants_pause = self.paused = False
        self.settled = True

    def begin(self, progress: Progress) -> None:
        """See ``Strategy``."""
        self._flat, self._moments = progress.flat.copy(), tuple(each.copy() for each in progress.moments)
        if not self._moments:
            self._moments = tuple(self._flat * 0 for _ in range(self._optimizer.n_moments))
        self._gradient = np.empty_like(self._flat)
        self._scale = loss_scale(self._params.precision, progress.scale, progress.good, progress.skipped)
        self._step = progress.step
        self._forget()
        self._hold(progress.loss_sum, progress.rows)
        self._wants_pause = self.paused = False

    def begin_epoch(self) -> None:
        """See ``Strategy``."""
        self._held = replace(self._held, loss_sum=0.0, rows=0.0)

    def step(self, batch: Batch, rate: float, noise: Noise | None, pause: bool) -> None:
        """See ``Strategy``. A rank without rows in the batch makes no step."""
        self.settled = False
        self._wants_pause = self._wants_pause or pause
        weight = weight_of(batch)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is a result, for the loop to find
            if weight > 0.0:
                self._move(batch, weight, rate, noise)
            self._since += 1
            if self._since == self._params.strategy.period:
                self._meet()

    def _move(self, batch: Batch, weight: float, rate: float, noise: Noise | None) -> None:
        """This rank's own step, or none because a number overflowed."""
        scale, expected = self._scale.value, weight / self._share
        loss = self._learner.loss_and_gradient(self._flat, scaled(batch, scale), self._gradient, noise) / scale
        if self._scale.dynamic:
            finite = bool(np.isfinite(self._gradient).all())
            self._scale = self._scale.after(finite=finite)
            if not finite:
                return
        penalty = self._penalty.of(self._flat) / expected
        self._loss_sum += batch.n_rows * (loss / weight + penalty)
        self._rows += batch.n_rows
        self._group_weight += weight
        self._weight += weight
        self._step += 1
        # As if the whole batch had the gradient of these rows.
        self._gradient *= self._gradient.dtype.type(1.0 / (scale * self._share))
        self._optimizer.step(self._flat, self._gradient, self._moments, rate * self._rate_factor, self._step, expected)

    def _meet(self) -> None:
        """The average of a period."""
        if self._settles:
            self._settle()
            return
        self._since = 0
        weights = [each.weight for each in self._told(self._group, self._group_weight)]
        if sum(weights) > 0.0:
            self._average(self._group_weight / sum(weights))
        self._group_weight = 0.0

    def _average(self, share: float) -> None:
        """Average the group's parameters, and its moments where nothing is compressed; ``share``: this rank's part of it."""
        how, part = self._params.strategy, self._flat.dtype.type(share)
        changed = (self._flat - self._anchor) * part
        if how.compression == "top-k":
            moved, sent = sum_of_largest(self._group, changed, changed[:0], how.kept_share)
            if share > 0.0:
                self._flat[sent] -= changed[sent] / part
            self._flat += moved
            self._anchor = self._anchor + moved
            return
        self._anchor = self._anchor + self._exchange.sum(changed, 0)
        self._flat[...] = self._anchor
        if how.compression == "none":
            for moment in self._moments:
                moment[...] = self._exchange.sum(moment * part, 0)

    def _settle(self) -> None:
        """Average all that there is over all ranks, as it is: they are the same afterwards."""
        told = self._told(self._all, self._weight)
        total = sum(each.weight for each in told)
        if total > 0.0:
            exchange, part = Exact(self._all), self._flat.dtype.type(self._weight / total)
            for vector in (self._flat, *self._moments):
                vector[...] = exchange.sum(vector * part, 0)
        before = self._held
        self._step = max(each.step for each in told)
        if self._scale.dynamic:
            lowest = min(each.scale for each in told)
            good = min(each.good for each in told if each.scale == lowest)
            skipped = before.skipped + sum(each.skipped for each in told)
            self._scale = replace(self._scale, value=lowest, good=good, skipped=skipped)
        self.paused = self.paused or any(each.pause for each in told)
        loss_sum, rows = sum(each.loss_sum for each in told), sum(each.rows for each in told)
        self._hold(before.loss_sum + loss_sum, before.rows + rows)
        self._forget()

    def _told(self, collective: Collective, weight: float) -> list[_Told]:
        """What each rank says."""
        scale = self._scale
        skipped = scale.skipped - self._held.skipped
        own = (weight, self._loss_sum, self._rows, self._wants_pause, self._step, scale.value, scale.good, skipped)
        return [_Told(*_TOLD.unpack(each)) for each in collective.all_gather(_TOLD.pack(*own))]

    def _hold(self, loss_sum: float, rows: float) -> None:
        """Keep what all ranks have now."""
        scale = self._scale
        now = Progress(
            self._flat,
            self._moments,
            step=self._step,
            loss_sum=loss_sum,
            rows=rows,
            scale=scale.value,
            good=scale.good,
            skipped=scale.skipped,
        )
        self._held = now.copied()
        self._anchor = self._held.flat  # replaced by the next average, never changed
        self.settled = True

    def _forget(self) -> None:
        """Begin to count anew."""
        self._since = 0
        self._group_weight = self._weight = self._loss_sum = self._rows = 0.0

    def progress(self) -> Progress:
        """See ``Strategy``."""
        return self._held

    def held(self) -> Progress | None:
        """See ``Strategy``."""
        return self._held

    def end_epoch(self) -> float:
        """See ``Strategy``."""
        if not self.settled:
            with np.errstate(over="ignore", invalid="ignore"):
                self._settle()
        return self._held.mean_loss

    def outputs(self, batch: Batch) -> Array:
        """See ``Strategy``."""
        return self._learner.outputs(self._flat, batch)


def _group_of(collective: Collective, groups: int) -> Collective:
    """The ranks that average at each period: neighbours, in groups of about the same size."""
    size, rank = collective.size, collective.rank
    groups = max(1, min(groups, size))
    mine = rank * groups // size
    members = [each for each in range(size) if each * groups // size == mine]
    return collective if len(members) == size else collective.subset(members)
