"""What ``gbdist demo --categories`` does: generated data with columns of categories, and what a model makes of them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gbdist.jobs.comparison import Compared, DemoData, DemoRow, compare
from gbdist.jobs.visits import TARGET, make_visits
from gbdist.models.split_counts import COMBINATION, NUMBER, ONE_HOT, STATISTIC, split_counts

PARAMS: dict[str, Any] = {
    "iterations": 100,
    "depth": 6,
    "learning_rate": 0.1,
    "random_seed": 0,
    "one_hot_max_size": 7,  # CatBoost's default, 2, would leave one-hot no column here
    "max_ctr_complexity": 2,  # CatBoost's default for so few trees is 1: no combinations
}

_ROWS = 30_000
_UNSEEN = "product-new"


@dataclass(frozen=True, slots=True)
class DemoFeature:
    """How the model uses a column: how much predictions change with it, in percent, and the splits that test it.

    ``values`` counts a categorical column's distinct values in training, None for numbers.
    """

    feature: str
    values: int | None
    importance: float
    numbers: int
    one_hot: int
    statistics: int
    combinations: int


@dataclass(frozen=True, slots=True)
class DemoExample:
    """A row of raw values, and the probability that plain CatBoost gives it."""

    row: tuple[int | float | str, ...]
    probability: float


@dataclass(frozen=True, slots=True)
class CategoriesDemoResult:
    """What the demo made: a model, the data it was made from, the table of trainers, and what the model does."""

    title: str
    rows: tuple[DemoRow, ...]
    features: tuple[DemoFeature, ...]
    columns: tuple[str, ...]
    examples: tuple[DemoExample, ...]
    remark: str
    model: Path
    train_data: Path
    holdout: Path


def demo_categories(model: Path, say: Callable[[str], None]) -> CategoriesDemoResult:
    """Run the demo; ``say`` is called with a line for each step.

    Parameters
    ----------
    model : path
        Where the model goes; the data go into the folder ``gbdist-demo-categories`` beside it.
    """
    described = f"{_ROWS:,} GENERATED visits to a shop that does not exist"
    data = DemoData("gbdist-demo-categories", described, make_visits(_ROWS), TARGET, "binary", PARAMS)
    made = compare(data, model, say)
    rows = made.rows
    title = (
        f"generated visits: {rows[0].trees} trees of depth {PARAMS['depth']}, 4 numeric and 5 categorical features, "
        f"scored on {_ROWS // 5:,} held-out rows"
    )
    columns, examples = _examples(model, made.holdout)
    remark = (
        f"The data are generated: they show how categories are used, not how well anything real is predicted. {_UNSEEN!r} was "
        "not there in training: its statistics are those of a product that nobody has seen. A first run also compiles gbdist's "
        "kernels, once."
    )
    features = _features(made)
    return CategoriesDemoResult(title, rows, features, columns, examples, remark, model, made.train_data, made.holdout)


def _features(made: Compared) -> tuple[DemoFeature, ...]:
    """The features of the model, the most important ones first."""
    import pandas as pd

    table = pd.read_parquet(made.train_data)
    counts = split_counts(made.model)
    categorical = {made.model.feature_names_[position] for position in made.model.get_cat_feature_indices()}
    found = []
    for name, importance in zip(made.model.feature_names_, made.model.feature_importances_.tolist(), strict=True):
        splits = counts.get(name, Counter())
        tested = [splits[how] for how in (NUMBER, ONE_HOT, STATISTIC, COMBINATION)]
        values = int(table[name].nunique()) if name in categorical else None
        found.append(DemoFeature(name, values, round(importance, 1), *tested))
    return tuple(sorted(found, key=lambda feature: -feature.importance))


def _examples(model: Path, holdout: Path) -> tuple[tuple[str, ...], tuple[DemoExample, ...]]:
    """Names of columns, and raw rows with the predictions of a plain CatBoost that knows the saved file alone."""
    import pandas as pd
    from catboost import CatBoostClassifier

    table = pd.read_parquet(holdout).drop(columns=TARGET).head(2)
    rows = [*table.to_numpy(dtype=object).tolist(), [*table.iloc[0].tolist()[:-1], _UNSEEN]]
    plain = CatBoostClassifier().load_model(str(model))
    probabilities = plain.predict_proba(rows)[:, 1].tolist()
    return tuple(table.columns), tuple(
        DemoExample(tuple(row), probability) for row, probability in zip(rows, probabilities, strict=True)
    )
