"""Rows to check an export with: values at borders and right beside them, missing and infinite ones."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist.categories.hashing import texts_of_hashes
from gbdist.categories.keys import hashes_of_keys
from gbdist.errors import DataError
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import Projection

N_PROBES = 256
_UNKNOWN = "a category of no row"


@dataclass(frozen=True, eq=False)
class Probes:
    """Rows in the forms that readers want.

    Parameters
    ----------
    table : pandas.DataFrame
        All columns of the model.
    numbers : float32 [n_rows, n_numeric]
    texts : list of the categories of each row, in the order of the model's categorical columns
    """

    table: pd.DataFrame
    numbers: NDArray[np.float32]
    texts: list[list[str]]


def probes_for(ensemble: Ensemble, rows: pd.DataFrame | None, *, missing: bool) -> Probes:
    """``N_PROBES`` rows for the ensemble.

    Parameters
    ----------
    rows : pandas.DataFrame or None
        Where categories are taken from. Without it they are texts with the hashes of those that the model knows.
    missing : bool
        Whether the format has NaN and infinite values.
    """
    generator = np.random.default_rng(0)
    names = list(ensemble.feature_names)
    columns = [_values(generator, each.values, missing) for each in ensemble.borders]
    floats = iter(columns)
    cats = {position: cat for cat, position in enumerate(ensemble.categories.positions)}
    if rows is not None:
        _require_columns(rows, names)
    table = pd.DataFrame(
        {
            at: next(floats)
            if at not in cats
            else _known(ensemble, cats[at], generator)
            if rows is None
            else [str(value) for value in np.resize(rows.iloc[:, at].to_numpy(), N_PROBES)]
            for at in range(len(names))
        }
    )
    table.columns = pd.Index(names)
    numbers = np.stack(columns, axis=1) if columns else np.empty((N_PROBES, 0), dtype=np.float32)
    texts = table.iloc[:, list(cats)].to_numpy().tolist()
    return Probes(table, numbers, texts)


def known_hashes(ensemble: Ensemble, cat: int) -> list[int]:
    """Hashes of the categories of a column that the model knows, by one-hot tests or counts of it alone; some several times."""
    hashes = [value for one_hot in ensemble.categories.one_hot if one_hot.cat == cat for value in one_hot.values]
    for table in ensemble.categories.tables:
        if table.projection == Projection((cat,)):
            hashes += hashes_of_keys(table.keys).tolist()
    return hashes


def _values(generator: np.random.Generator, borders: NDArray[np.float32], missing: bool) -> NDArray[np.float32]:
    """Borders, the next float32 on either side, and values between."""
    ends = borders[np.abs(borders) < np.finfo(np.float32).max]
    between = generator.normal(size=N_PROBES).astype(np.float32)
    if not len(ends):
        return between
    chosen = generator.choice(ends, N_PROBES)
    sides = generator.integers(0, 4, N_PROBES)
    towards = np.where(sides == 1, np.float32(np.inf), np.float32(-np.inf))
    values = np.where(sides == 0, chosen, np.where(sides == 3, between, np.nextafter(chosen, towards)))
    if missing:
        special = generator.random(N_PROBES) < 0.1
        values[special] = generator.choice([np.nan, np.inf, -np.inf], int(special.sum()))
    return np.asarray(values, dtype=np.float32)


def _require_columns(rows: pd.DataFrame, names: list[str]) -> None:
    if rows.shape[1] != len(names) or not len(rows):
        raise DataError(
            "rows",
            f"{rows.shape[0]} rows of {rows.shape[1]} columns",
            f"rows of the {len(names)} columns of the model",
            "Give the rows that the model was trained on.",
        )


def _known(ensemble: Ensemble, cat: int, generator: np.random.Generator) -> list[str]:
    """Texts that the model takes for categories of a column that it knows, and others."""
    texts = [_UNKNOWN, *texts_of_hashes(np.array(known_hashes(ensemble, cat), dtype=np.uint32))]
    return [texts[number] for number in generator.integers(0, len(texts), N_PROBES).tolist()]
