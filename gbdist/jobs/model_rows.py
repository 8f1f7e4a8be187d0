"""Rows of files in the columns of a model, as one table."""

from collections.abc import Sequence
from typing import Any

from gbdist.errors import DataError, ModelError
from gbdist.jobs.batches import feature_frame
from gbdist.jobs.columns import kinds_of
from gbdist.jobs.files import DataFile, find_files
from gbdist.jobs.pieces import cut_into_pieces
from gbdist.jobs.sampling import Sampled, sample_files
from gbdist.models.missing import cat_nan_of


def rows_for(model: Any, data: Sequence[str], cat_nan: str | None, most: int) -> Any:
    """At most ``most`` rows of files as a ``pandas.DataFrame``, chosen by a hash of their places where there are more.

    Parameters
    ----------
    model : a CatBoost model without embedding columns
    data : files, folders or patterns
    cat_nan : as in ``PredictJob``
    """
    return frame_for(model, sample_for(model, find_files(data), most, name=", ".join(data)), cat_nan)


def sample_for(
    model: Any,
    files: Sequence[DataFile],
    most: int,
    *,
    name: str,
    beside: Sequence[str] = (),
    fix: str = "Leave out --data.",
) -> Sampled:
    """The same rows as they were read, with the columns ``beside`` the model's features.

    Raises
    ------
    DataError
        There are no rows in the files, which are called ``name``, or columns are missing.
    ModelError
        The model has embedding columns; ``fix`` is what to do then.
    """
    kinds = kinds_of(model)
    if kinds.embedding:
        raise ModelError("the model has embedding features, and files of vectors are not read", fix)
    columns = [*map(str, model.feature_names_), *beside]
    sampled = sample_files(cut_into_pieces(files, columns, exact=beside, kinds=kinds), columns, most)
    if not sampled.n:
        raise DataError(name, "no rows", "at least one", "Name files with rows.")
    return sampled


def frame_for(model: Any, sampled: Sampled, cat_nan: str | None) -> Any:
    """The model's features of such rows as a ``pandas.DataFrame``; ``cat_nan`` as in ``PredictJob``."""
    import pandas as pd

    kinds, features = kinds_of(model), [str(name) for name in model.feature_names_]
    cat_nan = cat_nan_of(model) if cat_nan is None else cat_nan
    frames = [feature_frame(table.select(features), kinds, cat_nan, file) for table, file in sampled.tables]
    # Frames of several files have other categories each.
    return pd.concat([frame.astype(dict.fromkeys(kinds.categorical, object)) for frame in frames], ignore_index=True)
