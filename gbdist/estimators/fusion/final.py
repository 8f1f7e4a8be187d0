"""The final estimator of a stack that the user names: what it is given, and where it is trained."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from gbdist.errors import DataError
from gbdist.estimators.fusion.forms import Chunks, Form, Frame, InMemory
from gbdist.estimators.fusion.members import fit_member, fresh, require_kind, require_weights, takes_collections
from gbdist.estimators.fusion.rows import Column, FitRows
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.tables import is_frame, library_of
from gbdist_cluster.monitor.reporting import part_of_run

#: Bytes of predictions that are brought to this process for a final estimator that takes no collections.
MOST_BYTES = 256 << 20


@dataclass(frozen=True, eq=False)
class Layout:
    """The columns that a final estimator is given: those of the members, and with ``passthrough`` those of X before them.

    Parameters
    ----------
    names : of the members' columns, without those that are dropped
    drop_first : for each member, whether its first column is left out
    frame : whether rows of X are a frame's, which stay one
    """

    names: tuple[Hashable, ...]
    drop_first: tuple[bool, ...]
    passthrough: bool
    frame: bool

    @classmethod
    def of(
        cls, names: Sequence[Sequence[Hashable]], parts: Parts, *, drop_first: Sequence[bool], passthrough: bool
    ) -> Self:
        """DataError for a column of X that is called as a member's."""
        chosen = [
            name for of_member, drop in zip(names, drop_first, strict=True) for name in of_member[1 if drop else 0 :]
        ]
        if passthrough and parts.labels is not None:
            for name in chosen:
                if name in parts.labels:
                    expected = "another name than the predictions of a member have"
                    raise DataError(f"column {name!r}", "it in X", expected, "Give the member another name.")
        return cls(tuple(chosen), tuple(drop_first), passthrough, parts.labels is not None)

    def values(self, columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """float64 [n_rows, len(names)] from the columns of each member."""
        return np.hstack([each[:, 1 if drop else 0 :] for each, drop in zip(columns, self.drop_first, strict=True)])

    def beside(self, rows: Any, values: NDArray[np.float64]) -> Any:
        """What the final estimator is given: ``values``, with the rows of X before them if it sees them."""
        if not self.passthrough:
            return values
        if not self.frame:
            return sparse.hstack([rows, values]).tocsr() if library_of(rows) == "scipy" else np.hstack([rows, values])
        table = rows.to_pandas() if library_of(rows) in {"polars", "pyarrow"} else rows
        if not is_frame(table):
            raise DataError("X", "an array", "a frame, as in fit: passthrough=True gives its columns on", "Pass one.")
        return pd.concat([table, pd.DataFrame(values, index=table.index, columns=list(self.names))], axis=1)

    def form(self, rows: FitRows) -> Form:
        """The form of what the final estimator is given in ``fit``."""
        like, n_columns = rows.X.form, len(self.names)
        if isinstance(like, InMemory):
            return like
        if not self.passthrough:
            return Chunks(np.dtype(np.float64), (n_columns,))
        if isinstance(like, Chunks):
            return Chunks(np.result_type(like.dtype, np.float64), (like.tail[0] + n_columns,))
        if not isinstance(like, Frame):
            raise TypeError("there is no other form")
        return Frame(self.beside(like.meta, np.empty((0, n_columns))), like.divisions)


def require_final(final: Any, *, classifier: bool, weighted: bool) -> None:
    """ParameterError for a final estimator that cannot be one."""

    require_kind("final_estimator", final, classifier=classifier)
    if weighted:
        require_weights([("final_estimator", final)])


def fit_final(final: Any, rows: FitRows, values: Sequence[Any], layout: Layout, client: Any, ensemble: str) -> Any:
    """Fit on pieces of the members' columns: where they are, or in this process if it takes no collections.

    DataError if they are too many for that.
    """
    place, pieces = rows.place, values
    if layout.passthrough:
        pieces = place.map(_beside, rows.X.pieces, values, layout=layout)
    given = (Column(list(pieces), layout.form(rows)), rows.y, rows.weight)
    if takes_collections(final) or isinstance(rows.X.form, InMemory):
        data = [None if each is None else each.form.join(each.pieces, rows.lengths) for each in given]
        with part_of_run(f"final_estimator of {ensemble}"):
            return fit_member(fresh(final, client), *data)
    n_bytes = sum(place.fetch(place.map(_bytes_of, pieces)))
    if n_bytes > MOST_BYTES:
        fix = "Use one of gbdist's, which are trained where the rows are, or leave it out."
        found = f"{n_bytes / 2**20:,.0f} MiB for a {type(final).__name__}, which is trained in this process"
        raise DataError("final_estimator", found, f"at most {MOST_BYTES >> 20} MiB", fix)
    return fit_member(final, *[None if each is None else _joined(place.fetch(each.pieces)) for each in given])


def _beside(rows: Any, values: NDArray[np.float64], *, layout: Layout) -> Any:
    return layout.beside(rows, values)


def _bytes_of(piece: Any) -> int:
    return (
        int(piece.memory_usage(index=False, deep=True).sum()) if hasattr(piece, "memory_usage") else int(piece.nbytes)
    )


def _joined(pieces: Sequence[Any]) -> Any:
    return pd.concat(pieces) if hasattr(pieces[0], "iloc") else np.concatenate(pieces)
