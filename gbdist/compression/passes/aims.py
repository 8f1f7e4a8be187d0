"""What a pass comes close to, and on which rows: those that there are, and copies in which some cells are those of other rows.

What the teacher says is known for any row. Where there are few, copies are more places to be like it.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.rows import Rows
from gbdist.compression.passes.base import PassData
from gbdist.compression.passes.memo import Memo
from gbdist.compression.passes.noise import (
    Swaps,
    copies_for,
    draw_donors,
    extent_of,
    likeness_of,
    noised,
    segments_with_copies,
)
from gbdist.compression.passes.outputs import raw_predictions
from gbdist.compression.passes.sizes import is_number
from gbdist.errors import ParameterError
from gbdist.models.ensemble import Ensemble

#: What a pass comes close to: the model that the compression began with, or the rows' labels.
Towards = Literal["teacher", "labels"]

#: So many rows are enough: copies are made of fewer.
_WANTED_ROWS = 1 << 16
_MOST_COPIES = 8
#: A cell comes from among this share of the rows, those of which the teacher says about the same.
_LIKENESS = 0.1


@dataclass(frozen=True)
class Aim:
    """What a pass comes close to, and on which rows.

    Parameters
    ----------
    towards : str
        "teacher", the model that the compression began with; or "labels", those of the rows.
    copies : int or None
        How many copies of all rows there are beside the rows, for the teacher alone; None: as many as bring them to about
        65 000, at most 8, and none for labels.
    noise : float
        Probability that a cell of a copy is that of another row.

    Raises
    ------
    ParameterError
        For another aim, for what is no number of copies or no probability, and for copies where labels are the aim.
    """

    towards: Towards = "teacher"
    copies: int | None = None
    noise: float = 0.3

    def __post_init__(self) -> None:
        if self.towards not in get_args(Towards):
            raise ParameterError("towards", self.towards, "'teacher' or 'labels'", "Leave it out for 'teacher'.")
        copies = self.copies
        if copies is not None and not (is_number(copies, int) and copies >= 0):
            raise ParameterError("copies", copies, "a whole number, at least 0", "Leave it out for as many as help.")
        if copies and self.towards == "labels":
            fix = "Leave copies out: what their labels would be is not known."
            raise ParameterError("copies", copies, "0 with towards='labels'", fix)
        if not (is_number(self.noise) and 0.0 < self.noise <= 1.0):
            raise ParameterError("noise", self.noise, "above 0 and at most 1", "Leave it out for 0.3.")


def rows_of(aim: Aim, teacher: Ensemble, data: PassData) -> PassData:
    """The data with copies behind the rows, which have the labels and weights of those that they are made of.

    A few rounds. Nothing that is known of the rows alone is recalled of both.
    """
    if aim.towards == "labels" or aim.copies == 0:
        return data
    n_rows, next_row = extent_of(data)
    count = copies_for(n_rows, _WANTED_ROWS, _MOST_COPIES) if aim.copies is None else aim.copies
    features = tuple(teacher.tested)
    if not count or not features:
        return data
    likeness = likeness_of(raw_predictions(teacher, data))
    donors = draw_donors(features, likeness, n_rows, data)
    swaps = Swaps(aim.noise, _LIKENESS)
    bins = [np.asarray(data.rows.bins)]
    for copy in range(count):
        data.check()
        bins.append(np.asarray(noised(teacher, likeness, donors, swaps, copy, data).bins))
    return replace(data, rows=_repeated(data.rows, bins, next_row), memo=Memo())


def _repeated(rows: Rows, bins: list[NDArray[Any]], next_row: int) -> Rows:
    times = len(bins)
    weight = None if rows.weight is None else np.tile(rows.weight, times)
    label = np.tile(rows.label, times if rows.label.ndim == 1 else (1, times))
    segments = segments_with_copies(rows, times - 1, next_row)
    return Rows(np.concatenate(bins, axis=1), label, weight, None, segments)
