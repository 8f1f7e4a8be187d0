"""What workers do before the trainer starts: functions that run as Dask tasks, on a few partitions or one share of features."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from distributed import get_worker
from numpy.typing import NDArray

from gbdist.boosting.bins import to_write
from gbdist.errors import DataError
from gbdist.estimators.initial import InitialModel
from gbdist.estimators.preparation.on_disk import moved_to_disk
from gbdist.estimators.preparation.raw_parts import Block, PartFormat, PartNumber, read_part
from gbdist.estimators.preparation.shard import ArenaSpec, Shard, Shards, arena_of
from gbdist.estimators.preparation.tables import count_rows, slice_rows
from gbdist.quantize.binning import ON_CPU, Tiles, tiles_on_card
from gbdist.quantize.cells import CellRules, Encoding, cells_type, write_cells
from gbdist.quantize.groups import group_ids
from gbdist.quantize.raw import RawPart
from gbdist.quantize.sample import Sample, join_samples, sample_rows
from gbdist.quantize.survey import PartSurvey, failed_survey, survey_part
from gbdist.quantize.unbinned import HASHED, read_columns
from gbdist.quantize.vectors import LabelCoding, baseline_matrix, encode_label, number_vector
from gbdist_cluster.shards import ShardHandle, keep

#: Features, labels, weights, baselines, groups or folds of the partitions that a task looks at; None where there are none.
Column = Sequence[Any]


@dataclass(frozen=True, slots=True)
class PieceTask:
    """Rows ``start … stop−1`` of a partition, and the columns of the rank's arena that they fill."""

    part: PartNumber
    start: int
    stop: int
    first_row: int
    column: int
    arena: ArenaSpec


def count_part(features: Any, *_: Any) -> int:
    """Number of rows of a partition."""
    return count_rows(features.features if isinstance(features, Block) else features)


def survey(
    features: Column,
    label: Column,
    weight: Column,
    baseline: Column,
    group: Column,
    fold: Column,
    parts: Sequence[PartNumber],
    layout: PartFormat,
) -> list[PartSurvey]:
    """Look at every value of some partitions once; what is wrong with one comes back as its ``problem``."""
    blocks = map(Block, features, label, weight, baseline, group, fold)
    return [_survey_one(block, layout, part) for block, part in zip(blocks, parts, strict=True)]


def _survey_one(block: Block, layout: PartFormat, part: PartNumber) -> PartSurvey:
    try:
        return survey_part(read_part(block, layout, part))
    except DataError as problem:
        return failed_survey(part.number, problem)


def sample(
    features: Column, fold: Column, parts: Sequence[PartNumber], layout: PartFormat, n_rows_total: int, on_disk: bool
) -> list[Sample]:
    """Sampled rows of some partitions; their values wait on this worker's disk where memory has no room for them."""
    drawn = [
        sample_rows(read_part(Block(one, fold=of_rows), layout, part), part.first_row, n_rows_total)
        for one, of_rows, part in zip(features, fold, parts, strict=True)
    ]
    return [replace(one, values=moved_to_disk(one.values)) for one in drawn] if on_disk else drawn


def cut(
    samples: Sequence[Sequence[Sample]], features: tuple[int, int], n_rows_total: int, after: object
) -> NDArray[np.float32]:
    """Join samples of several partitions, of one share of the features; ``after`` is a task that has to be done first."""
    first, last = features
    shares = [replace(one, values=one.values[first:last]) for many in samples for one in many]
    return np.ascontiguousarray(join_samples(shares, n_rows_total))


def choose(
    samples: Sequence[NDArray[np.float32]], has_nan: Sequence[bool], names: Sequence[str], rules: CellRules
) -> list[Encoding]:
    """Encodings of one share of the features, from its samples of all partitions."""
    return [rules.choose(values, nan, name) for values, nan, name in zip(_joined(samples), has_nan, names, strict=True)]


def _joined(samples: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return samples[0] if len(samples) == 1 else np.concatenate(samples, axis=1)


def join(shares: Sequence[Sequence[Encoding]]) -> tuple[Encoding, ...]:
    """Encodings of all features."""
    return tuple(encoding for share in shares for encoding in share)


def quantize(
    features: Column,
    label: Column,
    weight: Column,
    baseline: Column,
    group: Column,
    fold: Column,
    encodings: Sequence[Encoding],
    initial: InitialModel | None,
    pieces: Sequence[PieceTask],
    layout: PartFormat,
    coding: LabelCoding | None,
    card: tuple[str, int] | None,
) -> ShardHandle:
    """Turn some rows of each of some partitions into cells, in the arena of their rank; stores ``Shards``.

    ``card`` is the GPU that searches the borders if the task runs where it was meant to: (address of the worker, number).
    """
    at_home = card is not None and get_worker().address == card[0]
    with tiles_on_card(card[1]) if card is not None and at_home else nullcontext(ON_CPU) as tiles:
        shards = []
        for block, piece in zip(map(Block, features, label, weight, baseline, group, fold), pieces, strict=True):
            shards.append(fill_arena(read_part(block, layout, piece.part), encodings, initial, piece, coding, tiles))
        return keep(Shards(shards))


def cut_rows(handle: ShardHandle, start: int, stop: int) -> ShardHandle:
    """Rows ``start … stop−1``, in their order, of the shards of a task, copied so that the others can be let go."""
    kept, before = [], 0
    for shard in sorted(handle.shard, key=lambda shard: shard.first_row):
        first, last = max(start - before, 0), min(stop - before, shard.n_rows)
        if first < last:
            kept.append(shard.copied(first, last))
        before += shard.n_rows
    return keep(Shards(kept))


def fill_arena(
    raw: RawPart,
    encodings: Sequence[Encoding],
    initial: InitialModel | None,
    piece: PieceTask,
    coding: LabelCoding | None,
    tiles: Tiles = ON_CPU,
) -> Shard:
    """Write cells, hashes, labels and what else rows have into the arena of a piece; columns that are neither go beside it."""
    raw = _rows_of(raw, piece)
    spec = replace(piece.arena, row=replace(piece.arena.row, dtype=cells_type(encodings)))
    unbinned = read_columns(raw.unbinned, raw.number)
    beside = tuple(column for column in unbinned if column.kind != HASHED)
    shard = Shard(arena_of(spec), piece.column, piece.stop - piece.start, piece.first_row, beside)
    with to_write(shard.cells) as cells:
        write_cells(raw, encodings, cells, tiles)
    for row, column in zip(shard.hashes, (column for column in unbinned if column.kind == HASHED), strict=True):
        row[...] = column.values
    place = f"of partition {raw.number}"
    if coding is not None:
        shard.label[...] = encode_label(raw.label, coding, f"y {place}")
    if shard.weight is not None:
        shard.weight[...] = number_vector(raw.weight, f"sample_weight {place}")
    if shard.baseline is not None:
        shard.baseline[...] = 0.0 if raw.baseline is None else baseline_matrix(raw.baseline, f"baseline {place}")
        if initial is not None:
            shard.baseline[...] += initial.raw_predictions(raw)
    if shard.group is not None:
        shard.group[...] = group_ids(raw.group, f"group_id {place}")[1]
    if shard.fold is not None:
        shard.fold[...] = raw.fold
    return shard


def _rows_of(raw: RawPart, piece: PieceTask) -> RawPart:
    def cut(values: Any) -> Any:
        return None if values is None else slice_rows(values, piece.start, piece.stop)

    unbinned = tuple(replace(column, values=cut(column.values)) for column in raw.unbinned)
    label, weight, baseline = (cut(values) for values in (raw.label, raw.weight, raw.baseline))
    return RawPart(cut(raw.features), label, weight, baseline, raw.number, cut(raw.group), unbinned, cut(raw.fold))
