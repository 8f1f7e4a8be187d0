"""The categorical part of CatBoost's JSON, read back into one-hot features, statistics and tables.

JSON does not say which classes of the target a statistic counts where a model has several ways to make classes of it
(``TargetBorderCount``), and CatBoost writes one of their tables only: such models are refused.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gbdist.categories.values import border_values
from gbdist.errors import ModelError
from gbdist.models.statistics import CategoricalPart, OneHotFeature, Projection, StatisticFeature, StatisticTable
from gbdist.quantize.borders import FeatureBorders

#: CatBoost writes a place of its hash table that is empty as a category with this key.
_NO_CATEGORY = str(2**64 - 1)
_KINDS = ("Borders", "Buckets", "Counter")
_FIX = "Use a model that was trained with statistics of the types Borders, Buckets and Counter, or leave it as it is."


@dataclass(frozen=True)
class CategoriesReader:
    """Reads the categorical part of one model.

    Parameters
    ----------
    document : CatBoost's JSON
    borders : of the numbers, which projections refer to
    params : the model's training options, nested
    """

    document: Mapping[str, Any]
    borders: Sequence[FeatureBorders]
    params: Mapping[str, Any]

    def read(self) -> CategoricalPart:
        """Everything that is made of categorical columns; ``ModelError`` for what an ensemble cannot hold."""
        info = self.document["features_info"]
        listed = info.get("categorical_features") or ()
        statistics = tuple(self._statistic(each) for each in info.get("ctrs") or ())
        self._require_one_target(statistics)
        return CategoricalPart(
            self._positions,
            tuple(
                OneHotFeature(each["feature_index"], tuple(sorted(map(_unsigned, each["values"]))))
                for each in listed
                if each.get("values")
            ),
            statistics,
            tuple(self._tables(statistics)),
        )

    def _statistic(self, each: Mapping[str, Any]) -> StatisticFeature:
        kind, prior = each["ctr_type"], float(each["prior_numerator"])
        if kind not in _KINDS:
            raise ModelError(f"the model has statistics of the type {kind!r}, which no ensemble holds", _FIX)
        borders = np.array(each["borders"], dtype=np.float32)
        count = round(each["scale"] * (max(1.0, prior) - min(0.0, prior)))
        found = StatisticFeature(self._projection(each["elements"]), kind, each["target_border_idx"], prior, count)
        expected = (1, np.float32(found.shift), np.float32(found.scale))
        if (each["prior_denomerator"], np.float32(each["shift"]), np.float32(each["scale"])) != expected or not np.isin(
            borders, border_values(found)
        ).all():
            problem = f"the model has a statistic whose numbers or borders {borders.tolist()} are not evenly spaced"
            raise ModelError(problem, _FIX)
        return found

    def _projection(self, elements: Sequence[Mapping[str, Any]]) -> Projection:
        """Its parts in the order in which they are listed, which is that in which the key is mixed."""
        parts: dict[str, list[tuple[int, int]]] = {
            "cat_feature_value": [],
            "float_feature": [],
            "cat_feature_exact_value": [],
        }
        for each in elements:
            match how := each["combination_element"]:
                case "float_feature":
                    at = each["float_feature_index"]
                    border = np.searchsorted(self.borders[at].values, np.float32(each["border"]))
                    parts[how].append((at, int(border)))
                case _:
                    parts[how].append((each["cat_feature_index"], _unsigned(each.get("value", 0))))
        cats = tuple(cat for cat, _ in parts["cat_feature_value"])
        return Projection(cats, tuple(parts["float_feature"]), tuple(parts["cat_feature_exact_value"]))

    def _require_one_target(self, statistics: Sequence[StatisticFeature]) -> None:
        """Refuse models in which the classes of the target are not the same for all statistics of a projection."""
        doubled = len(set(statistics)) < len(statistics)
        of_classes = (statistic.projection for statistic in statistics if statistic.kind != "Counter")
        if doubled or any(_n_targets(self._described(projection)) > 1 for projection in of_classes):
            raise ModelError(
                "the model's statistics have several ways to make classes of the target (TargetBorderCount), and CatBoost "
                "writes the counts of one of them only",
                "Use a model that was trained with one TargetBorderCount, or leave it as it is.",
            )

    def _described(self, projection: Projection) -> Sequence[Mapping[str, Any]]:
        """What the options say of the statistics of a projection; nothing in a model without options."""
        options = self.params.get("cat_feature_params", {})
        if projection.complexity > 1:
            return options.get("combinations_ctrs") or ()
        position = self._positions[projection.cats[0]]
        return (options.get("per_feature_ctrs") or {}).get(str(position)) or options.get("simple_ctrs") or ()

    @property
    def _positions(self) -> tuple[int, ...]:
        listed = self.document["features_info"].get("categorical_features") or ()
        return tuple(each["flat_feature_index"] for each in listed)

    def _tables(self, statistics: Sequence[StatisticFeature]) -> Iterator[StatisticTable]:
        needed = {(statistic.projection, statistic.kind == "Counter") for statistic in statistics}
        for name, written in (self.document.get("ctr_data") or {}).items():
            identifier = json.loads(name)
            which = self._projection(identifier["identifier"]), identifier["type"] == "Counter"
            if which in needed:
                needed.discard(which)  # a table of classes is written for Borders and once more for Buckets
                yield _table(*which, written)
        if needed:
            raise ModelError(f"the model lacks the counts of {len(needed)} of its statistics", "Save it once more.")


def _table(projection: Projection, counter: bool, written: Mapping[str, Any]) -> StatisticTable:
    flat, stride = written["hash_map"], written["hash_stride"]
    real = [start for start in range(0, len(flat), stride) if flat[start] != _NO_CATEGORY]
    keys = np.array([int(flat[start]) for start in real], dtype=np.uint64)
    counts = np.array([flat[start + 1 : start + stride] for start in real], dtype=np.int64)
    order = np.argsort(keys)
    if counter and written["counter_denominator"] != counts.max():
        raise ModelError(
            f"the model has a Counter that divides by {written['counter_denominator']}, "
            f"where the largest category has {counts.max()} rows",
            _FIX,
        )
    return StatisticTable(projection, counter, keys[order], counts[order])


def _n_targets(described: Sequence[Mapping[str, Any]]) -> int:
    """How many numbers of borders of the target the descriptions have; that of a Counter has none."""
    counts = {
        each["target_binarization"]["border_count"] for each in described if each.get("target_binarization") is not None
    }
    return len(counts)


def _unsigned(value: int) -> int:
    return value % (1 << 32)
