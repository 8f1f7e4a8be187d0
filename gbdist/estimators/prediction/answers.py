"""Apply a model to data: lazily to Dask collections, at once to data in memory."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
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

#: Models that a process keeps ready, whatever they take: a worker rarely serves more at a time, and each may be hundreds of
#: megabytes. Small ones, as those of folds are, it keeps up to so many bytes of.
_KEPT, _KEPT_BYTES = 4, 2**26
_loaded: "OrderedDict[str, tuple[Any, int]]" = OrderedDict()
_lock = Lock()

#: Name of a Dask Series of predictions.
SERIES_NAME = "prediction"


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of models: how they travel, how they read rows, and one row of no meaning for them.

    All are functions of a module, so that a task can carry them. ``read`` is given some rows, what the model expects, and the
    number of the partition for messages; a question is asked with what it returns.
    """

    name: str
    pack: Callable[[Any], bytes]
    unpack: Callable[[bytes], Any]
    read: Callable[[Any, Expected, int], Any]
    probe: Callable[[Expected], Any]


def _unpack(cbm: bytes) -> Any:
    return CatBoost().load_model(blob=cbm)  # which is not to be saved again


CATBOOST = Family("catboost", cbm_bytes, _unpack, as_catboost_reads, probe)


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """A model as it travels to the workers: its bytes, a ``.cbm`` file's of trees, under one key of the graph."""

    data: bytes
    digest: str
    family: Family

    @classmethod
    def of(cls, model: Any, family: Family = CATBOOST) -> "ShippedModel":
        """Pack a model."""
        data = family.pack(model)
        return cls(data, hashlib.blake2b(data, digest_size=16).hexdigest(), family)

    def load(self) -> Any:
        """Return the model, read once in a process whatever the number of tasks and threads."""
        with _lock:
            if self.digest not in _loaded:
                _loaded[self.digest] = self.family.unpack(self.data), len(self.data)
                while len(_loaded) > _KEPT and sum(nbytes for _, nbytes in _loaded.values()) > _KEPT_BYTES:
                    _loaded.popitem(last=False)
            _loaded.move_to_end(self.digest)
            return _loaded[self.digest][0]


@dataclass(frozen=True)
class Job:
    """What a task needs besides its rows and the model."""

    question: Question
    expected: Expected
    tail: tuple[int, ...]
    dtype: np.dtype[Any]
    family: Family = CATBOOST


def answer(
    model: Any, X: Any, question: Question, expected: Expected, threads: int = -1, family: Family = CATBOOST
) -> Any:
    """Ask ``question`` about the rows of X.

    Parameters
    ----------
    model : catboost.CatBoost, or another model of ``family``
    X : Dask DataFrame or Array, or a table in memory
        Checked against ``expected`` before anything else.
    threads : int
        CatBoost's thread_count for data in memory, −1 for all. A task uses one thread, as Dask's thread is the unit of its work.

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
            return _empty(*answer_shape(model, question, expected, family))
        return _ask(model, family.read(X, expected, 0), question, threads)
    expected.check(X)
    tail, dtype = answer_shape(model, question, expected, family)
    job = Job(question, expected, tail, dtype, family)
    return _ask_frame(model, X, job) if is_lazy_frame(X) else _ask_array(model, X, job)


def answer_shape(
    model: Any, question: Question, expected: Expected, family: Family = CATBOOST
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Trailing shape and dtype of an answer.

    Found by asking about one row, so what CatBoost refuses is refused now rather than in a task.
    """
    found = _ask(model, family.probe(expected), question, 1)
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


def ship(model: Any, family: Family) -> Any:
    """Return the model as one delayed value that any number of tasks share."""
    from dask import delayed

    shipped = ShippedModel.of(model, family)
    # traverse=False: a dataclass would be taken apart into a task of its own.
    return delayed(shipped, name=f"{family.name}-model-{shipped.digest}", traverse=False)


def _ask_frame(model: Any, X: Any, job: Job) -> Any:
    meta = _as_frame(_empty(job.tail, job.dtype), X._meta.index[:0], job)
    return X.map_partitions(_answer_frame, ship(model, job.family), job, meta=meta, enforce_metadata=False)


def _ask_array(model: Any, X: Any, job: Job) -> Any:
    chunks = (X.chunks[0], *((size,) for size in job.tail))
    extra = len(job.tail) - 1
    return X.map_blocks(
        _answer_array,
        shipped=ship(model, job.family),
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
    return job.question.ask(shipped.load(), job.family.read(part, job.expected, number), 1)


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
