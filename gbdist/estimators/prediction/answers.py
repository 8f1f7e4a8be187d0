"""Apply a CatBoost model to data: lazily to Dask collections, at once to data in memory."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
from catboost import CatBoost, CatBoostError
from numpy.typing import NDArray

from gbdist.errors import ModelError
from gbdist.estimators.prediction.features import Expected, as_catboost_reads, probe
from gbdist.estimators.prediction.questions import Labels, Question
from gbdist.estimators.preparation.inputs import is_lazy, is_lazy_frame
from gbdist.estimators.preparation.tables import as_table, count_rows
from gbdist.models.catboost_format import cbm_bytes

#: Models that a process keeps ready: a worker rarely serves more at a time, and each may be hundreds of megabytes.
_KEPT = 4
_loaded: "OrderedDict[str, Any]" = OrderedDict()
_lock = Lock()

#: Name of a Dask Series of predictions.
SERIES_NAME = "prediction"


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """A model as it travels to the workers: bytes of a ``.cbm`` file under one key of the graph."""

    cbm: bytes
    digest: str

    @classmethod
    def of(cls, model: Any) -> "ShippedModel":
        """Pack a CatBoost model."""
        cbm = cbm_bytes(model)
        return cls(cbm, hashlib.blake2b(cbm, digest_size=16).hexdigest())

    def load(self) -> Any:
        """Return the model, read once in a process whatever the number of tasks and threads."""
        with _lock:
            if self.digest not in _loaded:
                _loaded[self.digest] = CatBoost().load_model(blob=self.cbm)  # which is not to be saved again
                while len(_loaded) > _KEPT:
                    _loaded.popitem(last=False)
            _loaded.move_to_end(self.digest)
            return _loaded[self.digest]


@dataclass(frozen=True)
class Job:
    """What a task needs besides its rows and the model."""

    question: Question
    expected: Expected
    tail: tuple[int, ...]
    dtype: np.dtype[Any]


def answer(model: Any, X: Any, question: Question, expected: Expected, threads: int = -1) -> Any:
    """Ask ``question`` about the rows of X.

    Parameters
    ----------
    model : catboost.CatBoost
    X : Dask DataFrame or Array, or a table in memory
        Checked against ``expected`` before anything else.
    threads : int
        CatBoost's thread_count for data in memory. A task uses one thread, as Dask's thread is the unit of its work.

    Returns
    -------
    array, or Dask Series, DataFrame or Array
        NumPy [n_rows, …] for data in memory. For a Dask DataFrame a Series if there is one value a row, else a DataFrame
        (further axes flattened, named by the question), with X's index and divisions. For a Dask Array an array whose chunks
        over rows are X's.
    """
    if not is_lazy(X):
        X = as_table(X)
        expected.check(X)
        if count_rows(X) == 0:
            return _empty(*answer_shape(model, question, expected))
        return _ask(model, as_catboost_reads(X, expected), question, threads)
    expected.check(X)
    tail, dtype = answer_shape(model, question, expected)
    job = Job(question, expected, tail, dtype)
    return _ask_frame(model, X, job) if is_lazy_frame(X) else _ask_array(model, X, job)


def answer_shape(model: Any, question: Question, expected: Expected) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Trailing shape and dtype of an answer.

    Found by asking about one row, so what CatBoost refuses is refused now rather than in a task.
    """
    found = _ask(model, probe(expected), question, 1)
    return found.shape[1:], found.dtype


def _ask(model: Any, matrix: Any, question: Question, threads: int) -> NDArray[Any]:
    try:
        return question.ask(model, matrix, threads)
    except CatBoostError as error:
        raise ModelError(
            f"CatBoost cannot answer this with the model: {error}", "Change the arguments, or train a model that can"
        ) from error


def _empty(tail: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.empty((0, *tail), dtype=dtype)


def ship(model: Any) -> Any:
    """Return the model as one delayed value that any number of tasks share."""
    from dask import delayed

    shipped = ShippedModel.of(model)
    # traverse=False: a dataclass would be taken apart into a task of its own.
    return delayed(shipped, name=f"catboost-model-{shipped.digest}", traverse=False)


def _ask_frame(model: Any, X: Any, job: Job) -> Any:
    meta = _as_frame(_empty(job.tail, job.dtype), X._meta.index[:0], job)
    return X.map_partitions(_answer_frame, ship(model), job, meta=meta, enforce_metadata=False)


def _ask_array(model: Any, X: Any, job: Job) -> Any:
    chunks = (X.chunks[0], *((size,) for size in job.tail))
    extra = len(job.tail) - 1
    return X.map_blocks(
        _answer_array,
        shipped=ship(model),
        job=job,
        dtype=job.dtype,
        chunks=chunks,
        drop_axis=1 if extra < 0 else None,
        new_axis=list(range(2, 2 + extra)) if extra > 0 else None,
        meta=np.empty((0,) * (1 + len(job.tail)), dtype=job.dtype),
    )


def answer_part(part: Any, shipped: ShippedModel, job: Job, number: int) -> NDArray[Any]:
    """Answer for partition ``number`` in a task, with one thread; a partition without rows keeps shape and dtype."""
    job.expected.check(part, warn_without_names=False)
    if count_rows(part) == 0:
        return _empty(job.tail, job.dtype)
    return job.question.ask(shipped.load(), as_catboost_reads(part, job.expected, number), 1)


def _answer_frame(part: Any, shipped: ShippedModel, job: Job, partition_info: Any = None) -> Any:
    number = 0 if partition_info is None else partition_info["number"]  # Dask fills it in by its name
    return _as_frame(answer_part(part, shipped, job, number), part.index, job)


def _answer_array(block: Any, shipped: ShippedModel, job: Job, block_id: Any = None) -> NDArray[Any]:
    return answer_part(block, shipped, job, 0 if block_id is None else block_id[0])


def _as_frame(values: NDArray[Any], index: Any, job: Job) -> Any:
    """Values as a pandas Series or DataFrame whose dtypes do not depend on which values there are."""
    if not job.tail:
        # pandas would infer another dtype from no rows than from some.
        dtype = pd.Series(job.question.classes).dtype if isinstance(job.question, Labels) else job.dtype
        return pd.Series(values, index=index, name=SERIES_NAME, dtype=dtype)
    flat = values.reshape(len(values), int(np.prod(job.tail)))
    return pd.DataFrame(flat, index=index, columns=job.question.column_names(job.tail))
