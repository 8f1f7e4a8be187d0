"""CatBoost's descriptions of losses and metrics: ``Name:key=value;key2=value2``."""

from collections.abc import Mapping
from dataclasses import dataclass

from gbdist.errors import ParameterError

_FORMS = {
    "eval_metric": "a description such as 'AUC' or 'F1:use_weights=false;proba_border=0.3'",
    "loss_function": "a description such as 'RMSE' or 'Quantile:alpha=0.9'",
}
_FORMS["custom_metric"] = _FORMS["scoring"] = _FORMS["eval_metric"]
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class Option:
    """A number that a loss has: its default (None: it must be given), and the range, in words for errors."""

    default: float | None
    low: float
    high: float
    words: str
    open_low: bool = True
    open_high: bool = True

    def holds(self, value: float) -> bool:
        """Whether a value is in the range."""
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < self.high if self.open_high else value <= self.high)


@dataclass(frozen=True, slots=True)
class Description:
    """A name and its options; ``use_weights`` and ``skip_train`` are None where they are not given."""

    text: str
    metric: str
    options: tuple[tuple[str, str], ...]
    use_weights: bool | None
    skip_train: bool | None
    parameter: str = "eval_metric"

    @property
    def without_flags(self) -> str:
        """The description less ``use_weights`` and hints: that of a loss."""
        return described(self.metric, dict(self.options))

    def refused(self, expected: str, fix: str) -> ParameterError:
        """The error that names this description."""
        return ParameterError(self.parameter, self.text, expected, fix)

    def numbers(self, known: Mapping[str, Option]) -> dict[str, float]:
        """Values of all known options.

        Raises
        ------
        ParameterError
            For an option that is not known, that is missing without a default, or whose value is out of range.
        """
        given = dict(self.options)
        for key in given.keys() - known.keys():
            words = f"no option but {' and '.join(known)}" if known else "no options"
            raise self.refused(words, f"Leave {key!r} out.")
        return {key: self._number(key, given.get(key), known) for key in known}

    def _number(self, key: str, text: str | None, known: Mapping[str, Option]) -> float:
        option = known[key]
        if text is None:
            if option.default is None:
                raise self.refused(f"{key}, {option.words}", f"Write it as in {self._example(known)!r}.")
            return option.default
        try:
            value = float("nan" if "_" in text else text)
        except ValueError:
            value = float("nan")
        if not option.holds(value):
            fix = "Write ';' between options." if "," in text else f"Correct {key}."
            raise self.refused(f"{key} to be {option.words}", fix)
        return value

    def _example(self, known: Mapping[str, Option]) -> str:
        """A description with all options that must be given."""
        needed = {key: option for key, option in known.items() if option.default is None}
        middles = {key: (each.low + min(each.high, each.low + 2.0)) / 2 for key, each in needed.items()}
        return f"{self.metric}:{';'.join(f'{key}={middle:g}' for key, middle in middles.items())}"


def described(metric: str, options: Mapping[str, object]) -> str:
    """The description of a name and its options."""
    return f"{metric}:{';'.join(f'{key}={value}' for key, value in options.items())}" if options else metric


def name_of(description: str) -> str:
    """The name without the options."""
    return description.partition(":")[0]


def parse_description(text: str, parameter: str = "eval_metric") -> Description:
    """Take a description apart; ``parameter`` ("eval_metric", "custom_metric" or "loss_function") is what errors name.

    Raises
    ------
    ParameterError
        Where it does not have the form, or a flag is not true or false.
    """
    metric, colon, rest = text.strip().partition(":")
    options: dict[str, str] = {}
    for piece in rest.split(";") if colon else []:
        key, equals, value = piece.partition("=")
        if not (key and equals and value) or key in options:
            raise ParameterError(
                parameter, text, _FORMS[parameter], "Write options as key=value, with ';' between them."
            )
        options[key] = value
    if parameter == "loss_function":
        return Description(text, metric, tuple(options.items()), None, None, parameter)
    use_weights = _flag(text, parameter, "use_weights", options.pop("use_weights", None))
    hints = dict(hint.split("~", 1) for hint in options.pop("hints", "").split("|") if "~" in hint)
    skip_train = _flag(text, parameter, "skip_train", hints.get("skip_train"))
    return Description(text, metric, tuple(options.items()), use_weights, skip_train, parameter)


def _flag(text: str, parameter: str, key: str, value: str | None) -> bool | None:
    if value is None:
        return None
    if value.lower() not in _TRUTH:
        raise ParameterError(parameter, text, f"{key} to be true or false", f"Write {key}=true or {key}=false.")
    return _TRUTH[value.lower()]
