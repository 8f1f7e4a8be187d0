"""The first look at a raw data set: facts of every partition, and the sample that borders are chosen from.

Partitions that are in memory already are looked at all together. Those of a lazy collection are computed in waves, two at a
time (``pace.py``): a wave is surveyed, which tells its row numbers; then its sample is drawn; then it is let go, or kept if there
is room. A sampled row is one whose draw is below limit / rows so far, which only falls, so what a wave draws holds all that the
final rule asks for; the rest is dropped when samples are joined (``quantize/sample.py``).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from distributed import Client, Future

from gbdist.errors import DataError
from gbdist.estimators.preparation import tasks
from gbdist.estimators.preparation.futures import batched, by_holder, gather, held_where, names, wait_for
from gbdist.estimators.preparation.pace import WAVES_AT_ONCE, Room, Weight
from gbdist.estimators.preparation.raw_parts import PartFormat, PartNumber, RawParts
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.split import Side
from gbdist.quantize.merge_surveys import DataSurvey, merge_surveys
from gbdist.quantize.sample import SAMPLE_LIMIT
from gbdist.quantize.survey import PartSurvey
from gbdist.quantize.unbinned import HASH_BYTES, HASHED


@dataclass(frozen=True, eq=False)
class Surveyed:
    """A data set (or one side of a split of it) whose facts are known: what every later step reads.

    ``where`` has the worker that holds each raw partition, None where it was let go. ``samples`` are futures of ``Sample`` by
    the worker that drew them, none where no borders are to be chosen.
    """

    raw: RawParts
    format: PartFormat
    survey: DataSurvey
    numbers: tuple[PartNumber, ...]
    where: tuple[str | None, ...]
    samples: dict[str | None, list[Future]]


@dataclass(eq=False)
class _Side:
    """What is known so far of one side of the data."""

    format: PartFormat
    sampled: bool
    surveys: list[PartSurvey] = field(default_factory=list)
    numbers: list[PartNumber] = field(default_factory=list)
    samples: dict[str | None, list[Future]] = field(default_factory=dict)
    n_rows: int = 0


class SurveyRun:
    """The survey of one raw data set, in waves."""

    def __init__(
        self,
        client: Client,
        raw: RawParts,
        splits: Sequence[Side | None],
        *,
        samples: bool,
        room: Room,
        scope: FutureScope,
        announced_rows: int | None = None,
    ) -> None:
        """Prepare to look at every side of ``raw`` that ``splits`` names; ``samples`` are drawn from the first side.

        ``announced_rows``, of all partitions before a split, spare the first waves from drawing too much.
        """
        self._client, self._raw, self._room, self._scope = client, raw, room, scope
        self._sides = [_Side(raw.format_of(split), samples and i == 0) for i, split in enumerate(splits)]
        self._known_rows = announced_rows if announced_rows and splits[0] is None else 0
        self._raw_rows = 0  # of the partitions that were counted
        self._where: list[str | None] = [None] * raw.n_parts
        self._called = 0
        self._waves: deque[tuple[range, list[list[Future]]]] = deque()
        self._weight: Weight | None = None
        self._draws: list[Future] = []

    def start(self) -> None:
        """Set the first partitions going."""
        while self._called < self._raw.n_parts and len(self._waves) < WAVES_AT_ONCE:
            self._call()

    def finish(self) -> list[Surveyed]:
        """Look at all partitions and make every check on the input; DataError says what is wrong and where."""
        while self._waves:
            self._look(*self._waves.popleft())
            self.start()
        self._require_announced_rows()
        return [self._surveyed(side) for side in self._sides]

    def _require_announced_rows(self) -> None:
        found = self._sides[0].n_rows
        if self._sides[0].sampled and 0 < found < self._known_rows:
            expected = f"{self._known_rows} rows, as its chunks announce"
            raise DataError("X", f"{found} rows", expected, "Make the chunks of X as long as its partitions.")

    def _call(self) -> None:
        """Set the next wave going: its partitions, and its surveys unless they depend on the rows before it."""
        n_parts, first = self._raw.n_parts, self._called
        stop = n_parts if self._kept() >= n_parts else min(n_parts, first + self._room.wave(self._weight))
        wave = range(first, stop)
        self._raw.call(self._client, wave, self._scope)
        self._called = stop
        counted = all(side.format.split is None for side in self._sides)
        self._waves.append((wave, [self._survey(side, wave) for side in self._sides] if counted else []))

    def _look(self, wave: range, surveys: list[list[Future]]) -> None:
        """Wait for the surveys of a wave, draw its samples, and let go what is not kept."""
        if not surveys:
            self._count(wave)
            surveys = [self._survey(side, wave) for side in self._sides]
        for side, futures in zip(self._sides, surveys, strict=True):
            found = [part for batch in gather(self._client, futures) for part in batch]
            self._scope.drop(futures)
            side.surveys += sorted(found, key=lambda part: part.number)
            side.n_rows += sum(part.n_rows for part in found)
            _require_readable(found)
        held = held_where(self._client, [self._raw.features[i] for i in wave])
        self._where[wave.start : wave.stop] = held
        wait_for(self._draws)  # the wave before this one has been drawn from before another one is called
        self._draws = [future for side in self._sides if side.sampled for future in self._draw(side, wave)]
        self._weigh()
        let_go = range(max(wave.start, self._kept()), wave.stop)
        self._raw.let_go(let_go, self._scope)
        if let_go and not self._raw.stays and self._raw.computes_features:
            self._where[let_go.start : let_go.stop] = [None] * len(let_go)

    def _count(self, wave: range) -> None:
        """Learn the lengths of a wave's partitions: a split is by row number."""
        features = [self._raw.features[i] for i in wave]
        counts = gather(self._client, self._scope.hold(self._client.map(tasks.count_part, features, **names("count"))))
        for number, count in zip(wave, counts, strict=True):
            for side in self._sides:
                side.numbers.append(PartNumber(number, self._raw_rows))
            self._raw_rows += count

    def _survey(self, side: _Side, wave: range) -> list[Future]:
        numbers = {i: PartNumber(i) for i in wave} | {part.number: part for part in side.numbers if part.number in wave}
        batches = self._raw.batches(self._client, wave)
        columns = [[[column[i] for i in batch] for batch in batches] for column in self._raw.columns()]
        parts = [[numbers[i] for i in batch] for batch in batches]
        return self._scope.hold(self._client.map(tasks.survey, *columns, parts, layout=side.format, **names("survey")))

    def _draw(self, side: _Side, wave: range) -> list[Future]:
        """Draw the sample of a wave where it lies; rows of later waves only lower its share."""
        surveys = {part.number: part for part in side.surveys if part.number in wave and part.n_rows}
        first_rows = _first_rows(side.surveys)
        made: list[Future] = []
        for parts in by_holder(surveys, self._where):
            batches = batched(parts, [surveys[i].nbytes for i in parts])
            features, *_, folds = self._raw.columns()
            told = [[[column[i] for i in batch] for batch in batches] for column in (features, folds)]
            numbers = [[_numbered(side, i, first_rows[i]) for i in batch] for batch in batches]
            n_bytes = 4 * len(self._sides[0].surveys[0].names) * SAMPLE_LIMIT
            how = {"layout": side.format, "n_rows_total": max(side.n_rows, self._known_rows)}
            how["on_disk"] = self._room.samples_on_disk(n_bytes)
            drawn = self._scope.hold(self._client.map(tasks.sample, *told, numbers, **how, **names("sample")))
            side.samples.setdefault(self._where[parts[0]], []).extend(drawn)
            made += drawn
        return made

    def _weigh(self) -> None:
        surveys = self._sides[0].surveys
        seen, n_parts = len(surveys), self._raw.n_parts
        rows = max(self._raw_rows, sum(side.n_rows for side in self._sides)) / seen * n_parts
        raw = sum(part.nbytes for side in self._sides for part in side.surveys) / seen
        hashed = sum(kind == HASHED for _, kind in self._sides[0].format.unbinned)
        self._weight = Weight(raw, self._room.in_memory(rows * len(surveys[0].names), rows * (HASH_BYTES * hashed + 4)))

    def _kept(self) -> int:
        n_parts = self._raw.n_parts
        return n_parts if self._raw.stays else self._room.kept(n_parts, self._weight)

    def _surveyed(self, side: _Side) -> Surveyed:
        survey = merge_surveys(side.surveys)
        first_rows = _first_rows(side.surveys)
        numbers = tuple(_numbered(side, i, first_rows[i]) for i in range(self._raw.n_parts))
        return Surveyed(self._raw, side.format, survey, numbers, tuple(self._where), side.samples)


def _numbered(side: _Side, number: int, first_row: int) -> PartNumber:
    return PartNumber(number, side.numbers[number].raw_first_row if side.numbers else 0, first_row)


def _first_rows(surveys: Sequence[PartSurvey]) -> list[int]:
    """Number of the first row of each partition; surveys are in order."""
    first_rows = [0]
    for part in surveys:
        first_rows.append(first_rows[-1] + part.n_rows)
    return first_rows


def _require_readable(parts: Sequence[PartSurvey]) -> None:
    """Raise what stopped the first of the surveys that were stopped, without waiting for the other waves."""
    problems: list[DataError] = [part.problem for part in parts if part.problem is not None]
    if problems:
        raise problems[0]
