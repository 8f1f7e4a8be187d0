"""A table to split, and the collections that it can be in."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

N_ROWS = 103


@pytest.fixture(autouse=True)
def _in_this_process() -> Iterator[None]:
    # Whatever client another test has left as the default one.
    with dask.config.set(scheduler="sync"):
        yield


def make_table(n_rows: int = N_ROWS, seed: int = 0) -> pd.DataFrame:
    """Rows in the order of ``time``; ``label`` has classes of different sizes, ``group`` a few large groups and many small."""
    draw = np.random.default_rng(seed)
    group = np.minimum(draw.integers(0, 15, n_rows), draw.integers(0, 15, n_rows))
    return pd.DataFrame(
        {
            "number": np.arange(n_rows),
            "time": np.cumsum(draw.integers(0, 3, n_rows)).astype(np.float64),
            "label": draw.choice(["common", "rare", "some"], n_rows, p=[0.6, 0.15, 0.25]),
            "code": draw.choice([3, 1, 2], n_rows, p=[0.6, 0.15, 0.25]),
            "group": group,
            "fold": draw.integers(-1, 3, n_rows),
        }
    )


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    return make_table()


@pytest.fixture(scope="session")
def files(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Folders of Parquet files: small, and so wide that Dask joins several of them where only the table's columns are read."""

    def folder(n_files: int) -> Path:
        path = tmp_path_factory.mktemp(f"files{n_files}")
        ends = np.linspace(0, len(table), n_files + 1).astype(int)
        for number in range(n_files):
            piece = table.iloc[ends[number] : ends[number + 1]].reset_index(drop=True)
            piece.assign(**{f"more{i}": 0.5 + piece["number"] for i in range(30)}).to_parquet(
                path / f"{number:02d}.parquet"
            )
        return path

    return folder


def as_frame(table: pd.DataFrame, n_parts: int) -> Any:
    """A Dask DataFrame with known divisions."""
    return dd.from_pandas(table, npartitions=n_parts)


def as_unknown_frame(table: pd.DataFrame, n_parts: int) -> Any:
    """A Dask DataFrame whose divisions are not known, with an empty partition."""
    ends = [0, *np.linspace(0, len(table), n_parts + 1).astype(int).tolist()]
    pieces = [table.iloc[start:stop] for start, stop in pairwise(ends)]
    return dd.from_map(lambda piece: piece, pieces, meta=table.iloc[:0])
