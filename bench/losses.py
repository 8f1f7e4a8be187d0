"""Is a gbdist model of each loss as good as CatBoost's? Holdout loss, mean over seeds, same parameters on both sides.

usage: python bench/losses.py DATA_DIR [--seeds 3] [--workers 2] [--only LOSS] [--json FILE]

DATA_DIR holds diamonds.parquet (its prices in thousands, numeric columns; several labels are price and carat) and
adult-*.parquet (for the losses of two classes); times are generated.
Allowed: 1 %. 300 trees of depth 6 at rate 0.1; what is not said is CatBoost's default for the loss. The value is CatBoost's own
metric (catboost.utils.eval_metric) of the models' raw values; those of Poisson and Tweedie, not 0 for the truth, are compared by
what is above its value for the truth.
"""

import argparse
import json
import pathlib
from dataclasses import dataclass
from typing import Any

import catboost
import numpy as np
import pandas as pd
from catboost.utils import eval_metric

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
from gbdist_cluster.launch.local import start_local

SETTINGS = {"iterations": 300, "depth": 6, "learning_rate": 0.1}
ALLOWED = 0.01
OF_NUMBERS = (
    "RMSE", "MAE", "Quantile:alpha=0.1", "Quantile:alpha=0.9", "MultiQuantile:alpha=0.1,0.5,0.9", "MAPE", "Huber:delta=10.0",
    "Expectile:alpha=0.3", "LogCosh", "Lq:q=1.5", "Lq:q=3", "LogLinQuantile:alpha=0.5", "Poisson", "Tweedie:variance_power=1.5",
    "RMSEWithUncertainty",
)  # fmt: skip
OF_TIMES = ("SurvivalAft:dist=Normal;scale=0.7", "SurvivalAft:dist=Logistic;scale=0.5", "Cox")
OF_LABELS = ("MultiRMSE", "MultiRMSEWithMissingValues", "MultiLogloss", "MultiCrossEntropy")
OF_CLASSES = ("Focal:focal_alpha=0.3;focal_gamma=2",)


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to judge by."""

    train: pd.DataFrame
    train_target: Any
    test: pd.DataFrame
    test_target: Any


def diamonds(data: pathlib.Path) -> Split:
    """Prices in thousands."""
    table = pd.read_parquet(data / "diamonds.parquet").select_dtypes("number").sample(frac=1.0, random_state=0)
    features, target = table.drop(columns="price"), table["price"].to_numpy() / 1000.0
    cut = len(table) * 4 // 5
    return Split(features[:cut], target[:cut], features[cut:], target[cut:])


def several_labels(split: Split, loss: str) -> Split:
    """Price and carat; or whether they are above their medians, with a probability of 0.9 for MultiCrossEntropy."""
    labels = [
        np.stack([y, X["carat"]], axis=1)
        for X, y in ((split.train, split.train_target), (split.test, split.test_target))
    ]
    if loss.endswith("MissingValues"):
        labels[0][np.random.default_rng(0).random(labels[0].shape) < 0.2] = np.nan
    elif loss != "MultiRMSE":
        medians, (low, high) = np.median(labels[0], axis=0), (0.1, 0.9) if loss == "MultiCrossEntropy" else (0, 1)
        labels = [np.where(each > medians, high, low) for each in labels]
    return Split(split.train.drop(columns="carat"), labels[0], split.test.drop(columns="carat"), labels[1])


def times() -> Split:
    """Generated: times of 25,000 rows that depend on a few of 10 columns, a third of them known from below alone."""
    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.normal(size=(25_000, 10)).astype(np.float32)).rename(columns=str)
    signal = features["0"] + np.sin(2 * features["1"]) * features["2"] + 0.5 * (features["3"] > 0.5)
    time, seen = np.exp(signal + 0.6 * rng.normal(size=25_000)), np.exp(1.0 + rng.normal(size=25_000))
    ends = np.stack([np.minimum(time, seen), np.where(time <= seen, time, -1.0)], axis=1)
    return Split(features[:20_000], ends[:20_000], features[20_000:], ends[20_000:])


def signed_times(ends: Any) -> Any:
    """Labels of Cox: times, negative where nothing happened."""
    return np.where(ends[:, 1] == -1.0, -ends[:, 0], ends[:, 0])


def adult(data: pathlib.Path) -> Split:
    """Incomes above and below a border, 1 and 0."""
    parts = [pd.read_parquet(data / f"adult-{part}.parquet") for part in ("train", "test")]
    highest = max(parts[0]["income"].unique())
    (train, y), (test, truth) = (
        (part.drop(columns="income").select_dtypes("number"), (part["income"] == highest).astype(int)) for part in parts
    )
    return Split(train, y.to_numpy(), test, truth.to_numpy())


def compare(loss: str, split: Split, seeds: int, client: Any) -> dict[str, Any]:
    """Mean values of both sides, and how much worse ours is."""
    classes = loss in (*OF_CLASSES, "MultiLogloss", "MultiCrossEntropy")
    split = several_labels(split, loss) if loss in OF_LABELS else split
    ours = DaskCatBoostClassifier if classes else DaskCatBoostRegressor
    theirs = catboost.CatBoostClassifier if classes else catboost.CatBoostRegressor

    def value(model: Any) -> float:
        raw = np.asarray(model.predict(split.test, prediction_type="RawFormulaVal"))
        return float(eval_metric(split.test_target, raw, loss)[0])

    if loss == "Cox":
        split = Split(split.train, signed_times(split.train_target), split.test, signed_times(split.test_target))
    how = {**SETTINGS, "loss_function": loss, "verbose": False}
    found: dict[str, list[float]] = {"ours": [], "catboost": []}
    for seed in range(seeds):
        model = ours(**how, random_seed=seed, client=client).fit(split.train, split.train_target)
        found["ours"].append(value(model.model_))
        model = theirs(**how, random_seed=seed, allow_writing_files=False)
        found["catboost"].append(value(model.fit(split.train, split.train_target)))
    means = {name: float(np.mean(values)) for name, values in found.items()}
    zero = 0.0
    if loss.startswith(("Poisson", "Tweedie")):
        zero = float(eval_metric(split.test_target, np.log(np.maximum(split.test_target, 1e-9)), loss)[0])
    worse = (means["ours"] - means["catboost"]) / abs(means["catboost"] - zero)
    worse = -worse if loss == "Cox" else worse  # a likelihood: the larger, the better
    spread = {name: float(np.std(values)) / abs(means["catboost"] - zero) for name, values in found.items()}
    data = "adult" if loss in OF_CLASSES else "generated" if loss in OF_TIMES else "diamonds"
    return {"loss": loss, "data": data, **means, "worse_by": worse, "spread": spread}


def main() -> None:
    """Run every loss and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", help="one loss, as it is written here")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    numbers, classes = diamonds(options.data), adult(options.data)
    split_of = {**dict.fromkeys(OF_CLASSES, classes), **dict.fromkeys(OF_TIMES, times())}
    rows = []
    print(f"{'loss':38}{'gbdist':>12}{'catboost':>12}{'worse by':>10}   seed spread")
    with start_local(options.workers) as cluster:
        for loss in (*OF_NUMBERS, *OF_LABELS, *OF_TIMES, *OF_CLASSES):
            if options.only not in (None, loss):
                continue
            row = compare(loss, split_of.get(loss, numbers), options.seeds, cluster.client)
            rows.append(row)
            spread = " / ".join(f"{value:.2%}" for value in row["spread"].values())
            verdict = "" if row["worse_by"] <= ALLOWED else "  <-- too much"
            print(
                f"{loss:38}{row['ours']:12.5f}{row['catboost']:12.5f}{row['worse_by']:10.2%}   {spread}{verdict}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
