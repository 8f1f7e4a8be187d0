"""Random ensembles that do not need training."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from catboost._catboost import DataMetaInfo, TargetStats
from catboost.utils import compute_training_options

from gbdist.categories.keys import projection_keys
from gbdist.categories.values import counts_of_keys, statistic_bins
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import CategoricalPart, OneHotFeature, Projection, StatisticFeature, StatisticTable
from gbdist.models.tree import ObliviousTree, TreeSplit
from gbdist.quantize.borders import FeatureBorders

FLOAT_MAX = np.finfo(np.float32).max


@pytest.fixture
def make_ensemble() -> Callable[..., Ensemble]:
    """Feature 0 has no borders, 1 treats NaN as lowest, those of ``highest`` as highest, the others saw none."""

    def make(
        depths: Sequence[int],
        dimension: int = 1,
        class_names: tuple[Any, ...] | None = None,
        n_features: int = 6,
        seed: int = 0,
        highest: tuple[int, ...] = (2,),
    ) -> Ensemble:
        generator = np.random.default_rng(seed)
        borders = []
        for f in range(n_features):
            values = np.unique(generator.normal(size=40).astype(np.float32))
            if f == 0:
                borders.append(FeatureBorders(values[:0], "AsIs"))
            elif f == 1:
                borders.append(FeatureBorders(np.append(np.float32(-FLOAT_MAX), values), "AsFalse"))
            elif f in highest:
                borders.append(FeatureBorders(np.append(values, np.float32(FLOAT_MAX)), "AsTrue"))
            else:
                borders.append(FeatureBorders(values, "AsIs"))
        trees = [
            ObliviousTree(
                tuple(
                    TreeSplit(f, int(generator.integers(len(borders[f].values))))
                    for f in generator.integers(1, n_features, size=depth).tolist()
                ),
                generator.normal(size=(1 << depth, dimension)) / 3,
                generator.random(1 << depth) * 10,
            )
            for depth in depths
        ]
        names = tuple(f"f{f}" for f in range(n_features))
        options = _options(class_names, dimension, len(depths), n_features)
        return Ensemble(tuple(trees), tuple(borders), generator.normal(size=dimension), names, class_names, options)

    return make


def _options(class_names: tuple[Any, ...] | None, dimension: int, n_trees: int, n_features: int) -> dict[str, Any]:
    loss = "RMSE" if class_names is None else "Logloss" if dimension == 1 else "MultiClass"
    options: dict[str, Any] = compute_training_options(
        {"loss_function": loss, "iterations": max(1, n_trees), "depth": 4},
        DataMetaInfo(1000, n_features, 0, TargetStats(0.0, 2.0), False),
    )
    return options


@pytest.fixture
def raw_features() -> np.ndarray:
    """float32 [900, 6] with NaN, infinities and the largest floats among normal values."""
    generator = np.random.default_rng(5)
    values = generator.normal(size=(900, 6)).astype(np.float32)
    for position, corner in enumerate([np.nan, np.inf, -np.inf, 0.0, -0.0, FLOAT_MAX, -FLOAT_MAX, 1e-45]):
        values[position::40] = np.where(generator.random((len(values[position::40]), 6)) < 0.5, corner, 0.25)
    return values


# Neither sorted nor by kind. Categorical columns have as many values as said, and the rows after the first 600 twice as many.
COLUMNS = {"a": 0, "city": 40, "b": 0, "colour": 3, "street": 150, "unused": 6, "c": 0, "flag": 2}
POSITIONS = tuple(at for at, size in enumerate(COLUMNS.values()) if size)
STATISTIC_CATS, ONE_HOT_CATS = ((0,), (2,), (0, 2)), (1, 4)
N_ROWS, N_LEARNED = 1000, 600


class CategoricalCase(NamedTuple):
    """A random ensemble with categorical columns, and rows for it: the first ``N_LEARNED`` are those of its tables."""

    ensemble: Ensemble
    rows: pd.DataFrame
    features: np.ndarray
    hashes: np.ndarray


@pytest.fixture
def make_categorical(catboost_hashes: Callable[[Sequence[str]], np.ndarray]) -> Callable[..., CategoricalCase]:
    """Splits of numbers, one-hot splits, and statistics of every kind for single columns and for combinations."""

    def make(
        seed: int = 0,
        n_classes: int = 2,
        dimension: int = 1,
        class_names: tuple[Any, ...] | None = None,
        depths: Sequence[int] = (6,) * 20,
        n_statistics: int = 12,
    ) -> CategoricalCase:
        generator = np.random.default_rng(seed)
        rows = _rows(generator, seed)
        features = rows[[name for name, size in COLUMNS.items() if not size]].to_numpy()
        hashes = np.stack([catboost_hashes(rows.iloc[:, at]) for at in POSITIONS], axis=1)
        borders = tuple(
            FeatureBorders(np.unique(generator.normal(size=30).astype(np.float32)), treatment)
            for treatment in ("AsIs", "AsFalse", "AsTrue")
        )
        one_hot = tuple(OneHotFeature(cat, tuple(np.unique(hashes[:N_LEARNED, cat]).tolist())) for cat in ONE_HOT_CATS)
        statistics = tuple(_statistic(generator, borders, one_hot, n_classes) for _ in range(n_statistics))
        keys = {s.projection: _keys(s.projection, borders, features, hashes) for s in statistics}
        classes = generator.integers(0, n_classes, N_LEARNED)
        tables = tuple(
            _table(projection, counter, keys[projection][:N_LEARNED], classes)
            for projection, counter in {(s.projection, s.kind == "Counter") for s in statistics}
        )
        part = CategoricalPart(POSITIONS, one_hot, statistics, tables)
        without_trees = Ensemble(
            (),
            borders,
            generator.normal(size=dimension),
            tuple(COLUMNS),
            class_names,
            _options(class_names, dimension, len(depths), len(COLUMNS)),
            part,
        )
        trees = tuple(
            ObliviousTree(
                tuple(_split(generator, without_trees, keys) for _ in range(depth)),
                generator.normal(size=(1 << depth, dimension)) / 3,
                generator.random(1 << depth) * 10,
            )
            for depth in depths
        )
        return CategoricalCase(replace(without_trees, trees=trees), rows, features, hashes)

    return make


def _rows(generator: np.random.Generator, seed: int) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for name, size in COLUMNS.items():
        if size:
            values = np.append(generator.integers(0, size, N_LEARNED), generator.integers(0, 2 * size, 400))
            columns[name] = [f"{name} {seed} {value}" for value in values]
        else:
            numbers = generator.normal(size=N_ROWS).astype(np.float32)
            columns[name] = np.where(generator.random(N_ROWS) < 0.1, np.float32(np.nan), numbers)
    return pd.DataFrame(columns)


def _statistic(
    generator: np.random.Generator,
    borders: tuple[FeatureBorders, ...],
    one_hot: tuple[OneHotFeature, ...],
    n_classes: int,
) -> StatisticFeature:
    float_splits = {
        (f, int(generator.integers(len(borders[f].values))))
        for f in generator.integers(0, len(borders), generator.integers(3)).tolist()
    }
    equal = {
        (one_hot[i].cat, int(generator.choice(one_hot[i].values)))
        for i in generator.integers(0, len(one_hot), generator.integers(3)).tolist()
    }
    cats = STATISTIC_CATS[generator.integers(len(STATISTIC_CATS))]
    kind = str(generator.choice(["Borders", "Buckets", "Counter"]))
    target_borders = {"Borders": n_classes - 1, "Buckets": n_classes, "Counter": 1}[kind]
    return StatisticFeature(
        Projection(cats, tuple(sorted(float_splits)), tuple(sorted(equal))),
        kind,
        int(generator.integers(target_borders)),
        float(generator.choice([0.0, 0.5, 1.0, -0.5, 2.5])),
        int(generator.choice([15, 7, 100])),
    )


def _keys(
    projection: Projection, borders: tuple[FeatureBorders, ...], features: np.ndarray, hashes: np.ndarray
) -> np.ndarray:
    above = [
        (features[:, f] > borders[f].values[b]) | (np.isnan(features[:, f]) & (borders[f].nan_treatment == "AsTrue"))
        for f, b in projection.float_splits
    ]
    equal = [hashes[:, cat] == value for cat, value in projection.one_hot_splits]
    return projection_keys([hashes[:, cat].copy() for cat in projection.cats], [*above, *equal])


def _table(projection: Projection, counter: bool, keys: np.ndarray, classes: np.ndarray) -> StatisticTable:
    distinct, place = np.unique(keys, return_inverse=True)
    counts = np.zeros((len(distinct), classes.max() + 1), dtype=np.int64)
    np.add.at(counts, (place, classes), 1)
    return StatisticTable(projection, counter, distinct, counts.sum(axis=1, keepdims=True) if counter else counts)


def _split(generator: np.random.Generator, ensemble: Ensemble, keys: dict[Projection, np.ndarray]) -> TreeSplit:
    """A split of any feature; one of a statistic has rows on both sides where the statistic has different values."""
    at = int(generator.integers(len(ensemble.features)))
    match ensemble.features[at]:
        case FeatureBorders() as borders:
            return TreeSplit(at, int(generator.integers(len(borders.values))))
        case OneHotFeature() as one_hot:
            return TreeSplit(at, int(generator.integers(len(one_hot.values))))
        case StatisticFeature() as statistic:
            wanted = (statistic.projection, statistic.kind == "Counter")
            table = next(t for t in ensemble.categories.tables if (t.projection, t.counter) == wanted)
            bins = statistic_bins(*counts_of_keys(table, statistic, keys[statistic.projection]), statistic)
            return TreeSplit(at, max(0, int(generator.choice(bins)) - 1))
