"""The features of an ensemble in CatBoost's JSON, and the numbers that its trees know their splits by.

Only what trees use is written, as CatBoost does: borders, one-hot values and statistics. The splits of a projection are in use as
well, for CatBoost (static_ctr_provider.cpp) looks their outcomes up among those of the model's features.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from gbdist.categories.values import border_values
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import OneHotFeature, Projection, StatisticFeature
from gbdist.models.tree import Tree, TreeSplit
from gbdist.quantize.borders import FeatureBorders

_KINDS = ("Borders", "Buckets", "Counter")  # in the order of CatBoost's ECtrType


@dataclass(frozen=True)
class FeaturesInUse:
    """Features with what trees use of them.

    Parameters
    ----------
    info : dict
        ``features_info`` of CatBoost's JSON.
    split_index : dict
        The number of each of the trees' splits in CatBoost's JSON.
    statistics : tuple of StatisticFeature
        In CatBoost's order.
    """

    info: dict[str, Any]
    split_index: dict[TreeSplit, int]
    statistics: tuple[StatisticFeature, ...]


class _Place(NamedTuple):
    """Where a split stands: CatBoost counts splits of numbers, then one-hot values, then borders of statistics."""

    kind: int
    feature: int  # among those of its kind
    border: int  # for a one-hot value, its hash as CatBoost writes it


def features_in_use(trees: Iterable[Tree], ensemble: Ensemble) -> FeaturesInUse:
    """What the ``trees`` use of the ensemble's features."""
    features = ensemble.features
    splits = {split for tree in trees for split in tree.splits}
    used = {features[split.feature] for split in splits}
    statistics = sorted(
        (feature for feature in used if isinstance(feature, StatisticFeature)),
        key=partial(_catboost_order, borders=ensemble.borders),
    )
    ranks = {feature: rank for rank, feature in enumerate(statistics)}
    places = {split: _place(split, features[split.feature], ranks) for split in splits}
    inside = {place for feature in statistics for place in _places_inside(feature.projection)}
    in_order = sorted(inside.union(places.values()))
    numbers = {place: number for number, place in enumerate(in_order)}
    return FeaturesInUse(
        _features_info(in_order, statistics, ensemble),
        {split: numbers[place] for split, place in places.items()},
        tuple(statistics),
    )


def elements(projection: Projection, borders: Sequence[FeatureBorders]) -> list[dict[str, Any]]:
    """A projection in CatBoost's JSON; the order is that in which its key is mixed."""
    return [
        *({"cat_feature_index": cat, "combination_element": "cat_feature_value"} for cat in projection.cats),
        *(
            {"border": _value(borders[f], border), "combination_element": "float_feature", "float_feature_index": f}
            for f, border in projection.float_splits
        ),
        *(
            {"cat_feature_index": cat, "combination_element": "cat_feature_exact_value", "value": _signed(value)}
            for cat, value in projection.one_hot_splits
        ),
    ]


def _place(
    split: TreeSplit, feature: FeatureBorders | OneHotFeature | StatisticFeature, ranks: dict[StatisticFeature, int]
) -> _Place:
    match feature:
        case FeatureBorders():
            return _Place(0, split.feature, split.border)
        case OneHotFeature():
            return _Place(1, feature.cat, _signed(feature.values[split.border]))
        case StatisticFeature():
            return _Place(2, ranks[feature], split.border)


def _places_inside(projection: Projection) -> Iterator[_Place]:
    yield from (_Place(0, feature, border) for feature, border in projection.float_splits)
    yield from (_Place(1, cat, _signed(value)) for cat, value in projection.one_hot_splits)


def _catboost_order(feature: StatisticFeature, borders: Sequence[FeatureBorders]) -> tuple[Any, ...]:
    """CatBoost finds the statistics of one projection side by side: its order is that of online_ctr.h, TModelCtr."""
    projection = feature.projection
    return (
        projection.cats,
        tuple((f, _value(borders[f], border)) for f, border in projection.float_splits),
        tuple((cat, _signed(value)) for cat, value in projection.one_hot_splits),
        _KINDS.index(feature.kind),
        feature.target_border,
        feature.prior,
        feature.scale,
    )


def _features_info(
    places: Sequence[_Place], statistics: Sequence[StatisticFeature], ensemble: Ensemble
) -> dict[str, Any]:
    used: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for place in places:
        used[place.kind, place.feature].append(place.border)
    cats = ensemble.categories.positions
    info: dict[str, Any] = {
        "float_features": [
            {
                **_named(f, position, ensemble),
                "borders": [_value(borders, border) for border in used[0, f]],
                "has_nans": borders.nan_treatment != "AsIs",
                "nan_value_treatment": borders.nan_treatment,
            }
            for f, (position, borders) in enumerate(zip(ensemble.binned, ensemble.borders, strict=True))
        ]
    }
    if cats:
        info["categorical_features"] = [
            # CatBoost reads the strings wherever there are values, and does without them.
            _named(cat, position, ensemble) | ({"values": used[1, cat], "string_values": []} if used[1, cat] else {})
            for cat, position in enumerate(cats)
        ]
        info["ctrs"] = [_statistic(feature, used[2, rank], ensemble.borders) for rank, feature in enumerate(statistics)]
    return info


def _named(number: int, position: int, ensemble: Ensemble) -> dict[str, Any]:
    return {
        "feature_index": number,
        "flat_feature_index": position,
        "feature_id": ensemble.feature_names[position],
    }


def _statistic(feature: StatisticFeature, used: Sequence[int], borders: Sequence[FeatureBorders]) -> dict[str, Any]:
    """A statistic with the borders in ``used``; numbers are those of float32, which CatBoost makes of them."""
    return {
        "elements": elements(feature.projection, borders),
        "ctr_type": feature.kind,
        "target_border_idx": feature.target_border,
        "prior_numerator": float(np.float32(feature.prior)),
        "prior_denomerator": 1,
        "shift": float(np.float32(feature.shift)),
        "scale": float(np.float32(feature.scale)),
        "borders": border_values(feature)[list(used)].tolist(),
    }


def _value(borders: FeatureBorders, border: int) -> float:
    return float(borders.values[border])


def _signed(value: int) -> int:
    """The hash of a category as CatBoost writes it: an int32."""
    return value - (1 << 32) if value >> 31 else value
