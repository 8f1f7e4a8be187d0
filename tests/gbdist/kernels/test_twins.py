"""Every CPU kernel has an obvious twin with the same parameters, and a test that calls it."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from numba.core.dispatcher import Dispatcher

from gbdist import kernels

#: held to CatBoost's own function instead, ties included (test_cpu_borders.py)
HELD_TO_CATBOOST = {"greedy_log_sum"}


def modules(prefix: str) -> list[ModuleType]:
    names = [module.name for module in pkgutil.iter_modules(kernels.__path__) if module.name.startswith(prefix)]
    return [importlib.import_module(f"{kernels.__name__}.{name}") for name in names]


def kernels_by_name() -> dict[str, Any]:
    found = {}
    for module in modules("cpu_"):
        for name, member in vars(module).items():
            is_kernel = isinstance(member, Dispatcher) and not member.targetoptions.get("forceinline")
            if is_kernel and member.py_func.__module__ == module.__name__:
                found[name] = member
    return found


KERNELS = kernels_by_name()


def test_kernels_are_found() -> None:
    assert {"pack_cells", "best_borders", "solve_leaves", "add_softmax_leaf_sums", "bin_tile"} <= set(KERNELS)


@pytest.mark.parametrize("name", sorted(set(KERNELS) - HELD_TO_CATBOOST))
def test_a_kernel_has_a_twin_with_its_parameters(name: str) -> None:
    twins = [vars(module)[name] for module in modules("reference_") if name in vars(module)]
    assert len(twins) == 1, f"{name} needs one function of its name in a module reference_*"
    assert list(inspect.signature(twins[0]).parameters) == list(inspect.signature(KERNELS[name].py_func).parameters)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_a_kernel_is_named_by_a_test(name: str) -> None:
    tests = [path for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)]
    assert any(re.search(rf"\b{name}\b", path.read_text(encoding="utf-8")) for path in tests)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_a_kernel_says_what_it_does(name: str) -> None:
    assert inspect.getdoc(KERNELS[name].py_func)
