"""How every CPU kernel is compiled: one decorator, so that the rules of DESIGN hold in one place."""

import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_said_uncached = False


def kernel(function: Kernel) -> Kernel:
    """Compile a kernel: single-threaded, without the GIL, without fast-math, cached on disk.

    Where no cache directory can be written (a read-only install without a home), the kernel
    is compiled anew in each process, which is said once.
    """
    try:
        return cast(Kernel, numba.njit(nogil=True, cache=True, error_model="numpy")(function))
    except RuntimeError as error:  # numba finds no place that it may write to
        _say_uncached_once(error)
        return cast(Kernel, numba.njit(nogil=True, cache=False, error_model="numpy")(function))


def device_function(function: Kernel) -> Kernel:
    """Compile a small function that kernels call; it is inlined into them by LLVM."""
    return cast(Kernel, numba.njit(nogil=True, error_model="numpy", forceinline=True)(function))


def _say_uncached_once(error: RuntimeError) -> None:
    global _said_uncached
    if not _said_uncached:
        _said_uncached = True
        warnings.warn(
            f"compiled kernels cannot be kept on disk ({error}); each process compiles them again, which takes "
            "about ten seconds. Set NUMBA_CACHE_DIR to a directory that can be written.",
            RuntimeWarning,
            stacklevel=3,
        )
