"""Leaf values in fewer bits, and how far predictions can be off for it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.passes.rounding import to_codes, to_half, to_levels
from gbdist.compression.passes.simple import structure_of
from gbdist.compression.passes.sizes import is_number
from gbdist.compression.passes.worth import counted_weights
from gbdist.errors import ModelError, ParameterError
from gbdist.models.ensemble import Ensemble

_Rounding = Callable[[NDArray[np.float64]], NDArray[np.float64]]
_MOST_LEVELS = 1 << 16


@dataclass(frozen=True)
class QuantizeLeaves(Pass):
    """Round all leaf values to numbers that few bits can hold; ``bound_of`` tells how far predictions can move.

    The model stays an ordinary one, and its ``.cbm`` as large: that stores doubles. It is a predictor's file that gets smaller.

    Parameters
    ----------
    to : "fp16", "int8" or None
        "fp16": the nearest number of half precision. "int8": the nearest of 255 whole multiples of a scale, one for each tree,
        which is a float32; before, the middle of a tree's values is moved into the bias, so that all codes are of use.
    levels : int or None
        At most so many different values in all trees together, 2 … 65,536, close to the values of leaves by weight (k-means).

    One of the two is given. ``ParameterError`` for other values; ``ModelError`` for a model that is rounded so already, and for
    "fp16" where a value is too large for it.
    """

    to: str | None = None
    levels: int | None = None

    name: ClassVar[str] = "quantize"
    needs_rows: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if (self.to is None) == (self.levels is None):
            raise ParameterError(
                "to", self.to, f"to or levels, and not both (levels={self.levels!r})", "Give one of them."
            )
        if self.to is not None and self.to not in _ROUNDINGS:
            raise ParameterError("to", self.to, '"fp16" or "int8"', "Use one of them, or levels.")
        if self.levels is not None and not (is_number(self.levels, int) and 2 <= self.levels <= _MOST_LEVELS):
            raise ParameterError(
                "levels", self.levels, f"a whole number from 2 to {_MOST_LEVELS}", "Use 256 for a byte a leaf value."
            )

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        """The ensemble with rounded leaf values; ``data`` is not asked for."""
        del data
        if self.levels is not None:
            return _in_levels(ensemble, self.levels)
        kind = str(self.to)
        if is_quantized(ensemble, kind):
            problem = f"to={kind!r}: the leaf values are rounded so already"
            raise ModelError(problem, "Leave the pass out, or round to fewer bits.")
        if kind == "int8":
            ensemble = _centred(ensemble)
        else:
            _require_half(ensemble)
        rounded = _ROUNDINGS[kind]
        return replace(
            ensemble, trees=tuple(replace(tree, leaf_values=rounded(tree.leaf_values)) for tree in ensemble.trees)
        )


def is_quantized(ensemble: Ensemble, kind: str) -> bool:
    """Whether rounding to "fp16" or "int8" would leave every leaf value as it is."""
    rounded = _ROUNDINGS[kind]
    return all(np.array_equal(rounded(tree.leaf_values), tree.leaf_values) for tree in ensemble.trees)


def bound_of(before: Ensemble, after: Ensemble) -> NDArray[np.float64]:
    """How far raw predictions of ``after`` can be from those of ``before``, float64 [dimension], whatever the row.

    Both have the same trees with other values: a prediction's error is that of the bias plus that of one leaf of each tree, so it
    lies between the sums of the smallest and of the largest errors of the trees. Rounding of the sums themselves is
    allowed for: n additions of numbers whose absolute values add up to s are off by n · s · 2⁻⁵³ at most (Higham, Accuracy and
    Stability of Numerical Algorithms, 4.2), in each of the models. ``ModelError`` where the trees differ.
    """
    _require_same_splits(before, after)
    lowest = after.bias - before.bias
    highest = lowest.copy()
    sizes = np.abs(before.bias) + np.abs(after.bias)
    for one, other in zip(before.trees, after.trees, strict=True):
        errors = other.leaf_values - one.leaf_values
        lowest = lowest + errors.min(axis=0)
        highest = highest + errors.max(axis=0)
        sizes += np.abs(one.leaf_values).max(axis=0) + np.abs(other.leaf_values).max(axis=0)
    # Twice: the bounds above are sums of as many numbers themselves.
    rounding = 2 * (len(before.trees) + 1) * sizes * 2.0**-53
    bounds: NDArray[np.float64] = np.maximum(np.abs(lowest), np.abs(highest)) + rounding
    return bounds


def _multiples(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return to_codes(values).values()


_ROUNDINGS: dict[str, _Rounding] = {"fp16": to_half, "int8": _multiples}


def _centred(ensemble: Ensemble) -> Ensemble:
    """The same predictions, with 0 in the middle between each tree's smallest and largest value."""
    bias, trees = ensemble.bias.copy(), []
    for tree in ensemble.trees:
        middle = (tree.leaf_values.min(axis=0) + tree.leaf_values.max(axis=0)) / 2
        bias += middle
        trees.append(replace(tree, leaf_values=tree.leaf_values - middle))
    return replace(ensemble, trees=tuple(trees), bias=bias)


def _in_levels(ensemble: Ensemble, n_levels: int) -> Ensemble:
    sizes = [tree.leaf_values.size for tree in ensemble.trees]
    values = np.concatenate([tree.leaf_values.ravel() for tree in ensemble.trees] or [np.empty(0)])
    found = np.unique(values).shape[0]
    if found <= n_levels:
        problem = f"levels={n_levels}: the model has no more than {found} different leaf values"
        raise ModelError(problem, "Leave the pass out, or use fewer levels.")
    weights = np.concatenate([np.repeat(counted_weights(tree), ensemble.dimension) for tree in ensemble.trees])
    pieces = np.split(to_levels(values, n_levels, weights).values(), np.cumsum(sizes)[:-1])
    trees = [
        replace(tree, leaf_values=piece.reshape(tree.leaf_values.shape))
        for tree, piece in zip(ensemble.trees, pieces, strict=True)
    ]
    return replace(ensemble, trees=tuple(trees))


def _require_half(ensemble: Ensemble) -> None:
    largest = max(float(np.abs(tree.leaf_values).max()) for tree in ensemble.trees)
    if not np.isfinite(to_half(np.array(largest))):
        raise ModelError(
            f'to="fp16": a leaf value of {largest:.6g} is too large for half precision, which ends at 65504',
            'Use to="int8", which has a scale for each tree, or levels.',
        )


def _require_same_splits(before: Ensemble, after: Ensemble) -> None:
    if [structure_of(tree) for tree in before.trees] != [structure_of(tree) for tree in after.trees]:
        raise ModelError(
            "the two models do not have the same trees, so their leaf values cannot be compared",
            "Compare a model with what QuantizeLeaves made of it.",
        )
