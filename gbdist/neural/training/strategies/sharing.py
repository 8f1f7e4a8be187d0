"""The rows of a batch, brought from the ranks of a group to those of its ranks that need them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.neural.network.blocks import Batch

_HEAD = np.dtype("<i8")


@dataclass(frozen=True, slots=True)
class Needs:
    """What a rank needs of the rows of its group, beside their weights and numbers, which all ranks get."""

    inputs: bool
    targets: bool


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """What a group knows of a batch: its rows, how many of them each rank has brought, and whether a rank has raised its flag."""

    batch: Batch
    counts: list[int]
    flagged: bool


class RowSharing:
    """Brings together the rows that the ranks of a group have of one batch, in the order of the ranks.

    Parameters
    ----------
    group : Collective
        The ranks that share one network.
    needs : a Needs for each rank of the group
    """

    def __init__(self, group: Collective, needs: Sequence[Needs]) -> None:
        self._group, self._needs = group, needs

    def shared(self, batch: Batch, flag: bool = False) -> Shared:
        """All rows of the group, and whether any of its ranks has raised a flag.

        Arrays are NumPy's. What this rank does not need is left out: inputs have no columns then, and targets are None. All ranks
        have targets, or none has; weights are 1 on a rank without any.
        """
        if self._group.size == 1:
            return Shared(batch, [batch.n_rows], flag)
        mine = self._needs[self._group.rank]
        parcels = {each: self._parcel(batch, flag, each) for each in set(self._needs)}
        arrived = self._group.all_to_all([parcels[each] for each in self._needs])
        parts = [self._opened(item, batch, mine) for item in arrived]
        counts = [part.n_rows for part in parts]
        weighted = any(part.weight is not None for part in parts)
        weights = [np.ones(part.n_rows, batch.numeric.dtype) if part.weight is None else part.weight for part in parts]
        whole = Batch(
            np.concatenate([part.numeric for part in parts]),
            np.concatenate([part.codes for part in parts]),
            np.concatenate([part.target for part in parts]) if parts[0].target is not None else None,
            np.concatenate(weights) if weighted else None,
            np.concatenate([part.numbers for part in parts]),
        )
        return Shared(whole, counts, any(_head_of(item)[2] for item in arrived))

    @staticmethod
    def _parcel(batch: Batch, flag: bool, needs: Needs) -> bytes:
        """The number of rows, whether they have weights, the flag, and the arrays that are needed."""
        head = np.array([batch.n_rows, batch.weight is not None, flag], _HEAD)
        return b"".join(
            [head.tobytes(), *(each.tobytes() for each in _arrays_of(batch, needs, batch.weight is not None))]
        )

    @staticmethod
    def _opened(item: bytes, like: Batch, needs: Needs) -> Batch:
        """Read a parcel: its arrays are of the kinds that this rank's own have."""
        count, weighted, _ = _head_of(item)
        arrays, at = [], 3 * _HEAD.itemsize
        for array in _arrays_of(like, needs, weighted > 0):
            shape = (count, *array.shape[1:])
            arrays.append(np.frombuffer(item, array.dtype, int(np.prod(shape)), at).reshape(shape))
            at += arrays[-1].nbytes
        numbers = arrays.pop(0)
        weight = arrays.pop(0) if weighted else None
        if needs.inputs:
            numeric, codes = arrays.pop(0), arrays.pop(0)
        else:
            numeric, codes = (np.empty((count, 0), each.dtype) for each in (like.numeric, like.codes))
        return Batch(numeric, codes, arrays.pop(0) if arrays else None, weight, numbers)


def _head_of(item: bytes) -> list[int]:
    """Rows, weighted or not, flagged or not."""
    head: list[int] = np.frombuffer(item, _HEAD, 3).tolist()
    return head


def _arrays_of(batch: Batch, needs: Needs, weighted: bool) -> list[NDArray[Any]]:
    """The arrays of a parcel; where ``weighted`` is asked of a batch without weights, one of their kind."""
    weight = batch.weight if batch.weight is not None else batch.numeric[:, :0].sum(1)
    return [
        batch.numbers,
        *([weight] if weighted else []),
        *([batch.numeric, batch.codes] if needs.inputs else []),
        *([batch.target] if needs.targets and batch.target is not None else []),
    ]
