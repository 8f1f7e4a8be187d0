"""``fit(plot=True)``: the page about the model, with some of the rows that the fit was given."""

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import ParameterError
from gbdist.estimators.prediction.features import Expected, as_frame
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.tables import as_vector, count_rows, label_of, select_columns, take_rows
from gbdist.models.history import TrainingRecord
from gbdist.spaced import evenly_spaced
from gbdist.whole_file import whole_file

if TYPE_CHECKING:
    from gbdist.estimators.sources import Given

DEFAULT_FILE = "report.html"
#: Rows that the page looks at, cells of them, and partitions of a collection that they come from, evenly spaced.
_MOST_ROWS, _MOST_CELLS, _LEAST_ROWS, _MOST_PARTS = 5_000, 20_000_000, 500, 8


@dataclass(frozen=True, eq=False)
class Plot:
    """A page that was asked for; ``file`` is a path, or an object with ``write``."""

    file: Any

    def write(self, html: str) -> Path | None:
        """Put the page where it goes; the path, None for an object."""
        if hasattr(self.file, "write"):
            self.file.write(html)
            return None
        path = Path(self.file).absolute()
        with whole_file(path) as unfinished:
            unfinished.write_text(html, encoding="utf-8")
        return path

    def write_and_tell(self, html: str, verbose: Any) -> None:
        """Put the page where it goes, and say on stderr where that is unless ``verbose`` asks for silence."""
        path = self.write(html)
        if path is not None and (verbose is None or verbose):
            sys.stderr.write(f"report: {path}\n")


def plot_asked(plot: object, plot_file: Any) -> Plot | None:
    """What ``plot`` and ``plot_file`` ask for, as CatBoost reads them: either of them is enough.

    Raises
    ------
    ParameterError
        ``plot`` is neither True nor False, or no file can be made at ``plot_file``.
    """
    if not isinstance(plot, bool | np.bool_):
        raise ParameterError("plot", plot, "True or False", "Say where the page goes with plot_file='report.html'.")
    if plot_file is None and not plot:
        return None
    return plot_at("plot_file", plot_file, DEFAULT_FILE)


def plot_at(name: str, file: Any, default: str) -> Plot:
    """A page at ``file``, a path or an object with ``write``; in ``default`` for None. ``name`` is what errors call the argument.

    Raises
    ------
    ParameterError
        No file can be made there.
    """
    if hasattr(file, "write"):
        return Plot(file)
    fix = (
        f"Name a file in a folder that is there, or leave {name} out: the page is then {default} in the current folder."
    )
    file = default if file is None else file
    if not isinstance(file, str | os.PathLike):
        raise ParameterError(name, file, "a path, or a text file that is open for writing", fix)
    path = Path(file).absolute()
    if path.is_dir() or not path.parent.is_dir():
        expected = (
            "a file, and this is a folder"
            if path.is_dir()
            else f"a file in a folder that is there; {path.parent} is not"
        )
        raise ParameterError(name, str(file), expected, fix)
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        expected = f"a folder that can be written to ({error.strerror})"
        raise ParameterError(name, str(file), expected, fix) from error
    return Plot(file)


def page_of_fit(
    model: Any,
    record: TrainingRecord,
    data_sets: Sequence[Any],
    rows: Sequence[int],
    expected: Expected,
    scheduler: Any,
) -> str:
    """The page as HTML: of rows of the eval set that decides, the last one; without one of the rows trained on.

    Parameters
    ----------
    data_sets : the training set first: (X, y, sample_weight, baseline, group_id) or fewer, ``Given``, or ``DaskPool`` each
    rows : of the data sets; two with ``eval_fraction``, whose rows are those of one
    scheduler : what ``dask.compute`` runs on, None for its default
    """
    from gbdist.report.page import report_page, sections_of
    from gbdist.report.subject import Subject

    shown = _chosen(data_sets, rows)
    looked_at = None if shown is None else _rows(model, shown, expected, scheduler)
    remedy = "Save the model, then run: gbdist report MODEL --data DATA --target COLUMN"
    subject = Subject(model, expected.estimator, record, looked_at, remedy)
    return report_page(subject, sections_of(subject))


@dataclass(frozen=True, eq=False)
class _Shown:
    """A data set to look at: what the page calls it, and the rows it has."""

    given: "Given"
    words: str
    n_rows: int


def _chosen(data_sets: Sequence[Any], rows: Sequence[int]) -> _Shown | None:
    """The last eval set, else X; None for a DaskPool, which keeps no raw values."""
    from gbdist.estimators.pool import DaskPool
    from gbdist.estimators.sources import Given, eval_name

    last, n_evals = data_sets[-1], len(data_sets) - 1
    given = Given(*last) if isinstance(last, tuple) else last
    if isinstance(given, DaskPool) or isinstance(given.X, DaskPool):
        return None
    if n_evals:
        return _Shown(given, eval_name(n_evals - 1, n_evals), rows[-1])
    scored = "" if len(rows) == 1 else " or scored"
    return _Shown(given, f"X, which the model was trained{scored} on", sum(rows))


def _rows(model: Any, shown: _Shown, expected: Expected, scheduler: Any) -> Any:
    import pandas as pd

    from gbdist.report.labels import labels_for
    from gbdist.report.subject import Rows, task_of

    parts = shown.given.collect()
    # The page compares labels with predictions where a row has one of each.
    labelled = task_of(model) != "other"
    most = max(_LEAST_ROWS, min(_MOST_ROWS, _MOST_CELLS // expected.n_features))
    samples = _samples(parts, labelled, most, _MOST_PARTS, scheduler)
    frames = [as_frame(features, expected) for features, _ in samples if count_rows(features)]
    if not frames:
        return None
    features = pd.concat(frames, ignore_index=True)
    label = None
    if labelled:
        label = labels_for(model, np.concatenate([np.asarray(label, dtype=object) for _, label in samples]), "y")
    of = "all" if len(features) == shown.n_rows else f"{len(features):,} of the"
    few = f", from {len(samples)} of its {parts.n_parts:,} partitions" if len(samples) < parts.n_parts else ""
    name = str(parts.label_columns[0]) if parts.label_columns else "y"
    return Rows(features, label, name, f"{of} {shown.n_rows:,} rows of {shown.words}{few}")


def some_features(parts: Parts, expected: Expected, most: int, scheduler: Any) -> Any:
    """At most so many rows, evenly spaced, as a frame of the model's features: of one partition of a collection.

    ``scheduler`` is what ``dask.compute`` runs on, None for its default.
    """
    ((features, _),) = _samples(parts, False, most, 1, scheduler)
    return as_frame(features, expected)


def _samples(
    parts: Parts, labelled: bool, most: int, most_parts: int, scheduler: Any
) -> list[tuple[Any, NDArray[Any] | None]]:
    """Some rows; of a collection those of at most so many partitions, chosen where these are computed: only they travel."""
    separate, columns = (parts.label, parts.label_columns) if labelled else (None, ())
    if not parts.lazy:
        return [_some_rows(parts.features, separate, parts.labels, columns, most)]
    import dask

    from gbdist.estimators.preparation.lazy_parts import LazyParts  # loads distributed, which only collections need

    numbers = evenly_spaced(parts.n_parts, most_parts).tolist()
    lazy = LazyParts([parts.features, None if isinstance(separate, list) else separate], parts.n_parts)
    features = lazy.delayed(0) or []
    labels = separate if isinstance(separate, list) else lazy.delayed(1) or [None] * parts.n_parts
    task = dask.delayed(_some_rows, pure=True)
    tasks = [task(features[number], labels[number], parts.labels, columns, most // len(numbers)) for number in numbers]
    return list(dask.compute(*tasks, **({} if scheduler is None else {"scheduler": scheduler})))


def _some_rows(
    features: Any, label: Any, labels: Any, label_columns: Any, most: int
) -> tuple[Any, NDArray[Any] | None]:
    """At most ``most`` evenly spaced rows of a table, without other columns than features, and the label that they have."""
    label = label_of(features, label_columns) if label_columns else label
    features = features if labels is None else select_columns(features, list(labels))
    n_rows = count_rows(features)
    mask = np.zeros(n_rows, np.bool_)
    mask[evenly_spaced(n_rows, most)] = True
    return take_rows(features, mask), None if label is None else as_vector(label, "y")[mask]
