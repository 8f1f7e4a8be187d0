"""CatBoost's descriptions of statistics of categories ("CTRs"), such as ``Borders:CtrBorderCount=15:Prior=0.5``.

CatBoost itself says what a description means. Refused here: what it computes on GPUs alone, and what its models cannot keep.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.catboost_options import ANY_DATA, DESCRIBING, Written, catboost_defaults, described_by

#: A statistic is binned in one byte.
_MOST_BORDERS = 255
_NOT_COMPUTED: Final = {
    "BinarizedTargetMeanValue": "CatBoost's JSON, which models are made of, cuts its sums to whole numbers: use Borders.",
    "FloatTargetMeanValue": "CatBoost computes it on GPUs alone: use Borders.",
    "FeatureFreq": "CatBoost computes it on GPUs alone: use Counter.",
}


@dataclass(frozen=True, slots=True)
class TargetBorders:
    """How all statistics of a run cut the target into classes; ``count`` None: as CatBoost does by the loss."""

    count: int | None
    kind: str


def check_descriptions(checked: Mapping[str, Any], written: Mapping[str, Written]) -> None:
    """ParameterError for a description that CatBoost does not take, or of something that is not computed here."""
    for name in DESCRIBING:
        for text in _single(name, checked.get(name, ())):
            _require_computable(text, _meaning(text, written[name]), written[name])
            if name == "per_feature_ctr" and "prior=" not in text.lower():
                fix = f"Write {text + ':Prior=0.5'!r}, for example."
                raise _refused(written[name], "a prior in each description, for which CatBoost has no default", fix)
    target_borders(checked)


def target_borders(checked: Mapping[str, Any]) -> TargetBorders:
    """The borders of the target that all statistics share; ParameterError if they do not."""
    common = checked.get("ctr_target_border_count")
    given = described_by(checked)
    default = TargetBorders(common, _default_kind())
    found: dict[TargetBorders, str] = {}
    if not {"simple_ctr", "combinations_ctr"} <= given.keys():
        found[default] = ""  # what CatBoost fills in counts classes
    for name, texts in given.items():
        for text in _single(name, texts):
            target = _meaning(text, Written(name, texts)).get("target_binarization")
            if target is not None:
                count = int(target["border_count"]) if "targetbordercount=" in text.lower() else common
                found[TargetBorders(count, target["border_type"])] = name
    if len(found) > 1:
        name = next(name for name in reversed(found.values()) if name in given)
        shown = checked.get(name, checked.get("ctr_description"))
        fix = "Give simple_ctr, combinations_ctr and per_feature_ctr the same TargetBorderCount and TargetBorderType."
        raise ParameterError(name, list(shown or ()), "the same borders of the target for all statistics", fix)
    return next(iter(found), default)


@cache
def _default_kind() -> str:
    return str(catboost_defaults({}, ANY_DATA)["cat_feature_params"]["target_binarization"]["border_type"])


def with_target_borders(options: dict[str, Any], target_border_count: int, target_border_type: str) -> dict[str, Any]:
    """CatBoost's nested options with the borders of the target, of which it fills in the count only when it trains."""
    target = {"border_count": target_border_count, "border_type": target_border_type}

    def filled(described: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [each | {"target_binarization": target} if "target_binarization" in each else each for each in described]

    params = dict(options["cat_feature_params"])
    for name in ("simple_ctrs", "combinations_ctrs"):
        params[name] = filled(params[name])
    params["per_feature_ctrs"] = {at: filled(described) for at, described in params["per_feature_ctrs"].items()}
    return {**options, "cat_feature_params": params}


def _single(name: str, texts: tuple[str, ...]) -> Iterator[str]:
    """The descriptions in a parameter's value, one by one; those of a column are behind its position."""
    for text in texts:
        yield from text.partition(":")[2].split(",") if name == "per_feature_ctr" else (text,)


def _meaning(text: str, user: Written) -> dict[str, Any]:
    """CatBoost's nested options for a description."""
    kind = text.partition(":")[0]
    if kind in _NOT_COMPUTED:
        raise _refused(user, "statistics of kind Borders, Buckets or Counter", f"{kind}: {_NOT_COMPUTED[kind]}")
    try:
        # For numbers, whose statistics may have any number of target borders.
        options = {"loss_function": "RMSE", "simple_ctr": [text], "combinations_ctr": [text]}
        described: dict[str, Any] = catboost_defaults(options, ANY_DATA)["cat_feature_params"]["simple_ctrs"][0]
    except ParameterError as refusal:
        raise _refused(user, "descriptions that CatBoost takes", refusal.args[3]) from None
    return described


def _require_computable(text: str, meaning: Mapping[str, Any], user: Written) -> None:
    borders = meaning["ctr_binarization"]["border_count"]
    if not 1 <= borders <= _MOST_BORDERS:
        expected = f"CtrBorderCount from 1 to {_MOST_BORDERS}"
        raise _refused(user, expected, f"It is {borders} in {text!r}; leave it out for CatBoost's default.")
    for prior in meaning["priors"]:
        if len(prior) > 2 or prior[1:] not in ([], [1]):
            shown = "/".join(f"{number:g}" for number in prior)
            raise _refused(user, "priors over 1, such as Prior=0.5 or Prior=0.5/1", f"It is {shown} in {text!r}.")


def _refused(user: Written, expected: str, fix: str) -> ParameterError:
    return ParameterError(user.name, user.value, expected, fix)
