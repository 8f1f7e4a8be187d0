"""Small data in memory are trained in this process, by the same steps and with the same bits as on a cluster."""

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.events import Listener
from gbdist.boosting.loop import BoostResult, boost
from gbdist.boosting.rows import Rows
from gbdist.errors import DataError
from gbdist.estimators.devices import card_here
from gbdist.estimators.initial import InitialModel
from gbdist.estimators.parameters.cuts import QuantizeParams
from gbdist.estimators.parameters.resolve import Resolved
from gbdist.estimators.preparation import tasks
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.pipeline import Source, named, require_same_columns
from gbdist.estimators.preparation.quantized import SetLayout
from gbdist.estimators.preparation.raw_parts import PartFormat, PartNumber, cut_block, read_part
from gbdist.estimators.preparation.shard import ArenaSpec
from gbdist.estimators.ranked_rows import ready_rows
from gbdist.estimators.setup import Setup
from gbdist.quantize.binning import bins_dtype
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.merge_surveys import DataSurvey, merge_surveys
from gbdist.quantize.pairs import Pairs
from gbdist.quantize.raw import RawPart
from gbdist.quantize.sample import sample_rows
from gbdist.quantize.survey import survey_part

#: Data in memory with fewer rows and at most this many cells need no cluster.
ROWS_BELOW = 10_000
_MOST_CELLS = 4_000_000
_CELLS_A_THREAD = 500_000


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


def borders_here(data: LocalSet, rules: QuantizeParams) -> tuple[FeatureBorders, ...]:
    """Borders of all features."""
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
    survey = data.survey
    dimension = survey.baseline.dimension if survey.baseline is not None else 0
    arena = ArenaSpec(
        key=uuid.uuid4().hex,
        n_rows=survey.n_rows,
        n_features=len(borders),
        wide=bins_dtype(borders) is np.uint16,
        weighted=survey.weight is not None,
        dimension=dimension if initial is None else initial.dimension,
        grouped=survey.part_cuts is not None,
        hashed=survey.hashed,
        n_labels=max(1, len(survey.targets)),
    )
    piece = tasks.PieceTask(PartNumber(0), 0, survey.n_rows, 0, 0, arena)
    shard = tasks.fill_arena(data.raw, borders, initial, piece, survey.labels)
    layout = SetLayout(
        counts=(1,),
        n_features=arena.n_features,
        wide=arena.wide,
        weighted=arena.weighted,
        dimension=arena.dimension,
        hashed=arena.hashed,
        label_of_code=setup.label_of_code[number],
        class_weights=setup.class_weights,
        n_labels=arena.n_labels,
    )
    return layout.rows_of([shard])


def boost_here(
    sets: Sequence[Rows],
    borders: tuple[FeatureBorders, ...],
    setup: Setup,
    listeners: Sequence[Listener],
    may_stop: bool,
    pairs: Sequence[Pairs] = (),
) -> BoostResult:
    """Train on one rank: this process; ``pairs`` are those of each data set that has any."""
    resolved = setup.resolved
    if not isinstance(resolved, Resolved):
        raise TypeError("histograms were not asked for")
    card = card_here(resolved.task_type, resolved.devices)
    params = replace(resolved.params, listeners_may_stop=may_stop, card=card)
    if resolved.all_threads:
        params = replace(params, threads=threads_for(sets[0]))
    if setup.ranked is not None:
        sets = ready_rows(sets, setup.ranked, pairs, SingleRank())
    return boost(sets[0], sets[1:], n_bins(borders), params, SingleRank(), listeners)


def threads_for(rows: Rows) -> int:
    """How many of this machine's cores are worth using."""
    cells = rows.n_rows * (rows.n_features + len(rows.unbinned))
    return max(1, min(os.cpu_count() or 1, cells // _CELLS_A_THREAD))


def n_bins(borders: Sequence[FeatureBorders]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Bins of each feature, int64 [n_features]."""
    return np.array([len(each.values) + 1 for each in borders], dtype=np.int64)
