"""The code that CUDA's compiler makes of the kernels, which needs the extra "cuda" but no card."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gbdist.kernels

needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason='CUDA\'s compiler is missing: pip install ".[cuda]"'
)


def kernels_in_source() -> int:
    """How many kernels the modules declare, so that a module that the script leaves out is noticed."""
    modules = Path(gbdist.kernels.__file__).parent.glob("cuda_*.py")
    return sum(line == "@kernel" for module in modules for line in module.read_text().splitlines())


@needs_compiler
def test_no_product_is_fused_and_every_addition_is_native() -> None:
    """A fused product would have other bits than the CPU's; an addition by trial would be slow."""
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"}
    script = Path(__file__).with_name("compile_cuda.py")
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=250)
    *problems, count = (done.stdout or "0").splitlines()
    assert done.returncode == 0, done.stderr
    assert problems == []
    assert int(count) == kernels_in_source()
