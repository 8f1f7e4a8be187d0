"""The GPUs of this machine, counted by NVIDIA's driver, without any package."""

import ctypes
import os

__all__ = ["gpus_here"]

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def gpus_here() -> list[str]:
    """The GPUs that this process may use, each as ``CUDA_VISIBLE_DEVICES`` names it; none where there is no driver."""
    count = _count()
    chosen = os.environ.get(_VISIBLE)
    if chosen is None:
        return [str(number) for number in range(count)]
    return [name.strip() for name in chosen.split(",") if name.strip()][:count]


def _count() -> int:
    """How many the driver shows to this process (CUDA driver API: cuInit, cuDeviceGetCount); 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
