"""Labels as classes: their numbers, and the number of each row among those of its class."""

import threading
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.selection.rules.base import Run

#: pandas makes the table of an index when it is first asked, and threads of a process share indexes.
_looking = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """The different labels of a data set, in the order of their first rows, and the rows of each, int64 [n_classes]."""

    labels: pd.Index
    counts: NDArray[np.int64]

    def ordinals(self, run: Run) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Class of each row of a run, and the row's number among all of that class, both int64 [n_rows].

        Raises DataError for labels that are not known.
        """
        codes = known_places(self.labels, run.values, "y")
        order = np.argsort(codes, kind="stable")
        found = np.bincount(codes, minlength=self.counts.shape[0])
        numbers = np.empty(run.n_rows, np.int64)
        numbers[order] = np.arange(run.n_rows) - np.repeat(np.cumsum(found) - found, found)
        return codes, numbers + run.before[codes]


def known_places(known: pd.Index, values: NDArray[np.generic] | None, name: str) -> NDArray[np.int64]:
    """Where among ``known`` each value is, int64 of its shape; DataError (which calls them ``name``) for others."""
    if values is None:
        raise TypeError(f"a rule that needs {name} was asked without")
    with _looking:
        places = np.asarray(known.get_indexer(pd.Index(values)), dtype=np.int64)
    if (places < 0).any():
        value = values[np.argmin(places)]
        found = f"{value!r}, which was not there when rows were counted"
        raise DataError(
            name, found, "the same rows whenever they are computed", "Persist X, or write it to files first."
        )
    return places
