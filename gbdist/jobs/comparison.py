"""What demos share: data written to files, a model trained on two workers here, and CatBoost alone to compare with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from gbdist.jobs.cluster import workers_for
from gbdist.jobs.learning import make_estimator
from gbdist.jobs.outputs import require_writable_file
from gbdist.jobs.targets import Task
from gbdist.jobs.train import TrainJob, prepare

_PARTITIONS = 6
_HOLDOUT_EVERY = 5


@dataclass(frozen=True, eq=False)
class DemoData:
    """What a demo trains on.

    Parameters
    ----------
    folder : name of the folder that the files go into, beside the model
    described : the data in words
    rows : pandas frame; every fifth row is held out
    target, task, params : what is trained, as ``gbdist train`` takes it
    """

    folder: str
    described: str
    rows: Any
    target: str
    task: Task
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DemoRow:
    """One trainer in the table of a demo. ``logloss`` and ``accuracy`` are those of the holdout."""

    trainer: str
    trees: int
    seconds: float
    logloss: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class Compared:
    """What a comparison leaves: the model of the workers, the table, and the files."""

    model: Any
    rows: tuple[DemoRow, ...]
    train_data: Path
    holdout: Path


def compare(data: DemoData, model: Path, say: Callable[[str], None]) -> Compared:
    """Write the data, train on two workers, save the model, and train CatBoost alone; ``say`` is called with a line a step.

    The data go into the folder ``data.folder`` beside ``model``.
    """
    require_writable_file(model)
    train_data, holdout = write_parts(data, model.absolute().parent / data.folder)
    say(f"1. wrote {data.described} to {train_data} ({_PARTITIONS} Parquet partitions) and {holdout}")
    params = {**data.params, "verbose": False}
    prepared = prepare(TrainJob((str(train_data),), data.target, output=model, task=data.task, params=params))
    with workers_for(None, workers=2, threads=1) as client:
        say(f"2. started 2 workers; their dashboard, while this runs: {client.dashboard_link}")
        prepared.tell(say)
        estimator = make_estimator(data.task, prepared.params, client)
        started = perf_counter()
        estimator.fit(prepared.table, data.target)
        seconds = perf_counter() - started
    estimator.save_model(str(model))
    say(f"3. trained on the workers, saved {model}")
    ours = _row("gbdist, 2 workers x 1 thread", estimator.model_, seconds, data.target, holdout)
    alone, seconds = _train_alone(data, prepared.kinds.categorical, train_data)
    theirs = _row("CatBoost alone, 2 threads", alone, seconds, data.target, holdout)
    return Compared(estimator.model_, (ours, theirs), train_data, holdout)


def write_parts(data: DemoData, folder: Path) -> tuple[Path, Path]:
    """Write the data as Parquet: a folder of partitions to train on, and a file of every fifth row to score."""
    held_out = data.rows.index % _HOLDOUT_EVERY == 0
    train = data.rows[~held_out].reset_index(drop=True)
    train_data, holdout = folder / "train", folder / "holdout.parquet"
    train_data.mkdir(parents=True, exist_ok=True)
    for number in range(_PARTITIONS):
        start, stop = (len(train) * edge // _PARTITIONS for edge in (number, number + 1))
        train.iloc[start:stop].to_parquet(train_data / f"part-{number}.parquet", index=False)
    data.rows[held_out].to_parquet(holdout, index=False)
    return train_data, holdout


def _train_alone(data: DemoData, categorical: tuple[str, ...], train_data: Path) -> tuple[Any, float]:
    """CatBoost's own trainer on the same rows with the same parameters, and the seconds it took."""
    import pandas as pd
    from catboost import CatBoostClassifier

    table = pd.read_parquet(train_data)
    loss = "MultiClass" if data.task == "multiclass" else "Logloss"
    model = CatBoostClassifier(
        **data.params,
        loss_function=loss,
        cat_features=list(categorical),
        thread_count=2,
        verbose=False,
        allow_writing_files=False,
    )
    started = perf_counter()
    model.fit(table.drop(columns=data.target), table[data.target])
    return model, perf_counter() - started


def _row(trainer: str, model: Any, seconds: float, target: str, holdout: Path) -> DemoRow:
    import pandas as pd
    from sklearn.metrics import accuracy_score, log_loss

    table = pd.read_parquet(holdout)
    probabilities = model.predict_proba(table.drop(columns=target))
    return DemoRow(
        trainer=trainer,
        trees=int(model.tree_count_),
        seconds=round(seconds, 2),
        logloss=float(log_loss(table[target], probabilities)),
        accuracy=float(accuracy_score(table[target], probabilities.argmax(axis=1))),
    )
