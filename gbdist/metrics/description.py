"""CatBoost's metric descriptions: ``Name:key=value;key2=value2``."""

from dataclasses import dataclass

from gbdist.errors import ParameterError

_FORM = "a description such as 'AUC' or 'F1:use_weights=false;proba_border=0.3'"
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class Description:
    """A metric's name and its options; ``use_weights`` and ``skip_train`` are None where they are not given."""

    text: str
    metric: str
    options: tuple[tuple[str, str], ...]
    use_weights: bool | None
    skip_train: bool | None

    def refused(self, expected: str, fix: str) -> ParameterError:
        """The error that names this description."""
        return ParameterError("metric", self.text, expected, fix)


def parse_description(text: str) -> Description:
    """Take a description apart.

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
            raise ParameterError("metric", text, _FORM, "Write options as key=value, with ';' between them.")
        options[key] = value
    use_weights = _flag(text, "use_weights", options.pop("use_weights", None))
    hints = dict(hint.split("~", 1) for hint in options.pop("hints", "").split("|") if "~" in hint)
    skip_train = _flag(text, "skip_train", hints.get("skip_train"))
    return Description(text, metric, tuple(options.items()), use_weights, skip_train)


def _flag(text: str, key: str, value: str | None) -> bool | None:
    if value is None:
        return None
    if value.lower() not in _TRUTH:
        raise ParameterError("metric", text, f"{key} to be true or false", f"Write {key}=true or {key}=false.")
    return _TRUTH[value.lower()]
