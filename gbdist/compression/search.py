"""The search for a model that keeps a target: which pipelines are tried, at which sizes, and which one comes out.

Each family of pipelines has one knob, the share of the model's leaves that is to stay. A bound on size, cost or trees is met by
the largest share that keeps it, found on a line through what was tried, as long as the family may still win; one on the loss by
the smallest, found by bisection between what is known to keep it and what is not. Nothing here is measured by a clock, so the
same rows give the same choice.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, dataclass, field, fields
from time import perf_counter
from typing import Final, Protocol

from gbdist.compression.candidates import Family
from gbdist.compression.chance import PartLoss
from gbdist.compression.figures import ModelFigures
from gbdist.compression.passes.base import Pass
from gbdist.compression.report import Tried
from gbdist.compression.targets import Targets
from gbdist.errors import ModelError
from gbdist.models.ensemble import Ensemble

#: Models that are tried of a family at most: for a bound on size, cost or trees, and for one on the loss.
_TRIES_BY_PROPORTION: Final = 4
_TRIES_BY_BISECTION: Final = 6
#: How near to a bound on size, cost or trees is near enough, and what is aimed at: lines are not quite straight.
_NEAR: Final = 0.98
_AIMED: Final = 0.99
#: A loss that is larger by this share is about as good.
_LITTLE: Final = 0.002
#: Smallest share of the leaves that a bound on the loss is tried with at first.
_LEAST_SHARE: Final = 1 / 64


class Workshop(Protocol):
    """Who makes and measures models, where the rows are."""

    def made(self, passes: Sequence[Pass]) -> Ensemble:
        """The model that passes make of the one that was given."""
        ...

    def loss(self, ensemble: Ensemble) -> PartLoss:
        """What it loses on the rows that models are chosen by."""
        ...

    def figures(self, ensemble: Ensemble) -> ModelFigures:
        """What it is without rows."""
        ...


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model that was tried."""

    tried: Tried
    ensemble: Ensemble


@dataclass(eq=False)
class Search:
    """Tries models for a target.

    Parameters
    ----------
    tell : callable
        Hears, after each model that was tried, of all of them and of the place of the best, −1 where none keeps the bound.
    candidates : list of Candidate
        All of them; the first is the model as it was given.
    skipped : dict of str to str
        Families that were not tried, and why: they do not apply to the model, or are not needed.
    """

    targets: Targets
    workshop: Workshop
    tell: Callable[[Sequence[Candidate], int], None]
    candidates: list[Candidate] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    bounds: tuple[float, ...] = ()
    _given: PartLoss = field(init=False, repr=False)

    @staticmethod
    def most_tries(targets: Targets, families: Sequence[Family]) -> int:
        """How many models are tried at most, the given one apart."""
        most = _TRIES_BY_BISECTION if targets.of_loss else _TRIES_BY_PROPORTION
        return sum(min(most, family.most) for family in families)

    def start(self, given: Ensemble) -> None:
        """Measure the model as it was given."""
        self._add("given", "as it is", given, perf_counter())

    def over(self, families: Sequence[Family]) -> None:
        """Try families, the cheap ones first: what they find bounds what dearer ones have to look at.

        Trees are grown anew, which takes long, only where all that are made of the model's own lose more than a little.
        """
        self._try(one for one in families if not one.is_grown)
        grown = [one for one in families if one.is_grown]
        if self._loses_little():
            self.skipped |= {one.name: f"the model's own trees lose no more than {_LITTLE:.1%}" for one in grown}
        else:
            self._try(grown)

    def _try(self, families: Iterable[Family]) -> None:
        for family in families:
            try:
                (self._smallest if self.targets.of_loss else self._largest)(family)
            except ModelError as error:
                # Also where a step is too small or too large for a family whose other steps were tried.
                if not any(one.tried.family == family.name for one in self.candidates):
                    self.skipped[family.name] = str(error)

    @property
    def best(self) -> Candidate | None:
        """The best model that keeps the bound, the first of equal ones; None where there is none.

        What is not certain counts against a model: of many that are about as good the one that looks best is so by luck.
        """
        kept = [one for one in self.candidates if one.tried.keeps]
        return min(kept, key=lambda one: self.targets.order(one.tried.figures, one.tried.sure_loss), default=None)

    @property
    def nearest(self) -> Candidate:
        """The model that is nearest to keeping the bounds: of those that keep one on the loss, if any does, the smallest."""
        loss_kept = [one for one in self.candidates if self._loss_kept(one)]
        if self.targets.of_loss and not loss_kept:
            return min(self.candidates, key=lambda one: one.tried.sure_loss)
        return min(loss_kept, key=self._fill)

    def place(self, candidate: Candidate) -> int:
        """Its place among ``candidates``."""
        return self.candidates.index(candidate)

    def attempt(self, name: str, passes: Sequence[Pass]) -> Candidate:
        """Try one pipeline; raises what its passes raise."""
        started = perf_counter()
        return self._add(name, words_of(passes), self.workshop.made(passes), started)

    def _add(self, family: str, pipeline: str, ensemble: Ensemble, started: float) -> Candidate:
        figures, loss = self.workshop.figures(ensemble), self.workshop.loss(ensemble)
        if not self.candidates:
            self.bounds, self._given = self.targets.bounds(figures, loss.whole), loss
        error = loss.standard_error(self._given)
        keeps = self.targets.kept(self.bounds, figures, loss.whole + error)
        tried = Tried(family, pipeline, figures, loss.whole, error, keeps, perf_counter() - started)
        candidate = Candidate(tried, ensemble)
        self.candidates.append(candidate)
        best = self.best
        self.tell(self.candidates, -1 if best is None else self.place(best))
        return candidate

    def _fill(self, candidate: Candidate) -> float:
        return self.targets.fill(self.bounds, candidate.tried.figures)

    @staticmethod
    def _size(candidate: Candidate) -> int:
        return candidate.tried.figures.size

    def _loss_kept(self, candidate: Candidate) -> bool:
        tried = candidate.tried
        pairs = zip(self.targets.each, self.bounds, strict=True)
        return all(tried.sure_loss <= bound for one, bound in pairs if one.kind == "loss")

    def _largest(self, family: Family) -> None:
        """Try the family's largest model within bounds on size, cost or trees, which grow nearly linearly with the share."""
        low, high = 0, family.most + 1
        before, step = (0, 0.0), family.step(self._share())
        for _ in range(_TRIES_BY_PROPORTION):
            made = self.attempt(family.name, family.passes(step))
            filled = self._fill(made)
            low, high = (step, high) if filled <= 1.0 else (low, step)
            if low + 1 >= high or _NEAR <= filled <= 1.0:
                return
            next_step = min(max(_on_line(before, (step, filled)), low + 1), high - 1)
            if not self._may_be_better(made, max(1.0, next_step / step)):
                return
            before, step = (step, filled), next_step

    def _loses_little(self) -> bool:
        """Whether a model within bounds on size, cost or trees is about as good as the given one."""
        given = self.candidates[0].tried.loss
        enough = given + _LITTLE * abs(given)
        kept = (one.tried.loss for one in self.candidates if one.tried.keeps)
        return not self.targets.of_loss and math.isfinite(given) and any(loss <= enough for loss in kept)

    def _may_be_better(self, made: Candidate, times: float) -> bool:
        """Whether a model of the family, ``times`` as large as ``made`` at most, may be chosen in place of the best known.

        What it loses above the lowest that can be hoped for falls with the square of its size at most, apart from noise. That is
        what the given model loses, or less by twice as much as the best known already does.
        """
        best, given = self.best, self.candidates[0].tried.loss
        if best is None or not math.isfinite(given):
            return True
        lowest = min(given, 2.0 * best.tried.loss - given)
        return lowest + (made.tried.loss - lowest) / times**2 < best.tried.sure_loss

    def _share(self) -> float:
        """Which share of the leaves is near the bounds: that of a model that was found there, else in proportion."""
        given = self.candidates[0]
        near = [one for one in self.candidates if _NEAR <= self._fill(one) <= 1.0]
        if not near:
            return 1.0 / self._fill(given)
        return max(one.tried.figures.leaves for one in near) / given.tried.figures.leaves

    def _smallest(self, family: Family) -> None:
        """Try the family's smallest model within a bound on the loss that is smaller than the smallest one known.

        A loss falls as the share grows, apart from noise, so the steps that keep the bound lie above those that do not.
        """
        best = min((one for one in self.candidates if self._loss_kept(one)), key=self._size, default=None)
        known = 1.0 if best is None else self._size(best) / self._size(self.candidates[0])
        low, high = 0, family.step(known) + 1
        step = family.step(min(known, 1.0) / 4)
        for _ in range(_TRIES_BY_BISECTION):
            if low + 1 >= high:
                return
            step = min(max(step, low + 1), high - 1)
            keeps = self._loss_kept(self.attempt(family.name, family.passes(step)))
            low, high = (low, step) if keeps else (step, high)
            # Halves of a share rather than of a number: sizes are told apart by their ratio.
            step = round((max(low, family.step(_LEAST_SHARE)) * high) ** 0.5)


def _on_line(one: tuple[int, float], two: tuple[int, float]) -> int:
    """The step that fills what is aimed at, on a line through two points (step, fill); in proportion where that has none."""
    (step_one, filled_one), (step, filled) = one, two
    slope = (filled - filled_one) / (step - step_one)
    if slope <= 0.0 or step + (_AIMED - filled) / slope < 1.0:
        # No tree at all fills nothing of a bound on trees.
        return int(_AIMED * step / filled) if filled > 0.0 else 2 * step
    return math.floor(step + (_AIMED - filled) / slope)


def words_of(passes: Sequence[Pass]) -> str:
    """Passes as people write them, with the parameters that are not the default."""
    return " → ".join(map(_words, passes)) or "as it is"


def _words(one: Pass) -> str:
    told = []
    for each in fields(one):  # type: ignore[arg-type]  # passes are dataclasses
        value = getattr(one, each.name)
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        if value is not None and value != default:
            told.append(f"{each.name}={value:g}" if isinstance(value, float) else f"{each.name}={value!r}")
    return f"{type(one).__name__}({', '.join(told)})"
