"""A search that has everything: all states, a parameter that some trials lack, one that never varies, and curves."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gbdist.report.study import Dimension, StudyFacts, TrialFacts

SPACE = (
    Dimension("rate", "number", 0.001, 1.0, log=True),
    Dimension("depth", "integer", 2.0, 10.0),
    Dimension("policy", "category", choices=("Symmetric", "Depthwise", "Lossguide")),
    Dimension("leaves", "integer", 8.0, 64.0),
    Dimension("border_count", "integer", 32.0, 254.0),
)


def made(n: int = 40, **changed: Any) -> StudyFacts:
    """Trial 7 of each ten fails, 3 is pruned after two iterations; the last one of all runs."""
    draw = np.random.default_rng(4)
    trials = []
    for number in range(n):
        rate, depth = float(np.exp(draw.uniform(np.log(0.001), 0))), int(draw.integers(2, 11))
        policy = SPACE[2].choices[int(draw.integers(3))]
        params = {"rate": rate, "depth": depth, "policy": policy, "border_count": 128}
        if policy == "Lossguide":
            params["leaves"] = int(draw.integers(8, 65))
        value = 0.9 - 0.01 * np.log(rate / 0.1) ** 2 - 0.001 * depth
        curve = tuple((i, float(value - 0.3 * 0.7**i)) for i in range(12))
        given: dict[str, Any] = {"state": "complete", "value": float(value), "curve": curve, "seconds": 1.0 + number}
        if number == n - 1:
            given = {"state": "running", "value": curve[0][1], "curve": curve[:1]}
        elif number % 10 == 7:
            given = {
                "state": "failed",
                "value": None,
                "error": "ParameterError: depth=0 cannot be used",
                "seconds": 0.5,
            }
        elif number % 10 == 3:
            given = {"state": "pruned", "value": curve[1][1], "curve": curve[:2], "seconds": 0.25}
        trials.append(TrialFacts(number=number, params=params, **given))
    importances = {"depth": 0.1, "rate": 0.7, "policy": 0.15, "leaves": 0.05}
    return StudyFacts(**{"name": "shops", "scoring": "roc_auc", "greater_is_better": True, "trials": tuple(trials),
                         "space": SPACE, "importances": importances, **changed})  # fmt: skip


@pytest.fixture(scope="session")
def study() -> Callable[..., StudyFacts]:
    """Facts of a search of ``n`` trials; other arguments are those of ``StudyFacts``, in place of what it has."""
    return made
