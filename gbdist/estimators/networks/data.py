"""Rows of shards as the trainer of networks takes them, on a rank of a gang or in this process."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.boosting.rows import Segment
from gbdist.estimators.local_run import LocalSet, shard_here
from gbdist.estimators.networks.inputs import InputColumns
from gbdist.estimators.preparation.quantized import SetLayout, shards_of_rank
from gbdist.estimators.preparation.shard import Arena, Shard, joined_shards
from gbdist.neural.network.rows import NetworkRows
from gbdist.neural.network.vocabulary import Vocabulary, vocabularies
from gbdist.quantize.scales import ColumnScale


def network_rows(
    layouts: Sequence[SetLayout],
    stored: Sequence[Sequence[Shard]],
    loss: str,
    collective: Collective,
    known: Sequence[Vocabulary] | None = None,
) -> tuple[list[NetworkRows], tuple[Vocabulary, ...]]:
    """This rank's rows of each data set, from what its futures left, one set after the other; and the vocabularies.

    All ranks call it. The training set comes first: its categories, of all ranks, make the vocabularies, unless these are
    ``known``. Numbers are the shards' own, without a copy, where these fill one arena.
    """
    of_sets = zip(layouts, shards_of_rank(layouts, stored, collective.rank), strict=True)
    arenas = [joined_shards(shards, layout.row) for layout, shards in of_sets]
    if known is None:
        known = vocabularies(list(arenas[0][0].hashes), collective)
    sets = [_rows(layout, *joined, loss, known) for layout, joined in zip(layouts, arenas, strict=True)]
    return sets, tuple(known)


def network_rows_here(
    sets: Sequence[LocalSet],
    scales: Sequence[ColumnScale],
    label_of_code: Sequence[NDArray[np.float32] | None],
    class_weights: NDArray[np.float64] | None,
    loss: str,
    known: Sequence[Vocabulary] | None = None,
) -> tuple[list[NetworkRows], tuple[Vocabulary, ...]]:
    """The same of data sets of this process, whose numbers are scaled by ``scales``; see ``SetLayout`` for labels and weights."""
    layouts, stored = [], []
    for data, table in zip(sets, label_of_code, strict=True):
        shard, row = shard_here(data, scales)
        layouts.append(SetLayout((1,), row, table, class_weights))
        stored.append([shard])
    return network_rows(layouts, stored, loss, SingleRank(), known)


def _rows(
    layout: SetLayout, arena: Arena, segments: tuple[Segment, ...], loss: str, known: Sequence[Vocabulary]
) -> NetworkRows:
    label, weight = layout.meant(arena.label, arena.weight)
    n_rows = int(arena.cells.shape[1])
    numbers: Any = arena.cells
    # A data set without numeric columns has cells of no type.
    numeric = numbers.T.astype(np.float32, copy=False)
    codes = InputColumns((), known).codes(list(arena.hashes), n_rows)
    return NetworkRows(numeric, codes, _target(label, loss), weight, segments)


def _target(label: NDArray[np.float32], loss: str) -> NDArray[Any]:
    """Numbers of classes, int32 [n_rows], for ``log_loss``; else float32 [n_rows, n_outputs]."""
    if loss == "log_loss":
        return label.astype(np.int32)
    return label[:, np.newaxis] if label.ndim == 1 else np.ascontiguousarray(label.T)
