"""Score files with a CatBoost model: piece by piece, in threads of this process or on the workers of a cluster.

pyarrow's columns of numbers are copied once into a column-major float32 matrix, which CatBoost reads as it lies. One task holds
one batch of rows, so memory does not grow with the files.
"""

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np

from gbdist.errors import ModelError
from gbdist.jobs.batches import catboost_input
from gbdist.jobs.columns import kinds_of
from gbdist.jobs.files import DataFile, find_files
from gbdist.jobs.models import load_model, read_model
from gbdist.jobs.outputs import OutputError, parts_folder, require_not_read, require_replaceable, whole_part
from gbdist.jobs.pieces import Piece, cut_into_pieces, read_batches
from gbdist.models.loss import default_prediction, has_several_labels
from gbdist.models.missing import cat_nan_of

Kind = Literal["prediction", "probability", "raw"]
OnRows = Callable[[int, int], None]

_BATCH_BYTES = 8 << 20
_BYTES_A_TEXT = 32
_NO_FILE = DataFile("a row of no meaning", "parquet")


@dataclass(frozen=True, slots=True)
class PredictJob:
    """What to score and where to put it.

    ``kind``: "prediction" (label, or value of a regressor), "probability" or "raw". ``scheduler`` and ``tls``: as
    ``connect`` takes them, of a cluster whose workers see the same files; None scores in ``threads`` threads of this process.
    ``cat_nan``: the text that stands for missing values in categorical columns; None: the one that ``gbdist train`` was
    given, which the model knows.
    """

    model: Path
    data: tuple[str, ...]
    output: Path
    kind: Kind = "prediction"
    threads: int | None = None
    scheduler: str | None = None
    cat_nan: str | None = None
    tls: str | None = None


@dataclass(frozen=True, slots=True)
class PredictResult:
    """What was written: ``parts`` files under ``output`` (a plain file if there is one), in the order of the input."""

    output: Path
    rows: int
    parts: int
    columns: tuple[str, ...]
    seconds: float


def predict(
    job: PredictJob, on_rows: OnRows | None = None, client: Any = None, parts: str | None = None
) -> PredictResult:
    """Write the predictions for every row of the data; ``on_rows(part rows, parts left)`` is called after each part.

    With a ``client`` the workers of its cluster score. With ``parts`` the part files go into this folder, which may be a URL, and
    the job's output is not used.

    Raises
    ------
    ModelError
        The model cannot be loaded, or cannot give that kind of prediction.
    DataError
        Files or columns are missing, or a column is not what the model was trained on.
    OutputError
        The output cannot be written.
    """
    started = perf_counter()
    if parts is None:
        require_replaceable(job.output)
    blob = read_model(job.model)
    scorer = Scorer(blob, job.kind, job.cat_nan, name=str(job.model))
    files = find_files(job.data)
    if parts is None:
        require_not_read(job.output, [str(job.model), *(file.path for file in files)])
    pieces = cut_into_pieces(files, scorer.features, kinds=scorer.kinds)
    with parts_folder(job.output) if parts is None else nullcontext(parts) as folder:
        tasks = [(piece, f"{folder}/part-{number:05d}.parquet") for number, piece in enumerate(pieces)]
        if job.scheduler is None and client is None:
            done = _score_here(tasks, scorer, job.threads or len(os.sched_getaffinity(0)))
        else:
            done = _score_on_cluster(tasks, blob, job, client)
        rows, left = 0, len(tasks)
        for count in done:
            rows, left = rows + count, left - 1
            if on_rows is not None:
                on_rows(count, left)
    return PredictResult(job.output, rows, len(tasks), scorer.columns, perf_counter() - started)


class Scorer:
    """A loaded model and the table that it makes of a batch of rows."""

    def __init__(self, blob: bytes, kind: Kind, cat_nan: str | None = None, name: str = "the model") -> None:
        self._model = _load(blob, name)
        self._kind = kind
        self._cat_nan = cat_nan_of(self._model) if cat_nan is None else cat_nan
        self.features: tuple[str, ...] = tuple(self._model.feature_names_)
        self.kinds = kinds_of(self._model)
        self._labels = [str(label) for label in self._model.classes_]
        if kind == "probability" and not self._labels:
            raise ModelError("a regression model has no probabilities", "Leave out --proba.")
        self.columns: tuple[str, ...] = tuple(f"{kind}_{value}" for value in self._values(kind)) or (kind,)

    def score(self, batch: Any, file: DataFile, threads: int = 1) -> Any:
        """Predictions for a ``pyarrow.RecordBatch`` of the model's features, read from ``file``, as a ``pyarrow.Table``."""
        import pyarrow as pa

        rows = catboost_input(batch, self.kinds, self._cat_nan, file)
        kind = {"prediction": self._prediction_type(), "probability": "Probability", "raw": "RawFormulaVal"}[self._kind]
        values = np.asarray(self._model.predict(rows, prediction_type=kind, thread_count=threads))
        values = values.reshape(batch.num_rows, -1)
        if values.dtype == object:
            return pa.table({"prediction": pa.array(values[:, 0].tolist(), pa.string())})
        return pa.table({name: np.ascontiguousarray(values[:, i]) for i, name in enumerate(self.columns)})

    def empty(self) -> Any:
        """A table of the same columns without rows."""
        import pyarrow as pa

        row = {name: [""] if name in self.kinds.names else np.zeros(1, np.float32) for name in self.features}
        return self.score(pa.RecordBatch.from_pydict(row), _NO_FILE).slice(0, 0)

    def _values(self, kind: Kind) -> list[str]:
        """What the values of a row are called where it has several: the classes, or numbers from 0."""
        n_raw = len(np.ravel(self._model.get_scale_and_bias()[1]))
        if n_raw > 1 and (not self._labels or has_several_labels(self._model)):
            return [str(number) for number in range(n_raw)]
        if kind == "prediction":
            return []
        two = self._labels if len(self._labels) > 1 else ["0", "1"]  # one label of MultiLogloss is, or is not
        # One raw value a row for two classes, one a class otherwise.
        return two if kind == "probability" else self._labels if n_raw > 1 else []

    def _prediction_type(self) -> str:
        return "Class" if self._labels else default_prediction(self._model)


def _load(blob: bytes, name: str) -> Any:
    model = load_model(name, blob=blob)
    if model.get_embedding_feature_indices():
        fix = "Score it in Python: DaskCatBoostClassifier().load_model(path).predict(X), or the regressor's."
        raise ModelError("the model has embedding features, and files of vectors are not scored", fix)
    return model


def score_piece(piece: Piece, part: str, scorer: Scorer, threads: int = 1) -> int:
    """Score one piece into one part file; the number of rows. A part appears whole or not at all."""
    import pyarrow.parquet as pq

    row_bytes = 4 * len(scorer.features) + _BYTES_A_TEXT * len(scorer.kinds.names)
    batch_rows = max(4096, _BATCH_BYTES // max(1, row_bytes))
    rows = 0
    with whole_part(part) as unfinished, pq.ParquetWriter(unfinished, scorer.empty().schema) as writer:
        for batch in read_batches(piece, scorer.features, batch_rows):
            # A file's own order of columns is not the model's.
            writer.write_table(scorer.score(batch.select(list(scorer.features)), piece.file, threads))
            rows += batch.num_rows
    return rows


def _score_here(tasks: Sequence[tuple[Piece, str]], scorer: Scorer, threads: int) -> Iterator[int]:
    """Rows of each part, as they are done. CatBoost and pyarrow release the GIL, so threads use all cores."""
    each = max(1, threads // len(tasks))  # a single large piece uses all cores too
    pool = ThreadPoolExecutor(threads, thread_name_prefix="gbdist-predict")
    try:
        for future in as_completed([pool.submit(score_piece, piece, part, scorer, each) for piece, part in tasks]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _score_on_cluster(tasks: Sequence[tuple[Piece, str]], blob: bytes, job: PredictJob, given: Any) -> Iterator[int]:
    """The same on the workers of a client's cluster, or of the job's, which must see the files and the folder of the output."""
    from gbdist.jobs.cluster import connect
    from gbdist_cluster.waiting import completed

    with connect(str(job.scheduler), job.tls) if given is None else nullcontext(given) as client:
        model = client.scatter(blob, broadcast=True)
        how = {"kind": job.kind, "cat_nan": job.cat_nan, "pure": False}
        futures = [client.submit(_score_on_worker, piece, part, model, **how) for piece, part in tasks]
        try:
            for future in completed(client, futures):
                yield int(future.result())
        finally:
            for future in futures:  # not cancelled: the scheduler would tell all clients
                future.release()


def _score_on_worker(piece: Piece, part: str, blob: bytes, kind: Kind, cat_nan: str | None) -> int:
    folder = Path(part).parent
    if "://" not in part and not folder.is_dir():
        raise OutputError(str(folder), "a worker does not see this folder", "Choose one that all workers share.")
    return score_piece(piece, part, _scorer_of(blob, kind, cat_nan))


@functools.lru_cache(maxsize=2)
def _scorer_of(blob: bytes, kind: Kind, cat_nan: str | None) -> Scorer:
    """One loaded model a worker process, not one a task."""
    return Scorer(blob, kind, cat_nan)
