"""In what two models differ: what ``gbdist model diff`` shows, callable from Python."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gbdist.jobs.columns import kinds_of
from gbdist.jobs.model_rows import rows_for
from gbdist.jobs.models import model_of_file
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.loss import described_loss, training_params
from gbdist.models.missing import cat_nan_of
from gbdist.models.statistics import OneHotFeature, StatisticFeature
from gbdist.models.tree import NonSymmetricTree, Tree, TreeSplit
from gbdist.quantize.borders import FeatureBorders

#: Rows that are predicted at most.
MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Shared:
    """How many of something are in both models, and in one only."""

    both: int
    first_only: int
    second_only: int


@dataclass(frozen=True, slots=True)
class ModelDiff:
    """In what two models differ.

    Parameters
    ----------
    same : whether they have the same trees in the same order, start value, columns, classes and loss
    trees : equal ones, leaf values included
    structures : trees whose tests are equal, whatever their leaf values
    tests : borders, one-hot values and borders of statistics that any tree tests, by their columns
    start_value : of both, where they differ
    columns, classes, loss : of both, where they differ
    params : training parameters that differ, as they are in both; None where one has it not
    rows : rows that were predicted by both, None without data
    largest_difference, mean_difference : of raw values
    """

    same: bool
    trees: Shared
    structures: Shared
    tests: Shared
    start_value: tuple[Any, Any] | None
    columns: tuple[Any, Any] | None
    classes: tuple[Any, Any] | None
    loss: tuple[Any, Any] | None
    params: dict[str, tuple[Any, Any]]
    rows: int | None = None
    largest_difference: float | None = None
    mean_difference: float | None = None


def diff(first: Path, second: Path, data: tuple[str, ...] = (), cat_nan: str | None = None) -> ModelDiff:
    """Compare two models in CatBoost's ``.cbm`` format, by their trees and, with ``data``, by their predictions.

    Raises
    ------
    ModelError
        One cannot be read, or has what no ensemble holds.
    DataError
        The files have not the columns of both.
    """
    models = [model_of_file(path) for path in (first, second)]
    one, other = (from_catboost(model) for model in models)
    differing: dict[str, Any] = {
        "start_value": _pair(one.bias.tolist(), other.bias.tolist()),
        "columns": _pair(list(one.feature_names), list(other.feature_names)),
        "classes": _pair(one.class_names, other.class_names),
        "loss": _pair(*map(described_loss, models)),
    }
    trees = [
        [_tree(tree, each, binned) for tree in each.trees]
        for each, binned in ((one, one.binned), (other, other.binned))
    ]
    shown: dict[str, Any] = {}
    if data:
        tables = _tables(models, data, cat_nan)
        raw = [
            np.asarray(model.predict(table, prediction_type="RawFormulaVal"))
            for model, table in zip(models, tables, strict=True)
        ]
        apart = np.abs(raw[0] - raw[1]) if raw[0].shape == raw[1].shape else np.array([np.inf])
        shown = {
            "rows": len(raw[0]),
            "largest_difference": float(apart.max()),
            "mean_difference": float(apart.mean()),
        }
    return ModelDiff(
        same=trees[0] == trees[1] and not any(differing.values()),
        trees=_shared(*trees),
        structures=_shared(*([structure for structure, _ in each] for each in trees)),
        tests=_shared(*({test for structure, _ in each for test in structure[1]} for each in trees)),
        params=_params(*map(training_params, models)),
        **differing,
        **shown,
    )


def _tables(models: Sequence[Any], data: Sequence[str], cat_nan: str | None) -> list[Any]:
    """The rows as each model takes them: read once where that is the same."""
    one, other = ((list(model.feature_names_), kinds_of(model), cat_nan_of(model)) for model in models)
    first = rows_for(models[0], data, cat_nan, MOST_ROWS)
    return [first, first if one == other else rows_for(models[1], data, cat_nan, MOST_ROWS)]


def _pair(one: Any, other: Any) -> tuple[Any, Any] | None:
    return None if one == other else (one, other)


def _shared(one: Iterable[Any], other: Iterable[Any]) -> Shared:
    """Of things that may be there several times, how often they are in both."""
    first, second = Counter(one), Counter(other)
    both = (first & second).total()
    return Shared(both, first.total() - both, second.total() - both)


def _tree(tree: Tree, ensemble: Ensemble, binned: Sequence[int]) -> tuple[Any, bytes]:
    """A tree in terms that two models share: its shape and tests, and its leaf values; ``binned`` is ``ensemble.binned``."""
    shape = tuple((node.left, node.right) for node in tree.nodes) if isinstance(tree, NonSymmetricTree) else ()
    return (shape, tuple(_test(split, ensemble, binned) for split in tree.splits)), tree.leaf_values.tobytes()


def _test(split: TreeSplit, ensemble: Ensemble, binned: Sequence[int]) -> tuple[Any, ...]:
    names, cats = ensemble.feature_names, ensemble.categories.positions
    match ensemble.features[split.feature]:
        case FeatureBorders() as borders:
            return names[binned[split.feature]], float(borders.values[split.border])
        case OneHotFeature() as one_hot:
            return names[cats[one_hot.cat]], "is", one_hot.values[split.border]
        case StatisticFeature() as statistic:
            made_of = statistic.projection
            columns = (
                tuple(names[cats[cat]] for cat in made_of.cats),
                tuple(
                    (names[binned[f]], float(ensemble.borders[f].values[border])) for f, border in made_of.float_splits
                ),
                tuple((names[cats[cat]], value) for cat, value in made_of.one_hot_splits),
            )
            kind = (statistic.kind, statistic.target_border, statistic.prior, statistic.border_count)
            return columns, kind, split.border


def _params(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Parameters that differ, by their place in CatBoost's nested options; those that the user gave are among them anyway."""
    flat = [dict(_flat(each)) for each in (one, other)]
    pairs = {name: (flat[0].get(name), flat[1].get(name)) for name in sorted(flat[0].keys() | flat[1].keys())}
    return {name: pair for name, pair in pairs.items() if _in_single(pair[0]) != _in_single(pair[1])}


def _in_single(value: Any) -> Any:
    """A fraction as a float32: CatBoost keeps options so, and writes them with more digits, which gbdist does not."""
    return float(np.float32(value)) if isinstance(value, float) else value


def _flat(options: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in options.items():
        if name in ("flat_params", "system_options", "__params_key_order"):
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
