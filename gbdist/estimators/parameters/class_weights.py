"""The weight that each class multiplies its rows with, from what the user asked and the sums over all rows."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from gbdist.errors import ParameterError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def class_weights(
    checked: Mapping[str, object], classes: Sequence[object], weight_sums: Sequence[float] | None
) -> tuple[float, ...] | None:
    """Weights in the order of ``classes``, each a float32 value as CatBoost stores them; None where none are asked for.

    ``checked`` is ``canonical``'s answer; ``weight_sums`` is Σ sample weight of each class over all rows, needed for
    auto_class_weights only. Raises ParameterError.
    """
    balance = checked.get("auto_class_weights", "None")
    if balance != "None":
        if weight_sums is None:
            raise ValueError("auto_class_weights needs the sum of the weights of each class")
        return _balanced(weight_sums, square_root=balance == "SqrtBalanced")
    for name in ("scale_pos_weight", "class_weights"):
        if name in checked and not isinstance(checked[name], Mapping):
            _refuse_another_order(name, checked[name], classes)
    if "scale_pos_weight" in checked:
        value = checked["scale_pos_weight"]
        if len(classes) != 2:
            fix = f"There are {len(classes)} classes; use class_weights={{label: weight}}."
            raise ParameterError("scale_pos_weight", value, "two classes", fix)
        return _float32([1.0, value])
    given = checked.get("class_weights")
    if isinstance(given, Mapping):
        _check_labels(given, classes)
        return _float32(list(given.values()))
    if isinstance(given, tuple):
        if len(given) != len(classes):
            fix = f"The classes are {list(classes)!r}, in this order."
            raise ParameterError("class_weights", given, f"{len(classes)} weights, one for each class", fix)
        return _float32(list(given))
    return None


def _refuse_another_order(name: str, value: object, classes: Sequence[object]) -> None:
    """Weights without labels mean the order of the classes: for numbers in text CatBoost's is by value, ours is the texts'.

    Ours is scikit-learn's, whose metrics take the columns of ``predict_proba`` to be in it.
    """
    texts = [text for text in classes if isinstance(text, str) and _NUMBER.fullmatch(text)]
    by_value = sorted(texts, key=float)
    if len(texts) == len(classes) and by_value != texts:
        expected = f"labels with the weights, because CatBoost orders the classes {by_value!r}"
        raise ParameterError(name, value, expected, "Write class_weights={label: weight}.")


def _check_labels(given: Mapping[object, float], classes: Sequence[object]) -> None:
    """CatBoost makes the order of the dictionary the order of the classes, so another order would be another model."""
    if list(given) == list(classes):
        return
    if len(given) == len(classes) and all(label in given for label in classes):
        ordered = {label: given[label] for label in classes}
        expected = f"labels in the order of the classes, {list(classes)!r}"
        raise ParameterError("class_weights", given, expected, f"Write class_weights={ordered!r}.")
    expected = f"a weight for each of the classes {list(classes)!r}, and for nothing else"
    raise ParameterError("class_weights", given, expected, "Labels must have the type that they have in y.")


def _balanced(weight_sums: Sequence[float], *, square_root: bool) -> tuple[float, ...]:
    """Largest sum / sum of the class, or the square root of it (CatBoost's CalculateClassWeights).

    CatBoost 1.2.10 cuts the sums to whole numbers first, and gives a class whose sum is then 0 the weight 1: measured.
    """
    sums = np.floor(np.asarray(weight_sums, dtype=np.float64))
    ratios = np.ones_like(sums)
    np.divide(sums.max(), sums, out=ratios, where=sums > 0)
    weights = ratios.astype(np.float32)
    return tuple((np.sqrt(weights) if square_root else weights).tolist())


def _float32(values: Sequence[object]) -> tuple[float, ...]:
    return tuple(np.asarray(values, dtype=np.float32).tolist())
