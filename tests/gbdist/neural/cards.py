"""Whether networks have a real card here; without one ``network.other_memory`` stands in for its memory."""

import importlib.util

import pytest


def why_no_card() -> str:
    """Why CuPy cannot be used here; empty if it can."""
    if importlib.util.find_spec("cupy") is None:
        return 'CuPy is missing: pip install ".[cuda]"'
    import cupy

    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy sees no GPU: {error}"
    return "" if count else "CuPy sees no GPU"


_WHY_NONE = why_no_card()
#: Of tests that need a card.
needs_card = pytest.mark.skipif(bool(_WHY_NONE), reason=_WHY_NONE)
