"""What the packages export is there, and every pass is exported."""

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

from gbdist import compression
from gbdist.compression import passes
from gbdist.compression.passes.base import Pass


@pytest.mark.parametrize("package", [compression, passes])
def test_names_are_there(package: ModuleType) -> None:
    assert dir(package) == package.__all__
    assert all(getattr(package, name).__name__ == name for name in package.__all__)
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'Shrink'"):
        _ = package.Shrink


def test_every_pass_is_exported() -> None:
    for module in pkgutil.iter_modules(passes.__path__, f"{passes.__name__}."):
        importlib.import_module(module.name)
    found = {one.__name__ for one in Pass.__subclasses__() if one.__module__.startswith(passes.__name__)}
    assert {*found, "Pass", "PassData"} == set(passes.__all__)


def test_passes_load_neither_dask_nor_scikit_learn() -> None:
    code = (
        "import sys, gbdist.compression.passes.base; assert not {'dask', 'distributed', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
