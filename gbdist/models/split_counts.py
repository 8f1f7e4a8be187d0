"""What the splits of a CatBoost model test: numbers, single categories (one-hot), or statistics of categories."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gbdist.models.catboost_format import json_document

#: What a split tests, in words.
NUMBER, ONE_HOT, STATISTIC, COMBINATION = "number", "one-hot", "statistic", "combination"


@dataclass(frozen=True, slots=True)
class _Feature:
    """What some of the splits test: columns, the bins or values that there are, and how."""

    columns: tuple[str, ...]
    splits: int
    how: str


def split_counts(model: Any) -> dict[str, Counter[str]]:
    """How many splits of a model's trees test each column, by its name and by what is tested of it.

    A split on a statistic of several columns counts as a combination for each of them. Columns that are not used are left out.
    """
    document = json_document(model)
    features = list(_features(document["features_info"]))
    names = [feature for feature in features for _ in range(feature.splits)]
    found: dict[str, Counter[str]] = {}
    for split in _splits(document):
        feature = names[split["split_index"]]
        for column in feature.columns:
            found.setdefault(column, Counter())[feature.how] += 1
    return found


def _splits(document: Any) -> Iterator[Any]:
    """The splits of all trees: of levels, or of nodes within nodes."""
    for tree in document.get("oblivious_trees", ()):
        yield from tree["splits"] or ()
    waiting = list(document.get("trees", ()))
    while waiting:
        node = waiting.pop()
        if "split" in node:
            yield node["split"]
            waiting += [node["left"], node["right"]]


def _features(info: Any) -> Iterator[_Feature]:
    """Features in the order that splits are numbered in (catboost/libs/model/model.cpp, CalcBinFeatures)."""
    numbers = {each["feature_index"]: each for each in info.get("float_features", ())}
    categories = {each["feature_index"]: each for each in info.get("categorical_features", ())}
    for each in numbers.values():
        yield _Feature((each["feature_id"],), len(each["borders"] or ()), NUMBER)
    for each in categories.values():
        yield _Feature((each["feature_id"],), len(each.get("values") or ()), ONE_HOT)
    for each in info.get("ctrs", ()):
        columns = [
            numbers[part["float_feature_index"]]
            if "float_feature_index" in part
            else categories[part["cat_feature_index"]]
            for part in each["elements"]
        ]
        how = STATISTIC if len(columns) == 1 else COMBINATION
        yield _Feature(tuple(dict.fromkeys(column["feature_id"] for column in columns)), len(each["borders"]), how)
