"""Rows of files in the columns of a model, as one table."""

from collections.abc import Sequence
from typing import Any

from gbdist.errors import DataError, ModelError
from gbdist.jobs.batches import feature_frame
from gbdist.jobs.columns import kinds_of
from gbdist.jobs.files import find_files
from gbdist.jobs.pieces import cut_into_pieces
from gbdist.jobs.sampling import sample_files
from gbdist.models.missing import cat_nan_of


def rows_for(model: Any, data: Sequence[str], cat_nan: str | None, most: int) -> Any:
    """At most ``most`` rows of files as a ``pandas.DataFrame``, chosen by a hash of their places where there are more.

    Parameters
    ----------
    model : a CatBoost model without embedding columns
    data : files, folders or patterns
    cat_nan : as in ``PredictJob``
    """
    import pandas as pd

    files = find_files(data)
    kinds = kinds_of(model)
    if kinds.embedding:
        raise ModelError("the model has embedding features, and files of vectors are not read", "Leave out --data.")
    features = [str(name) for name in model.feature_names_]
    sampled = sample_files(cut_into_pieces(files, features, kinds=kinds), features, most)
    if not sampled.n:
        raise DataError(", ".join(data), "no rows", "at least one", "Name files with rows.")
    cat_nan = cat_nan_of(model) if cat_nan is None else cat_nan
    frames = [feature_frame(table.select(features), kinds, cat_nan, file) for table, file in sampled.tables]
    # Frames of several files have other categories each.
    return pd.concat([frame.astype(dict.fromkeys(kinds.categorical, object)) for frame in frames], ignore_index=True)
