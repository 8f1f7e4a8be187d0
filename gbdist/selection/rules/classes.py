"""Labels as classes: their numbers, and the number of each row among those of its class."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.selection.rules.base import Run


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """The different labels of a data set, in the order of their first rows, and the rows of each, int64 [n_classes]."""

    labels: pd.Index
    counts: NDArray[np.int64]

    def of_run(self, run: Run) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Each class that rows of a run have: its number, where in the run these are, and their numbers within the class.

        Both arrays are ascending, int64 [rows of the class in the run]. Raises DataError for labels that are not known.
        """
        codes = known_places(self.labels, run.values, "y")
        order = np.argsort(codes, kind="stable")
        ends = np.cumsum(np.bincount(codes, minlength=self.counts.shape[0]))
        begin = 0
        for code, end in enumerate(ends.tolist()):
            if end > begin:
                yield code, order[begin:end], np.arange(end - begin) + run.before[code]
            begin = end


def known_places(known: pd.Index, values: NDArray[np.generic] | None, name: str) -> NDArray[np.int64]:
    """Where among ``known`` each value is, int64 of its shape; DataError (which calls them ``name``) for others."""
    if values is None:
        raise TypeError(f"a rule that needs {name} was asked without")
    places = np.asarray(known.get_indexer(pd.Index(values)), dtype=np.int64)
    if (places < 0).any():
        value = values[np.argmin(places)]
        found = f"{value!r}, which was not there when rows were counted"
        raise DataError(
            name, found, "the same rows whenever they are computed", "Persist X, or write it to files first."
        )
    return places
