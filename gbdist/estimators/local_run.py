"""Small data in memory are trained in this process, by the same steps and with the same bits as on a cluster."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.control import FREE, Control, Free
from gbdist.boosting.events import Listener
from gbdist.boosting.lockstep import LockstepResult, boost_apart, boost_folds
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams
from gbdist.boosting.progress import Step
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows
from gbdist.boosting.spans import SpanLog
from gbdist.errors import DataError
from gbdist.estimators.checkpoint import Checkpoint
from gbdist.estimators.cores import cores
from gbdist.estimators.devices import card_here
from gbdist.estimators.initial import InitialModel
from gbdist.estimators.preparation import tasks
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.pipeline import Source, named, require_same_columns
from gbdist.estimators.preparation.quantized import SetLayout
from gbdist.estimators.preparation.raw_parts import PartFormat, PartNumber, cut_block, read_part
from gbdist.estimators.preparation.shard import ArenaSpec, RowShape, Shard
from gbdist.estimators.rank_folds import FoldsAsked
from gbdist.estimators.ranked_rows import ready_rows
from gbdist.estimators.setup import Setup
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.cells import CellRules, Encoding, cells_type
from gbdist.quantize.merge_surveys import DataSurvey, merge_surveys
from gbdist.quantize.pairs import Pairs
from gbdist.quantize.raw import RawPart
from gbdist.quantize.sample import sample_rows
from gbdist.quantize.survey import survey_part
from gbdist.snapshots.digest import data_digest

#: Data in memory with fewer rows and at most this many cells need no cluster.
ROWS_BELOW = 10_000
_MOST_CELLS = 4_000_000
_CELLS_A_THREAD = 500_000

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class LocalSet:
    """A raw data set of this process and its facts."""

    raw: RawPart
    survey: DataSurvey


def trains_here(sources: Sequence[Source]) -> bool:
    """Whether all data sets are in memory and small enough to be trained on without a cluster."""
    return all(not source.parts.lazy and _is_small(source.parts) for source in sources)


def _is_small(parts: Parts) -> bool:
    n_rows = parts.n_rows or 0
    return n_rows < ROWS_BELOW and n_rows * len(parts.feature_names) <= _MOST_CELLS


def survey_here(sources: Sequence[Source]) -> list[LocalSet]:
    """Read and check all data sets."""
    sets = []
    for source in sources:
        parts = source.parts
        layout = PartFormat.of(parts, source.split)
        block = cut_block(parts, 0, parts.n_rows or 0)
        try:
            raw = read_part(block, layout, PartNumber(0))
            sets.append(LocalSet(raw, merge_surveys([survey_part(raw)])))
        except DataError as error:
            raise named(error, source.name) from None
        require_same_columns(source.name, sets[-1].survey, sets[0].survey)
    return sets


def encodings_here(data: LocalSet, rules: CellRules) -> tuple[Encoding, ...]:
    """Encodings of all features."""
    samples = sample_rows(data.raw, 0, data.survey.n_rows).values
    return tuple(tasks.choose([samples], data.survey.has_nan, data.survey.names, rules))


def rows_here(
    data: LocalSet,
    borders: tuple[FeatureBorders, ...],
    initial: InitialModel | None,
    setup: Setup,
    number: int,
) -> Rows:
    """Quantize a data set; ``number`` is its place among the sets."""
    shard, row = shard_here(data, borders, initial)
    return SetLayout((1,), row, setup.label_of_code[number], setup.class_weights).rows_of([shard])


def shard_here(
    data: LocalSet, encodings: Sequence[Encoding], initial: InitialModel | None = None
) -> tuple[Shard, RowShape]:
    """A data set as one shard, and what its rows have."""
    survey = data.survey
    dimension = survey.baseline.dimension if survey.baseline is not None else 0
    row = RowShape.of(survey, dimension if initial is None else initial.dimension, cells_type(encodings))
    arena = ArenaSpec(uuid.uuid4().hex, survey.n_rows, row, grouped=survey.part_cuts is not None)
    piece = tasks.PieceTask(PartNumber(0), 0, survey.n_rows, 0, 0, arena)
    coding = survey.labels if survey.targets else None
    return tasks.fill_arena(data.raw, encodings, initial, piece, coding), row


def boost_here(
    sets: Sequence[Rows],
    borders: tuple[FeatureBorders, ...],
    setup: Setup,
    listeners: Sequence[Listener],
    may_stop: bool,
    pairs: Sequence[Pairs] = (),
    checkpoint: Checkpoint | None = None,
    spans: SpanLog | None = None,
) -> BoostResult:
    """Train on one rank: this process; ``pairs`` are those of each data set that has any, ``spans`` are told where time goes."""
    params = params_here(setup, sets[0], may_stop)
    if setup.ranked is not None:
        sets = ready_rows(sets, setup.ranked, pairs, SingleRank())
    steps: tuple[Step, ...] = ()
    if checkpoint is not None:
        checkpoint.begin(data_digest(sets, SingleRank(), params.threads))
        # It hears of a tree before a callback may end the run with an error.
        steps, listeners = checkpoint.steps, [checkpoint, *listeners]
    control: Control = FREE if spans is None else Free(spans)
    try:
        result = boost(sets[0], sets[1:], n_bins(borders), params, SingleRank(), listeners, steps, control)
    finally:
        if spans is not None:
            spans.flush()
    return _ended(result)


def folds_here(
    rows: Rows,
    borders: tuple[FeatureBorders, ...],
    folds: FoldsAsked,
    setup: Setup,
    listeners: Sequence[Listener],
    may_stop: bool,
    pairs: Sequence[Pairs] = (),
) -> LockstepResult:
    """Train a model for each fold on one rank: this process; see ``boost_here``."""
    params, alone = params_here(setup, rows, may_stop), SingleRank()
    if setup.ranked is not None:
        (rows,) = ready_rows([rows], setup.ranked, pairs, alone)
    return _ended(boost_folds(rows, folds.of_rank(rows, alone), n_bins(borders), params, alone, listeners))


def apart_here(
    sets: Sequence[Rows],
    borders: Sequence[tuple[FeatureBorders, ...]],
    setup: Setup,
    listeners: Sequence[Listener],
    may_stop: bool,
) -> LockstepResult:
    """The same for folds that have borders of their own; ``sets`` are as ``boost_apart`` takes them."""
    params, alone = params_here(setup, sets[0], may_stop), SingleRank()
    if setup.ranked is not None:
        sets = ready_rows(sets, setup.ranked, (), alone)
    return _ended(boost_apart(sets, [n_bins(each) for each in borders], params, alone, listeners))


def _ended(result: T | None) -> T:
    """What a run ends with that nobody may end before, as somebody may on a cluster."""
    if result is None:
        raise RuntimeError("a run ended that nobody has ended")
    return result


def params_here(setup: Setup, rows: Rows, may_stop: bool) -> BoostParams:
    """What the trainer is told in this process."""
    resolved = setup.on_histograms
    card = card_here(resolved.task_type, resolved.devices)
    params = replace(resolved.params, listeners_may_stop=may_stop, card=card)
    return replace(params, threads=threads_for(rows)) if resolved.all_threads else params


def threads_for(rows: Rows) -> int:
    """How many of the cores that may be used are worth it."""
    cells = rows.n_rows * (rows.n_features + len(rows.unbinned))
    return max(1, min(cores(), cells // _CELLS_A_THREAD))


def n_bins(borders: Sequence[FeatureBorders]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Bins of each feature, int64 [n_features]."""
    return np.array([len(each.values) + 1 for each in borders], dtype=np.int64)
