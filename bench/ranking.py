"""Does gbdist rank as well as CatBoost? NDCG of held-out groups, mean over seeds and splits, same parameters on both sides.

usage: python bench/ranking.py DATA_DIR [--seeds 3] [--splits 3] [--only LOSS] [--json FILE]

DATA_DIR holds rank-train.parquet and rank-test.parquet (columns label, query_id and features). Their groups are dealt to
training and test anew for each split, a fifth of them to the test: the few groups of one test set say little. Allowed: 1 % worse.
100 trees of depth 6 at rate 0.1; what is not said is CatBoost's default for the loss. The value is CatBoost's own metric
(catboost.utils.eval_metric) of the models' raw values.
"""

import argparse
import json
import pathlib
from typing import Any

import catboost
import numpy as np
import pandas as pd
from catboost.utils import eval_metric

from gbdist import DaskCatBoostRanker

SETTINGS = {"iterations": 100, "depth": 6, "learning_rate": 0.1}
ALLOWED = 0.01
LOSSES = ("YetiRank", "YetiRank:mode=NDCG", "PairLogit", "QueryRMSE", "QuerySoftMax", "LambdaMart")
METRICS = ("NDCG", "NDCG:top=5")


def groups(data: pathlib.Path) -> pd.DataFrame:
    """All rows, with groups numbered through."""
    train, test = (pd.read_parquet(data / f"rank-{part}.parquet") for part in ("train", "test"))
    test["query_id"] += train["query_id"].max() + 1
    return pd.concat([train, test], ignore_index=True)


def compare(loss: str, table: pd.DataFrame, seeds: int, splits: int) -> dict[str, Any]:
    """Mean values of both sides, and how much worse ours are."""
    ids = table["query_id"].unique()
    found: dict[str, list[list[float]]] = {"ours": [], "catboost": []}
    for split in range(splits):
        held_out = np.isin(table["query_id"], np.random.default_rng(split).permutation(ids)[: len(ids) // 5])
        (train, y, group), (test, truth, of_truth) = (
            (part.drop(columns=["label", "query_id"]), part["label"].to_numpy(), part["query_id"].to_numpy())
            for part in (table[~held_out], table[held_out])
        )
        for seed in range(seeds):
            how = {**SETTINGS, "loss_function": loss, "verbose": False, "random_seed": seed}
            for name, model in (
                ("ours", DaskCatBoostRanker(**how)),
                ("catboost", catboost.CatBoostRanker(**how, allow_writing_files=False)),
            ):
                raw = np.asarray(model.fit(train, y, group_id=group).predict(test))
                found[name].append([float(eval_metric(truth, raw, one, group_id=of_truth)[0]) for one in METRICS])
    values = {name: np.array(runs) for name, runs in found.items()}
    means = {name: runs.mean(axis=0).tolist() for name, runs in values.items()}
    apart = values["ours"] - values["catboost"]
    error = (apart.std(axis=0, ddof=1) / np.sqrt(len(apart)) / means["catboost"]).tolist()
    worse = [1.0 - mine / theirs for mine, theirs in zip(means["ours"], means["catboost"], strict=True)]
    return {"loss": loss, **means, "worse_by": worse, "standard_error": error}


def main() -> None:
    """Run every loss and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--only", help="one loss, as it is written here")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    table, rows = groups(options.data), []
    print(f"{'loss':22}{'metric':>12}{'gbdist':>10}{'catboost':>10}{'worse by':>10}{'± error':>10}")
    for loss in LOSSES:
        if options.only not in (None, loss):
            continue
        row = compare(loss, table, options.seeds, options.splits)
        rows.append(row)
        for k, metric in enumerate(METRICS):
            verdict = "" if row["worse_by"][k] <= ALLOWED else "  <-- too much"
            numbers = f"{row['ours'][k]:10.5f}{row['catboost'][k]:10.5f}{row['worse_by'][k]:10.2%}"
            print(f"{loss:22}{metric:>12}{numbers}{row['standard_error'][k]:10.2%}{verdict}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
