"""A card's memory without a card: arrays that NumPy's own do not mix with, and a namespace that has what CuPy has.

``Elsewhere`` refuses whatever CuPy's arrays refuse: an operation with an array of NumPy's memory, a kernel of the CPU, becoming
one of NumPy's by itself.
"""

from typing import Any, ClassVar

import numpy as np

from gbdist.kernels import reference_networks
from gbdist.neural.network.arrays import Arrays


class Elsewhere:
    """An array of another memory."""

    calls: ClassVar[int] = 0
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, hidden: np.ndarray) -> None:
        self._hidden = hidden

    def __array__(self, *arguments: Any, **more: Any) -> np.ndarray:
        raise TypeError("an array of another memory does not become NumPy's by itself")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **more: Any) -> Any:
        if method != "__call__" or set(more) - {"out", "dtype"}:
            raise TypeError(f"{ufunc.__name__}.{method} with {sorted(more)} is not what CuPy has")
        return _called(ufunc, inputs, more)

    def __array_function__(self, function: Any, types: Any, arguments: Any, more: Any) -> Any:
        return _called(function, arguments, more)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # protocols of memory: __array_interface__ and the like
            raise AttributeError(name)
        found = getattr(self._hidden, name)
        if not callable(found):
            return _elsewhere(found)
        return lambda *arguments, **more: _called(found, arguments, more)

    def __getitem__(self, key: Any) -> Any:
        return _called(self._hidden.__getitem__, (key,), {})

    def __setitem__(self, key: Any, value: Any) -> None:
        _called(self._hidden.__setitem__, (key, value), {})

    def __len__(self) -> int:
        return len(self._hidden)

    def __float__(self) -> float:
        return float(self._hidden)


def _operator(name: str) -> Any:
    def operator(self: Elsewhere, *others: Any) -> Any:
        found = _called(getattr(self._hidden, name), others, {})
        return self if name.startswith("__i") and name != "__invert__" else found

    return operator


_ARITHMETIC = ("add", "sub", "mul", "truediv")
for _name in (
    *(f"{kind}{name}" for kind in ("", "r", "i") for name in _ARITHMETIC),
    *("and", "or", "xor", "rshift", "lshift", "neg", "abs", "invert", "lt", "le", "gt", "ge", "eq", "ne", "iand"),
):
    setattr(Elsewhere, f"__{_name}__", _operator(f"__{_name}__"))


def _called(function: Any, arguments: Any, more: Any) -> Any:
    """Call NumPy's function on what is hidden; TypeError where an array of NumPy's memory comes along."""
    Elsewhere.calls += 1
    bare = [_bare(each) for each in arguments]
    named = {name: _bare(each) for name, each in more.items() if name != "like"}
    found = _elsewhere(function(*bare, **named))
    return more["out"] if isinstance(more.get("out"), Elsewhere) else found


def _bare(value: Any) -> Any:
    if isinstance(value, Elsewhere):
        return value._hidden
    if isinstance(value, tuple | list):
        return type(value)(_bare(each) for each in value)
    if isinstance(value, np.ndarray) and value.ndim:
        raise TypeError("an array of NumPy's memory is not taken in another one")
    return value


def _elsewhere(value: Any) -> Any:
    return Elsewhere(value) if isinstance(value, np.ndarray | np.generic) and not isinstance(value, np.dtype) else value


class _Namespace:
    """Functions of NumPy that CuPy has too, under the names that networks use."""

    def __getattr__(self, name: str) -> Any:
        if name not in HAD_BY_CUPY:
            raise AttributeError(f"add {name} here if CuPy has it")
        return lambda *arguments, **more: _called(getattr(np, name), arguments, more)

    def asarray(self, array: Any, dtype: Any = None) -> Elsewhere:
        return array if isinstance(array, Elsewhere) and array.dtype == dtype else self.array(array, dtype)

    def array(self, array: Any, dtype: Any = None) -> Elsewhere:
        return Elsewhere(np.array(array._hidden if isinstance(array, Elsewhere) else array, dtype))

    def asnumpy(self, array: Elsewhere) -> np.ndarray:
        return np.array(array._hidden)


HAD_BY_CUPY = {
    *(
        "abs",
        "add",
        "arange",
        "concatenate",
        "cos",
        "divide",
        "empty",
        "exp",
        "log",
        "log1p",
        "matmul",
        "maximum",
        "multiply",
        "sin",
    ),
    *("subtract", "sum", "take", "tanh", "where"),
}
OTHER = Arrays(_Namespace(), reference_networks, on_card=True)
