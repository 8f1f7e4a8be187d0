"""A card's arrays, and what is said where there are none."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from gbdist.errors import ParameterError
from gbdist.neural.network.arrays import card_arrays


class NoSuchCard(RuntimeError):
    pass


def cupy_with(cards: int, used: list[int]) -> SimpleNamespace:
    """As much of CuPy as choosing a card needs."""

    class Device:
        def __init__(self, number: int) -> None:
            self._number = number

        def use(self) -> None:
            if self._number >= cards:
                raise NoSuchCard("invalid device ordinal")
            used.append(self._number)

    runtime = SimpleNamespace(CUDARuntimeError=NoSuchCard)
    return SimpleNamespace(cuda=SimpleNamespace(Device=Device, runtime=runtime), asnumpy=np.asarray)


def test_a_card_becomes_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []
    cupy = cupy_with(2, used)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    arrays = card_arrays(1)
    assert (arrays.xp, arrays.on_card, used) == (cupy, True, [1])


def test_without_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ParameterError) as caught:
        card_arrays(0)
    assert str(caught.value) == (
        "task_type='GPU' cannot be used: expected CuPy where a network is trained. "
        'Install it: pip install "gbdist[cuda]" (import of cupy halted; None in sys.modules).'
    )


def test_without_that_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", cupy_with(1, []))
    with pytest.raises(ParameterError) as caught:
        card_arrays(1)
    assert str(caught.value) == (
        "devices=1 cannot be used: expected a card that CuPy sees. Choose another one (invalid device ordinal)."
    )
