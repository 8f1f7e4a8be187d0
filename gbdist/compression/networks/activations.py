"""How the units of a network vary over rows: means and scatter of what each layer gives, here or partition by partition."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dask
import numpy as np
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.estimators.fitted import scheduler_of
from gbdist.estimators.networks.inputs import read_inputs
from gbdist.estimators.networks.model import NetworkModel
from gbdist.estimators.networks.prediction import NETWORK
from gbdist.estimators.prediction.answers import ShippedModel, ship
from gbdist.estimators.prediction.features import Expected
from gbdist.estimators.preparation.inputs import is_lazy
from gbdist.estimators.preparation.tables import as_table, count_rows
from gbdist.neural.network.blocks import Batch
from gbdist.neural.network.inputs import Inputs
from gbdist.neural.network.network import Network
from gbdist.neural.training.threads import blas_threads

#: Rows that go through the network at a time: vectors of a thousand embedded numbers are 200 MB of them.
_ROWS = 1024
#: One row has no spread: every unit would be a constant.
_FEWEST_ROWS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Units in groups of one size, over some rows.

    Parameters
    ----------
    n_rows : int
    mean : float64 [n_groups, n_units]
    scatter : float64 [n_groups, n_units, n_units]
        Σ (a − mean)(a − mean)ᵀ over rows, of units of one group with each other.
    """

    n_rows: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Spread":
        """Of some rows, [n_rows, n_groups, n_units], at least one."""
        mean = values.mean(axis=0)
        apart = (values - mean).transpose(1, 0, 2)
        return cls(values.shape[0], mean, apart.transpose(0, 2, 1) @ apart)

    def merged(self, other: "Spread") -> "Spread":
        """Both together, by Chan, Golub and LeVeque's update, which does not cancel as sums of products do."""
        total = self.n_rows + other.n_rows
        apart = other.mean - self.mean
        between = apart[:, :, None] * apart[:, None, :] * (self.n_rows * other.n_rows / total)
        return Spread(total, self.mean + apart * (other.n_rows / total), self.scatter + other.scatter + between)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """float64 [n_groups, n_units, n_units]."""
        return self.scatter / self.n_rows


#: Spreads of a network's layers, from the input on: of the vectors of numbers, a group each, where they are embedded; then of
#: each hidden layer, one group.
Spreads = tuple[Spread, ...]


def spreads_of(model: NetworkModel, X: Any, expected: Expected, client: Any) -> Spreads:
    """Over all rows of X: a table in memory, or a Dask collection, whose partitions are read where they are.

    Spreads of partitions are merged in pairs, neighbours first, so that they depend on the partitions and not on the workers;
    other partitions change them by rounding alone. DataError for columns that the network has not, and for fewer than 2 rows.
    """
    if is_lazy(X):
        expected.check(X)
        found = _of_partitions(model, X, expected, client)
    else:
        X = as_table(X)
        expected.check(X)
        found = _of_table(X, model, expected, 0)
    n_rows = found[0].n_rows if found else 0
    if n_rows < _FEWEST_ROWS:
        fix = "Pass rows like those that the network predicts, some thousands if there are as many."
        raise DataError("X", f"{n_rows} row(s)", f"at least {_FEWEST_ROWS}, to see which units vary", fix)
    return found


def _of_partitions(model: NetworkModel, X: Any, expected: Expected, client: Any) -> Spreads:
    from gbdist.estimators.preparation.lazy_parts import LazyParts  # loads distributed, which only collections need

    parts = LazyParts([X], int(X.npartitions)).delayed(0) or []
    shipped = ship(model, NETWORK)
    task, both = dask.delayed(_of_part, pure=True), dask.delayed(merged, pure=True)
    level: list[Any] = [task(part, shipped, expected, number) for number, part in enumerate(parts)]
    while len(level) > 1:
        pairs = [both(*level[at : at + 2]) for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    scheduler = scheduler_of(client)
    (found,) = dask.compute(*level) if scheduler is None else dask.compute(*level, scheduler=scheduler)
    return tuple(found)


def _of_part(part: Any, shipped: ShippedModel, expected: Expected, number: int) -> Spreads:
    expected.check(part, warn_without_names=False)
    with blas_threads(1):  # Dask's thread is the unit of its work
        return _of_table(part, shipped.load(), expected, number)


def _of_table(X: Any, model: NetworkModel, expected: Expected, number: int) -> Spreads:
    """Of the rows of one table; nothing where there are none."""
    found: Spreads = ()
    if count_rows(X) == 0:
        return found
    numeric, codes = read_inputs(X, expected, model.inputs, number)
    for layers in layer_outputs(model, numeric.astype(np.float64), codes):
        found = merged(found, tuple(map(Spread.of, layers)))
    return found


def merged(one: Spreads, other: Spreads) -> Spreads:
    """Both together; nothing is none of no rows."""
    if not one or not other:
        return one or other
    return tuple(mine.merged(theirs) for mine, theirs in zip(one, other, strict=True))


def layer_outputs(
    model: NetworkModel, numeric: NDArray[np.float64], codes: NDArray[np.int32]
) -> Iterator[Sequence[NDArray[np.float64]]]:
    """What each layer but the last gives, in pieces of the rows: of each layer [n_rows, n_groups, n_units], as ``Spreads``.

    ``numeric`` are scaled numbers [n_rows, n_numeric], ``codes`` those of categories; computed in float64.
    """
    network = Network(model.spec, "float64")
    flat = model.flat.astype(np.float64)
    views = [[slot.of(flat) for slot in slots] for _, slots in network.blocks]
    embedded = model.spec.n_numeric * model.spec.embedding_size
    whole = Batch.to_predict(numeric, codes)
    for begin in range(0, whole.n_rows, _ROWS):
        batch = whole.some(slice(begin, begin + _ROWS))
        x: Any = network.given(batch)
        layers, kept = [], []  # what a block has kept holds the memory of what it gave
        for (block, _), parameters in zip(network.blocks[:-1], views, strict=False):
            x, left = block.forward(parameters, x, batch.numbers, None)
            kept.append(left)
            if not isinstance(block, Inputs):
                layers.append(x[:, None, :])
            elif embedded:
                layers.append(x[:, :embedded].reshape(-1, model.spec.n_numeric, model.spec.embedding_size))
        yield layers
