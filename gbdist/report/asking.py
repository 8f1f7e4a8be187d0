"""Questions that CatBoost cannot answer for every model: its answer, or why there is none."""

from collections.abc import Callable
from typing import Any

import numpy as np
from catboost import CatBoostError
from numpy.typing import NDArray


def asked(what: str, question: Callable[[], Any]) -> NDArray[np.float64] | str:
    """CatBoost's answer in float64; a sentence for the page that begins with ``what`` where it refuses."""
    try:
        return np.asarray(question(), dtype=np.float64)
    except CatBoostError as error:
        reason = str(error).splitlines()[0].rpartition(": ")[2] if str(error) else "it does not say why"
        return f"{what} cannot be computed for this model and these rows: CatBoost says “{reason}”."
