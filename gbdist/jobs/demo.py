"""What ``gbdist demo`` does: real data, two workers, a model, and CatBoost alone with the same parameters to compare with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from gbdist.jobs.cluster import workers_for
from gbdist.jobs.outputs import require_writable_file
from gbdist.jobs.tables import open_table
from gbdist.jobs.targets import Task
from gbdist.jobs.train import make_estimator

PARAMS: dict[str, Any] = {"iterations": 150, "depth": 5, "learning_rate": 0.1, "random_seed": 0}
TARGET = "digit"

_PARTITIONS = 6
_HOLDOUT_EVERY = 5
_TASK: Task = "multiclass"


@dataclass(frozen=True, slots=True)
class DemoRow:
    """One trainer in the table of the demo. ``logloss`` and ``accuracy`` are those of the holdout."""

    trainer: str
    trees: int
    seconds: float
    logloss: float
    accuracy: float


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
    require_writable_file(model)
    folder = model.absolute().parent / "gbdist-demo"
    train_data, holdout = write_digits(folder)
    say(f"1. wrote scikit-learn's handwritten digits to {train_data} ({_PARTITIONS} Parquet partitions) and {holdout}")
    with workers_for(None, workers=2, threads=1) as client:
        say(f"2. started 2 workers; their dashboard, while this runs: {client.dashboard_link}")
        estimator = make_estimator(_TASK, {**PARAMS, "verbose": False}, client)
        table = open_table([str(train_data)], required=[TARGET])
        started = perf_counter()
        estimator.fit(table, TARGET)
        seconds = perf_counter() - started
    estimator.save_model(str(model))
    say(f"3. trained on the workers, saved {model}")
    ours = _row("gbdist, 2 workers x 1 thread", estimator.model_, seconds, holdout)
    theirs = _row("CatBoost alone, 2 threads", *_train_alone(train_data), holdout)
    title = (
        f"digits: {ours.trees} trees of depth {PARAMS['depth']}, 10 classes, 64 features, scored on 360 held-out rows"
    )
    remark = (
        "1,437 training rows are small: the table shows that the result is as good, not that it is faster. A first run "
        "also compiles gbdist's kernels, once. Workers pay off from about a million rows on."
    )
    return DemoResult(title, (ours, theirs), remark, model, train_data, holdout)


def write_digits(folder: Path) -> tuple[Path, Path]:
    """Write the data as Parquet: a folder of partitions to train on, and a file of every fifth row to score."""
    import pandas as pd
    from sklearn.datasets import load_digits

    digits = load_digits()
    table = pd.DataFrame(digits.data.astype("float32"), columns=digits.feature_names)
    table[TARGET] = digits.target
    held_out = table.index % _HOLDOUT_EVERY == 0
    train = table[~held_out].reset_index(drop=True)
    train_data, holdout = folder / "train", folder / "holdout.parquet"
    train_data.mkdir(parents=True, exist_ok=True)
    for number in range(_PARTITIONS):
        start, stop = (len(train) * edge // _PARTITIONS for edge in (number, number + 1))
        train.iloc[start:stop].to_parquet(train_data / f"part-{number}.parquet", index=False)
    table[held_out].to_parquet(holdout, index=False)
    return train_data, holdout


def _train_alone(train_data: Path) -> tuple[Any, float]:
    """CatBoost's own trainer on the same rows with the same parameters, and the seconds it took."""
    import pandas as pd
    from catboost import CatBoostClassifier

    table = pd.read_parquet(train_data)
    model = CatBoostClassifier(
        **PARAMS, loss_function="MultiClass", thread_count=2, verbose=False, allow_writing_files=False
    )
    started = perf_counter()
    model.fit(table.drop(columns=TARGET), table[TARGET])
    return model, perf_counter() - started


def _row(trainer: str, model: Any, seconds: float, holdout: Path) -> DemoRow:
    import pandas as pd
    from sklearn.metrics import accuracy_score, log_loss

    table = pd.read_parquet(holdout)
    probabilities = model.predict_proba(table.drop(columns=TARGET))
    return DemoRow(
        trainer=trainer,
        trees=int(model.tree_count_),
        seconds=round(seconds, 2),
        logloss=float(log_loss(table[TARGET], probabilities)),
        accuracy=float(accuracy_score(table[TARGET], probabilities.argmax(axis=1))),
    )
