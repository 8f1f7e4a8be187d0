"""Fewer trees, which stay as they are: the first ones, or all but those that matter least."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.passes.aims import Aim
from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.passes.gram import normal_equations
from gbdist.compression.passes.outputs import add_tree, losses_of, raw_predictions
from gbdist.compression.passes.sizes import check_several, check_size, is_number, rows_given, size_of
from gbdist.compression.passes.subsets import order_of_removal
from gbdist.errors import ParameterError
from gbdist.models.ensemble import Ensemble

#: Raw values that wait for the metric together, which is one round for all.
_WAITING = 1 << 23
_MOST_WAITING = 64


@dataclass(frozen=True)
class Drop(Pass):
    """Leave trees out.

    Parameters
    ----------
    how : str
        "best": the first trees, up to where the loss on the rows' labels is lowest; "prefix": the first trees; "backward": all
        but those that matter least, found one by one from the normal equations (``gram``), constants making up for their means.
    trees, share : int or float
        How many trees are left, or which share of them.
    loss : float
        Or as few as possible while the loss on the rows grows by no more than this share: 0.002. Rows that the trees were grown
        on let it grow sooner than others do.
    """

    how: Literal["best", "prefix", "backward"] = "best"
    trees: int | None = None
    share: float | None = None
    loss: float | None = None

    name: ClassVar[str] = "drop"

    def __post_init__(self) -> None:
        if self.how not in ("best", "prefix", "backward"):
            raise ParameterError("how", self.how, "'best', 'prefix' or 'backward'", "Leave it out for 'best'.")
        sizes = {"trees": self.trees, "share": self.share, "loss": self.loss}
        given = [name for name, value in sizes.items() if value is not None]
        if self.how == "best":
            if given:
                fix = "Leave it out, or set how='prefix'."
                raise ParameterError(given[0], sizes[given[0]], "nothing beside how='best'", fix)
        elif self.loss is None:
            check_size(self.trees, self.share)
        elif len(given) > 1:
            raise ParameterError(given[0], sizes[given[0]], f"nothing beside loss={self.loss!r}", "Leave one out.")
        elif not (is_number(self.loss) and self.loss >= 0.0):
            raise ParameterError("loss", self.loss, "at least 0", "Say by what share the loss may grow: 0.002.")

    @property
    def needs_rows(self) -> bool:  # type: ignore[override]
        """Whether the rows are asked which trees to drop."""
        return self.how != "prefix" or self.loss is not None

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        """See ``Pass``."""
        check_several(ensemble, self.name)
        size = None if self.how == "best" or self.loss is not None else size_of(ensemble, self.trees, self.share)
        if self.how != "backward":
            if size is None:
                size = self._best_prefix(ensemble, rows_given(data, self.name))
            return replace(ensemble, trees=ensemble.trees[:size])
        return self._backward(ensemble, size, rows_given(data, self.name))

    def _best_prefix(self, ensemble: Ensemble, data: PassData) -> int:
        raw = np.repeat(ensemble.bias[:, np.newaxis], data.rows.n_rows, axis=1)
        losses = _losses_along(ensemble, range(len(ensemble.trees)), raw, data)
        if self.loss is None:
            return 1 + int(np.argmin(losses))
        return 1 + int(np.flatnonzero(losses <= _bound(losses[-1], self.loss))[0])

    def _backward(self, ensemble: Ensemble, size: int | None, data: PassData) -> Ensemble:
        order, shifts = order_of_removal(normal_equations(ensemble, data, Aim(copies=0)), data.check)
        n = len(ensemble.trees)
        if size is None:
            raw = raw_predictions(ensemble, data)
            (now,) = _harms([raw], data)
            losses = _losses_along(ensemble, order[:-1].tolist(), raw, data, sign=-1.0, shifts=shifts)
            fine = np.flatnonzero(losses <= _bound(now, self.loss or 0.0))
            size = n - (1 + int(fine[-1]) if fine.shape[0] else 0)
        if size == n:
            return ensemble
        kept = sorted(order[n - size :].tolist())
        trees = tuple(ensemble.trees[tree] for tree in kept)
        return replace(ensemble, trees=trees, bias=ensemble.bias + shifts[n - size - 1])


def _losses_along(
    ensemble: Ensemble,
    order: Sequence[int],
    raw: NDArray[np.float64],
    data: PassData,
    sign: float = 1.0,
    shifts: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """The loss over all ranks after each of some trees is added to raw predictions (IN and OUT), float64 [n_trees].

    ``shifts`` float64 [n_trees, dimension] are added to those that are measured, each to its own. Metrics of which more is
    better are turned round.
    """
    together = max(1, min(_MOST_WAITING, _WAITING // max(1, data.losses.n_rows * raw.shape[0])))
    losses: list[float] = []
    waiting: list[NDArray[np.float64]] = []
    for place, tree in enumerate(order):
        data.check()
        add_tree(ensemble.trees[tree], raw, data, sign)
        waiting.append(raw.copy() if shifts is None else raw + shifts[place][:, np.newaxis])
        if len(waiting) == together or place == len(order) - 1:
            losses += _harms(waiting, data)
            waiting.clear()
    return np.array(losses)


def _harms(raws: Sequence[NDArray[np.float64]], data: PassData) -> list[float]:
    return [data.measure.harm(loss) for loss in losses_of(raws, data)]


def _bound(loss: float, share: float) -> float:
    return loss + share * abs(loss)
