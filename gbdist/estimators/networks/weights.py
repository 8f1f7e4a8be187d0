"""A network's weights in fewer bits: what of them a file has, what is computed with, and how far that may be from what was."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import ModelError
from gbdist.neural.network.blocks import Slot
from gbdist.neural.network.network import Network
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.state import Vector

#: Bits of a weight: float16's, or whole numbers of a step of its unit.
KINDS: Final = ("fp16", "int8")
#: Arrays that are rounded: matrices and tables. Biases are few, and a frequency's error grows with the number it multiplies.
_ROUNDED: Final = ("coef_", "numeric_coef", "categories_")
#: The largest weight of a unit in steps. With what is carried from one weight to the next it is 127.
_LARGEST: Final = 126.5
#: What a rounded weight may be off by, in steps: half of one, and the rounding of products to float32.
_HALF: Final = 0.50001
#: Digits of float16, and the exponent below which it has fewer.
_DIGITS, _LOWEST = 10, -14


@dataclass(frozen=True, slots=True, eq=False)
class SmallWeights:
    """The parameters of a network, some of them rounded.

    Parameters
    ----------
    kind : one of KINDS
    exact : float32 or float64 [n_exact]
        Those that are as they were, in their order; of the type of all parameters.
    codes : int8 or float16 [n_rounded]
        The others in their order: numbers of steps, or the weights themselves.
    steps : float32 [n_units], or [0] with "fp16"
        Of each unit of each rounded array, in order.
    lost : float64 [n_layers]
        Of the matrix of each dense layer, the largest singular value of what rounding has changed in it.
    """

    kind: str
    exact: Vector
    codes: NDArray[Any]
    steps: NDArray[np.float32]
    lost: NDArray[np.float64]

    @property
    def arrays(self) -> list[NDArray[Any]]:
        """What a file has of them, beside ``kind``; in the order of the fields."""
        return [self.exact, self.codes, self.steps, self.lost]

    def flat(self, spec: NetworkSpec) -> Vector:
        """All parameters of the network, as they are computed with; of the type of ``exact``."""
        network = Network(spec)
        flat = np.empty(network.n_parameters, self.exact.dtype)
        for slot, exact, codes, steps in self._arrays(network.slots):
            slot.of(flat)[...] = exact if codes is None else _weights(codes, steps, flat.dtype)
        return flat

    def errors(self, spec: NetworkSpec) -> NDArray[np.float64]:
        """How far each parameter may be from what it was, float64 [n_parameters].

        Of "piecewise" vectors: how far the sums of weights over bins may be, which is what rounding keeps small, told as errors
        of the first and of the last bin.
        """
        network = Network(spec)
        errors = np.zeros(network.n_parameters)
        for slot, _, codes, steps in self._arrays(network.slots):
            if codes is None:
                continue
            of_slot = slot.of(errors)
            halves = _half_ulps(codes) if steps is None else _HALF * steps[..., None, :]
            if _carries(slot, spec):
                largest = halves.max(axis=1)  # of one unit's sums, whose bins may have steps of several lengths
                for number, edges in enumerate(spec.edges):
                    of_slot[number, len(edges) - 2] = 2 * largest[number]
                    if len(edges) > 2:
                        of_slot[number, 0] = largest[number]
            else:
                of_slot[...] = halves
        return errors

    def _arrays(self, slots: tuple[Slot, ...]) -> Iterator[tuple[Slot, Any, Any, Any]]:
        """Of each slot its exact values, or its codes and its steps, each None where there are none."""
        n_exact = n_codes = n_steps = 0
        for slot in slots:
            if not slot.name.startswith(_ROUNDED):
                yield slot, self.exact[n_exact : n_exact + slot.size].reshape(slot.shape), None, None
                n_exact += slot.size
                continue
            codes = self.codes[n_codes : n_codes + slot.size].reshape(slot.shape)
            n_codes += slot.size
            if self.kind == "fp16":
                yield slot, None, codes, None
                continue
            of_units = (*slot.shape[:-2], slot.shape[-1])
            steps = self.steps[n_steps : n_steps + int(np.prod(of_units))].reshape(of_units)
            n_steps += steps.size
            yield slot, None, codes, steps


def rounded_weights(spec: NetworkSpec, flat: Vector, kind: str) -> SmallWeights:
    """Parameters of a network with its matrices and tables rounded; ModelError for weights that ``kind`` cannot hold.

    "fp16": to the nearest float16. "int8": to the nearest multiple of a step, the largest weight of a unit ÷ 126.5. In vectors of
    "piecewise" embeddings, where a number sees the sum of the weights of all bins below it, what rounding a weight leaves is
    carried to the next bin, so that no sum is off by more than one weight may be, however many bins there are.
    """
    exact: list[NDArray[Any]] = []
    codes: list[NDArray[Any]] = []
    steps: list[NDArray[np.float32]] = []
    network = Network(spec)
    for slot in network.slots:
        weights = slot.of(flat)
        if not slot.name.startswith(_ROUNDED):
            exact.append(weights.ravel())
            continue
        step = None if kind == "fp16" else _step_of(weights)
        found = _carried(weights, step, slot.name) if _carries(slot, spec) else _codes(weights, step, slot.name)
        codes.append(found.ravel())
        if step is not None:
            steps.append(step.ravel())
    all_steps = np.concatenate([np.empty(0, np.float32), *steps])
    small = SmallWeights(kind, np.concatenate(exact), np.concatenate(codes), all_steps, np.empty(0))
    change = small.flat(spec).astype(np.float64) - flat
    return replace(small, lost=np.array([np.linalg.norm(each, 2) for each in network.coefs(change)]))


def _carries(slot: Slot, spec: NetworkSpec) -> bool:
    """Whether the weights of a unit are added up from the first on."""
    return slot.name == "numeric_coef" and spec.numeric_embedding == "piecewise"


def _codes(weights: NDArray[Any], step: NDArray[np.float32] | None, name: str) -> NDArray[Any]:
    """The nearest codes of weights [..., n_units], of a step each or None for float16."""
    if step is not None:
        return np.asarray(np.rint(weights / step[..., None, :]), np.int8)
    with np.errstate(over="ignore"):
        halves = np.asarray(weights, np.float16)
    if not np.isfinite(halves).all():
        largest = float(np.abs(weights).max())
        raise ModelError(f"{name} has a weight of {largest:g}, and fp16 ends at 65504", 'Use "int8".')
    return halves


def _half_ulps(halves: NDArray[Any]) -> NDArray[np.float64]:
    """How far what became these float16 may have been from them."""
    exponent = np.frexp(np.abs(halves.astype(np.float64)))[1] - 1
    return np.asarray(np.ldexp(0.5, np.maximum(exponent, _LOWEST) - _DIGITS))


def _step_of(weights: NDArray[Any]) -> NDArray[np.float32]:
    """Of each unit, the last axis, over the axis before it; never 0."""
    largest = np.abs(weights.astype(np.float64)).max(axis=-2, initial=0.0)
    return np.asarray(np.maximum(largest / _LARGEST, np.finfo(np.float32).tiny), np.float32)


def _carried(weights: NDArray[Any], step: NDArray[np.float32] | None, name: str) -> NDArray[Any]:
    """Codes of weights [n_numeric, n_bins, n_units] whose running sums over bins stay near."""
    codes = np.empty(weights.shape, np.float16 if step is None else np.int8)
    left = np.zeros((weights.shape[0], weights.shape[2]))
    for at in range(weights.shape[1]):
        wanted = weights[:, at] + left
        code = _codes(wanted[:, None], step, name)
        codes[:, at] = code[:, 0]
        left = wanted - _weights(code, step, weights.dtype)[:, 0]
    return codes


def _weights(codes: NDArray[Any], steps: NDArray[np.float32] | None, dtype: np.dtype[Any]) -> Vector:
    if steps is None:
        return codes.astype(dtype)
    return np.asarray(codes.astype(np.float64) * steps[..., None, :], dtype)
