"""What ``gbdist demo`` does: real data, two workers, a model, and CatBoost alone with the same parameters to compare with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gbdist.jobs.comparison import DemoData, DemoRow, compare

PARAMS: dict[str, Any] = {"iterations": 150, "depth": 5, "learning_rate": 0.1, "random_seed": 0}
TARGET = "digit"


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo made: a model, the data it was made from, and the table."""

    title: str
    rows: tuple[DemoRow, ...]
    remark: str
    model: Path
    train_data: Path
    holdout: Path


def demo(model: Path, say: Callable[[str], None]) -> DemoResult:
    """Run the demo; ``say`` is called with a line for each step.

    Parameters
    ----------
    model : path
        Where the model goes; the data go into the folder ``gbdist-demo`` beside it.
    """
    described = "scikit-learn's handwritten digits"
    data = DemoData("gbdist-demo", described, _digits(), TARGET, "multiclass", PARAMS)
    made = compare(data, model, say)
    title = f"digits: {made.rows[0].trees} trees of depth {PARAMS['depth']}, 10 classes, 64 features, scored on 360 held-out rows"
    remark = (
        "1,437 training rows are small: the table shows that the result is as good, not that it is faster. A first run "
        "also compiles gbdist's kernels, once. Workers pay off from about a million rows on."
    )
    return DemoResult(title, made.rows, remark, model, made.train_data, made.holdout)


def _digits() -> Any:
    import pandas as pd
    from sklearn.datasets import load_digits

    digits = load_digits()
    table = pd.DataFrame(digits.data.astype("float32"), columns=digits.feature_names)
    table[TARGET] = digits.target
    return table
