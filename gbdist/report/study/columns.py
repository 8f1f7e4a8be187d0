"""All charts of a search stand on one table of trials, so that what is pointed at or chosen in one is so in all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from bokeh.events import MouseLeave, MouseMove, Tap
from bokeh.models import CDSView, ColumnDataSource, CustomJS, IndexFilter, LinearColorMapper
from numpy.typing import NDArray

from gbdist.report.study.facts import STATES, Dimension, State, StudyFacts, TrialFacts, known
from gbdist.report.style import INK
from gbdist.spaced import evenly_spaced

#: How trials are drawn where they are pointed at.
Pointing = Literal["amongMarks", "amongLines", "amongCurves"]
#: Trials that charts draw; of those, lines across axes, and marks in each of the smaller charts. All of them together have to be
#: drawn anew within a second or two when some are chosen.
MOST_TRIALS, MOST_LINES, MOST_MARKS = 5_000, 1_000, 2_000
#: Parameters that charts show: the most important ones.
MOST_PARAMETERS = 10
COLORS: dict[State, str] = {"complete": "#0072b2", "pruned": "#e69f00", "failed": "#d6336c", "running": "#009e73"}
MARKERS: dict[State, str] = {"complete": "circle", "pruned": "inverted_triangle", "failed": "x", "running": "diamond"}
#: From the worst to the best.
_PALE, _DEEP, NO_RANK = (201, 220, 236), (3, 60, 112), "#bcc3c9"
#: The trial that is pointed at, and the best one.
POINTED, BEST = INK, "#d55e00"
SOURCE, POINTER = "trials", "pointed"
#: Where, on a line from 0 to 1, trials pass that have no value there.
ABSENT = -0.14
#: How far apart dots of one category stand, in places of categories.
_JITTER = 0.28


@dataclass(frozen=True, eq=False)
class Axis:
    """How a parameter lies on the line from 0 to 1: its ends, and ``ticks``, (place, label)."""

    dimension: Dimension
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def scaled(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where values, as ``Dimension.places`` gives them, lie on it; float64 [n], ``ABSENT`` for NaN."""
        if self.dimension.log:
            places, low, high = np.log(places), np.log(self.low), np.log(self.high)
        else:
            low, high = self.low, self.high
        found = (places - low) / (high - low) if high > low else np.full(len(places), 0.5)
        return np.where(np.isnan(places), ABSENT, found)


class Drawn:
    """The trials that are drawn: those without a value first, then from the worst to the best, which thus lies on top.

    Parameters
    ----------
    facts : StudyFacts

    Attributes
    ----------
    trials : list of TrialFacts [n]
    dimensions : the parameters that are shown, the most important first
    constants : (name, value) of parameters that are the same in all trials, which need no charts
    """

    def __init__(self, facts: StudyFacts) -> None:
        self.facts = facts
        self.trials = _ordered(facts)
        columns = [(one, one.places([trial.params.get(one.name) for trial in self.trials])) for one in facts.space]
        self.constants = [(one.name, _first(one.name, self.trials)) for one, places in columns if _constant(places)]
        varied = [(one, places) for one, places in columns if not _constant(places)]
        if not isinstance(facts.importances, str):
            shares = facts.importances
            varied.sort(key=lambda each: -shares.get(each[0].name, 0.0))
        self.n_varied = len(varied)
        self.dimensions = [one for one, _ in varied[:MOST_PARAMETERS]]
        self._places = [places for _, places in varied[:MOST_PARAMETERS]]

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """Scores, float64 [n], NaN where there is none."""
        return np.array([trial.value if known(trial) else np.nan for trial in self.trials], dtype=np.float64)

    @cached_property
    def axes(self) -> list[Axis]:
        """One of each dimension, and last that of the scores."""
        score = Dimension(self.facts.scoring, "number")
        shown = self.facts.shown(self.values)
        return [*map(_axis, self.dimensions, self._places), _axis(score, shown)]

    @cached_property
    def ranks(self) -> NDArray[np.float64]:
        """From 0, the worst, to 1, the best complete trial; float64 [n], NaN of all others."""
        ranks = np.full(len(self.trials), np.nan)
        complete = np.array([trial.state == "complete" and known(trial) for trial in self.trials], dtype=np.bool_)
        _, place = np.unique(self.values[complete], return_inverse=True)
        most = place.max(initial=0)
        ranks[complete] = (place if self.facts.greater_is_better else most - place) / max(most, 1)
        return ranks

    @cached_property
    def source(self) -> ColumnDataSource:
        """Columns: ``number``, ``state`` (its place in STATES), ``value``, ``height`` (what is drawn of it), ``rank``,
        ``seconds``, ``x_k`` (where dimension k is drawn in a chart of its own) and ``y_k`` (where on a line from 0 to 1, or
        ``ABSENT``; the last one is the score's)."""
        heights = self.facts.shown(self.values)
        found: dict[str, NDArray[Any]] = {
            "number": np.array([trial.number for trial in self.trials], dtype=np.int32),
            "state": np.array([STATES.index(trial.state) for trial in self.trials], dtype=np.uint8),
            "value": self.values,
            "height": heights,
            "rank": self.ranks.astype(np.float32),
            "seconds": np.array([np.nan if one.seconds is None else one.seconds for one in self.trials], np.float32),
        }
        for k, (dimension, places) in enumerate(zip(self.dimensions, self._places, strict=True)):
            found[f"x_{k}"] = places if dimension.kind != "category" else places + self._jitter
        for k, places in enumerate([*self._places, heights]):
            found[f"y_{k}"] = self.axes[k].scaled(places).astype(np.float32)
        return ColumnDataSource(found, name=SOURCE)

    @property
    def _jitter(self) -> NDArray[np.float64]:
        """Up to ±``_JITTER`` by the trial's number: golden ratio's multiples lie evenly, so that no two dots hide each other."""
        numbers = np.array([trial.number for trial in self.trials], dtype=np.float64)
        return _JITTER * (2 * np.modf(numbers * 0.6180339887498949)[0] - 1)

    @cached_property
    def pointed(self) -> ColumnDataSource:
        """The one trial that is pointed at, in the columns of ``source``; empty at first."""
        empty = {name: column[:0] for name, column in self.source.data.items()}
        return ColumnDataSource(empty, name=POINTER)

    def view(self, state: State, most: int = MOST_TRIALS) -> CDSView:
        """The trials in a state, among ``most`` of all."""
        return view_of([at for at in self.some(most) if self.trials[at].state == state])

    def some(self, most: int) -> list[int]:
        """Places of at most ``most`` trials; see ``best_and_some``."""
        return [int(place) for place in best_and_some(len(self.trials), most)]

    def few(self, most: int) -> tuple[str, ...]:
        """A note on which trials a chart draws, if it draws ``most`` of more."""
        if len(self.facts.trials) <= most:
            return ()
        among = f"{most:,} of {len(self.facts.trials):,} trials"
        return (f"{among} are drawn: the best half of these, and others evenly chosen.",)

    @cached_property
    def color(self) -> dict[str, Any]:
        """By rank: pale for the worst, deep for the best."""
        return {"field": "rank", "transform": rank_colors()}

    def point(self, plot: Any, kind: Pointing, most: int = MOST_TRIALS, **given: Any) -> None:
        """Let the reader point at trials of a figure; the page's script finds the nearest one, marks it in all charts, and writes
        what is known of it beside the pointer. ``given`` is what it needs: the columns of marks, or the curves. ``most`` as in
        ``view``."""
        given["rows"] = self.some(most) if len(self.trials) > most else None
        found = f"window.pointAt(cb_obj, plot, source, window.{kind}, given)"
        code = CustomJS(args={"plot": plot, "source": self.source, "given": given}, code=found)
        plot.js_on_event(MouseMove, code)
        plot.js_on_event(Tap, code)  # of a finger, which does not hover
        plot.js_on_event(MouseLeave, CustomJS(args={"source": self.source}, code="window.pointAway(source)"))


def rank_colors() -> LinearColorMapper:
    """From the worst (0) to the best (1); grey for trials without a rank."""
    shades = np.linspace(_PALE, _DEEP, 256).round().astype(int)
    return LinearColorMapper([f"#{r:02x}{g:02x}{b:02x}" for r, g, b in shades], low=0, high=1, nan_color=NO_RANK)


def _ordered(facts: StudyFacts) -> list[TrialFacts]:
    sign = 1.0 if facts.greater_is_better else -1.0

    def quality(trial: TrialFacts) -> tuple[bool, float, int]:
        return (trial.state == "complete" and known(trial), sign * (trial.value or 0.0) if known(trial) else 0.0,
                -trial.number)  # fmt: skip

    ordered = sorted(facts.trials, key=quality)
    return [ordered[place] for place in best_and_some(len(ordered), MOST_TRIALS)]


def best_and_some(n: int, most: int) -> NDArray[np.int64]:
    """Which of ``n`` things that are ordered from the worst to the best stand for all, int64 [min(n, most)] ascending: the best
    half of ``most``, and as many others, evenly chosen."""
    if n <= most:
        return np.arange(n)
    best = most // 2
    return np.concatenate([evenly_spaced(n - best, most - best), np.arange(n - best, n)])


def view_of(places: Sequence[int]) -> CDSView:
    """Rows of a source."""
    return CDSView(filter=IndexFilter(list(places)))


def _constant(places: NDArray[np.float64]) -> bool:
    told = places[~np.isnan(places)]
    return not told.size or (told.size == places.size and bool((told == told[0]).all()))


def _first(name: str, trials: list[TrialFacts]) -> Any:
    return next((trial.params[name] for trial in trials if name in trial.params), None)


def _axis(dimension: Dimension, places: NDArray[np.float64]) -> Axis:
    """As far as the trials reach; its ends, and the middle where that is a value too."""
    told = places[np.isfinite(places)]
    low, high = (float(told.min()), float(told.max())) if told.size else (0.0, 1.0)
    if dimension.kind == "category":
        n = len(dimension.choices)
        low, high = 0.0, float(max(n - 1, 1))
        return Axis(
            dimension, low, high, tuple((at / high, dimension.choices[at]) for at in evenly_spaced(n, 12).tolist())
        )
    axis = Axis(dimension, low, high, ())
    middle = float(np.sqrt(low * high)) if dimension.log else (low + high) / 2
    if dimension.kind == "integer":
        middle = float(round(middle))
    values = np.array(sorted({low, middle, high}))
    ticks = tuple((float(at), f"{value:.3g}") for at, value in zip(axis.scaled(values), values, strict=True))
    return Axis(dimension, low, high, ticks)
