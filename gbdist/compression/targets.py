"""What a compressed model has to reach: bounds on bytes, on a prediction's cost, on trees, or on the loss; one or several."""

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from gbdist.compression.figures import ModelFigures
from gbdist.errors import ParameterError

Kind = Literal["size", "latency", "trees", "loss"]
#: How a bound is said: as a share of the model's own, as what may be added to it, or by itself.
Form = Literal["share", "added", "added share", "absolute"]

_KINDS: Final = ("size", "latency", "trees", "loss")
FORMS: Final = "'size:0.25', 'size:200KB', 'latency:0.5', 'trees:250', 'loss:+0.2%' or 'loss:0.3471'"
_WORDS: Final = {
    "size": "{:,.0f} bytes",
    "latency": "{:,.1f} units of cost",
    "trees": "{:,.0f} trees",
    "loss": "a loss of {:.6g}",
}
_UNITS: Final = {
    "B": 1,
    "KB": 1_000,
    "MB": 1_000_000,
    "GB": 1_000_000_000,
    "KIB": 1 << 10,
    "MIB": 1 << 20,
    "GIB": 1 << 30,
}
_NUMBER: Final = re.compile(r"([+-]?)(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)\s*(%|[a-z]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one thing. ``text`` is how it was asked for; see ``parse_target``."""

    text: str
    kind: Kind
    value: float
    form: Form

    def bound(self, figures: ModelFigures, loss: float) -> float:
        """The bound for a model of these figures and this loss: bytes, units of cost, trees, or a loss."""
        own = self.measure(figures, loss)
        match self.form:
            case "share":
                return self.value * own
            case "added":
                return own + self.value
            case "added share":  # a loss may be negative, and worse is above it then too
                return own + self.value * abs(own)
            case "absolute":
                return self.value

    def measure(self, figures: ModelFigures, loss: float) -> float:
        """What of a model the bound is on; less is better."""
        match self.kind:
            case "size":
                return float(figures.size)
            case "latency":
                return figures.cost
            case "trees":
                return float(figures.trees)
            case "loss":
                return loss

    def words(self, value: float) -> str:
        """A measure or a bound as people are told of it."""
        return _WORDS[self.kind].format(value)


@dataclass(frozen=True, slots=True)
class Targets:
    """Bounds that a model has to keep together. ``text`` is how they were asked for; see ``parse_targets``."""

    text: str
    each: tuple[Target, ...]

    @property
    def of_loss(self) -> bool:
        """Whether there is a bound on the loss, within which the smallest model is looked for; else it is the best one."""
        return any(one.kind == "loss" for one in self.each)

    def bounds(self, figures: ModelFigures, loss: float) -> tuple[float, ...]:
        """The bounds for a model of these figures and this loss."""
        return tuple(one.bound(figures, loss) for one in self.each)

    def kept(self, bounds: Sequence[float], figures: ModelFigures, loss: float) -> bool:
        """Whether a model keeps all bounds."""
        return all(one.measure(figures, loss) <= bound for one, bound in zip(self.each, bounds, strict=True))

    def fill(self, bounds: Sequence[float], figures: ModelFigures) -> float:
        """How much of the bounds a model takes, of the one that it takes most of; 1 is all. Bounds on the loss do not count."""
        sized = [(one, bound) for one, bound in zip(self.each, bounds, strict=True) if one.kind != "loss"]
        return max((one.measure(figures, 0.0) / bound for one, bound in sized), default=0.0)

    def order(self, figures: ModelFigures, loss: float) -> tuple[float, float]:
        """What models that keep the bounds are ordered by, the best first: small ones within a loss, else good ones."""
        return (float(figures.size), loss) if self.of_loss else (loss, float(figures.size))

    def words(self, values: Sequence[float]) -> str:
        """Measures or bounds as people are told of them."""
        return " and ".join(one.words(value) for one, value in zip(self.each, values, strict=True))


def parse_targets(text: object) -> Targets:
    """Read one target, or several with commas between them: "size:0.25, latency:0.4"; see ``parse_target``.

    Raises
    ------
    ParameterError
        That names the value, and its forms; also where something is bounded twice.
    """
    if not isinstance(text, str):
        return Targets("", (parse_target(text),))
    each = tuple(parse_target(part.strip()) for part in text.split(","))
    kinds = [one.kind for one in each]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise _refused(text, f"one bound on the {kind}", "Leave all but one out.")
    return Targets(text, each)


def parse_target(text: object) -> Target:
    """Read a single target.

    ===================== ==========================================================================
    ``size:0.25``         at most this share of the bytes of the model's ``.cbm``; ``25%`` is the same
    ``size:200KB``        at most so many bytes: B, KB, MB, GB, KiB, MiB, GiB
    ``latency:0.5``       at most this share of the cost of a prediction
    ``trees:250``         at most so many trees; ``trees:0.25`` and ``trees:25%`` are shares
    ``loss:+0.2%``        a loss at most this much worse; ``loss:+0.01`` adds a number
    ``loss:0.3471``       a loss of at most this
    ===================== ==========================================================================

    Raises
    ------
    ParameterError
        That names the value, and these forms.
    """
    kind, colon, rest = text.partition(":") if isinstance(text, str) else ("", "", "")
    found = _NUMBER.fullmatch(rest.strip())
    if not colon or kind not in _KINDS or found is None:
        raise _refused(text, "a target", _hint(kind if colon else str(text)))
    sign, digits, unit = found[1], found[2], found[3].upper()
    value = float(digits)
    if not math.isfinite(value):
        raise _refused(text, "a finite number", "Write a smaller one.")
    if kind == "loss":
        return _loss(str(text), sign, value, unit)
    if sign:
        raise _refused(text, "a share or a number without a sign", "Leave the sign out.")
    if kind == "size" and unit in _UNITS:
        if value * _UNITS[unit] < 1:
            raise _refused(text, "at least one byte", "Write a larger number.")
        return Target(str(text), "size", value * _UNITS[unit], "absolute")
    if kind == "trees" and not unit and value >= 1 and value.is_integer() and "." not in digits:
        return Target(str(text), "trees", value, "absolute")
    share = value / 100 if unit == "%" else value
    if unit not in ("", "%") or not 0 < share <= 1:
        raise _refused(text, "a share above 0, up to 1" + _OTHERS[kind], "A quarter is 0.25, or 25%.")
    return Target(str(text), kind, share, "share")  # type: ignore[arg-type]


def _hint(kind: str) -> str:
    near = difflib.get_close_matches(kind.lower(), _KINDS, n=1)
    if near and kind not in _KINDS:
        return f"Did you mean {near[0] + ':'!r}?"
    return "Say what the model has to reach, and how much; between several bounds there are commas."


_OTHERS: Final = {
    "size": ", or bytes with their unit, such as KB",
    "latency": "",
    "trees": ", or a whole number of trees",
}


def _loss(text: str, sign: str, value: float, unit: str) -> Target:
    signed = -value if sign == "-" else value
    if unit == "%":
        return Target(text, "loss", signed / 100, "added share")
    if unit:
        raise _refused(text, "a number, or a share with %", "Losses have no unit.")
    # A loss that is itself below zero, as Poisson's, cannot be told from one to take away: it is said as what is added.
    return Target(text, "loss", signed, "added" if sign else "absolute")


def _refused(value: object, expected: str, fix: str) -> ParameterError:
    return ParameterError("target", value, f"{expected}, as in {FORMS}", fix)
