"""Kernels work where nothing may be written, and say so once."""

import subprocess
import sys

READ_ONLY = """
import numba.core.caching as caching
kinds = getattr(caching, "CacheImpl", None) or caching._CacheImpl  # numba's name for it, new and old
kinds._locator_classes = []  # what numba is left with where no directory can be written
import numpy as np
from gbdist.kernels import cpu_histogram, cpu_rows
leaves = np.zeros(3, np.uint16)
cpu_rows.split_leaves(np.array([1, 2, 3], np.uint8), 1, 0, leaves)
assert leaves.tolist() == [0, 1, 1]
"""


def test_a_read_only_install_says_so_once_and_works() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", READ_ONLY], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("compiled kernels cannot be kept on disk") == 1
    assert "Set NUMBA_CACHE_DIR to a directory that can be written." in done.stderr
