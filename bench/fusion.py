"""Is a network as good as scikit-learn's, and an ensemble of trees and it as the better of them? Holdout loss on real data.

usage: python bench/fusion.py DATA_DIR [--seeds 1] [--workers 2] [--folds 5] [--json FILE] [--only NAME]

DATA_DIR holds what bench/quality.py reads; here categorical columns take part too. Of higgs and lgb-multiclass train and test are
put together and split anew by each seed, as 500 rows decide nothing. scikit-learn's MLP at its defaults gets standardised
numbers, categories as columns of 0 and 1, and a standardised target; the better of with and without early_stopping counts.
"""

import argparse
import json
import pathlib
import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from gbdist import (
    DaskCatBoostClassifier,
    DaskCatBoostRegressor,
    DaskMLPClassifier,
    DaskMLPRegressor,
    DaskStackingClassifier,
    DaskStackingRegressor,
    DaskVotingClassifier,
    DaskVotingRegressor,
)
from gbdist_cluster.launch.local import start_local

TARGETS = {"adult": "income", "diamonds": "price", "higgs": "label", "lgb-multiclass": "label"}
_TRAIN_SHARE = 0.75


def read_split(data: pathlib.Path, name: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train and test rows; categories as text."""
    if name == "adult":
        train, test = (pd.read_parquet(data / f"adult-{part}.parquet") for part in ("train", "test"))
    else:
        files = ["diamonds"] if name == "diamonds" else [f"{name}-train", f"{name}-test"]
        whole = pd.concat([pd.read_parquet(data / f"{file}.parquet") for file in files])
        whole = whole.sample(frac=1.0, random_state=seed)
        cut = int(len(whole) * _TRAIN_SHARE)
        train, test = whole[:cut], whole[cut:]
    return _with_text(train.reset_index(drop=True)), _with_text(test.reset_index(drop=True))


def _with_text(frame: pd.DataFrame) -> pd.DataFrame:
    texts = frame.columns.difference(frame.select_dtypes("number").columns)
    return frame.assign(**{name: frame[name].astype(object).fillna("none").astype(str) for name in texts})


def scikit_learn(X: pd.DataFrame, *, classifies: bool, seed: int) -> list[Any]:
    """scikit-learn's MLPs on standardised data, not fitted."""
    numeric = list(X.select_dtypes("number").columns)
    texts = list(X.columns.difference(numeric))
    coded = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    models: list[Any] = []
    for early in (False, True):
        network = (MLPClassifier if classifies else MLPRegressor)(random_state=seed, early_stopping=early)
        table = ColumnTransformer([("numbers", StandardScaler(), numeric), ("texts", coded, texts)])
        model: Any = make_pipeline(table, network)
        models.append(model if classifies else TransformedTargetRegressor(model, transformer=StandardScaler()))
    return models


def losses(name: str, seed: int, options: argparse.Namespace, client: Any, data: pathlib.Path) -> dict[str, float]:
    """Log loss, or RMSE, of scikit-learn's MLP, of both members, their average and their stack."""
    train, test = read_split(data, name, seed)
    target = TARGETS[name]
    X, y = train.drop(columns=target), train[target]
    classifies = name != "diamonds"
    trees = (DaskCatBoostClassifier if classifies else DaskCatBoostRegressor)(
        iterations=500, random_seed=seed, verbose=False, client=client
    )
    network = (DaskMLPClassifier if classifies else DaskMLPRegressor)(random_state=seed, verbose=False, client=client)
    members = [("trees", trees), ("network", network)]
    voting: Any = (DaskVotingClassifier if classifies else DaskVotingRegressor)(members, client=client)
    stacking: Any = (DaskStackingClassifier if classifies else DaskStackingRegressor)(
        members, cv=options.folds, client=client
    )

    def loss(model: Any) -> float:
        features = test.drop(columns=target)
        if classifies:
            return float(log_loss(test[target], model.predict_proba(features), labels=np.unique(y)))
        return float(root_mean_squared_error(test[target], model.predict(features)))

    fitted = {"voting": voting.fit(X, y), "stacking": stacking.fit(X, y)}
    theirs = min(loss(model.fit(X, y)) for model in scikit_learn(X, classifies=classifies, seed=seed))
    ours = {label: loss(model) for label, model in (voting.named_estimators_ | fitted).items()}
    return {"scikit-learn": theirs} | ours


def main() -> None:
    """Run every data set and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", choices=list(TARGETS))
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows = []
    columns = ("trees", "network", "voting", "stacking")
    print(
        f"{'data':16}{'seed':>5}{'scikit-learn':>14}"
        + "".join(f"{each:>12}" for each in columns)
        + f"{'of the better':>15}"
    )
    with start_local(options.workers) as cluster:
        for name in [options.only] if options.only else TARGETS:
            for seed in range(options.seeds):
                found = losses(name, seed, options, cluster.client, options.data)
                better = min(found["trees"], found["network"])
                rows.append({"data": name, "seed": seed, **found})
                shown = "".join(f"{found[each]:12.5f}" for each in columns)
                print(
                    f"{name:16}{seed:5}{found['scikit-learn']:14.5f}{shown}{found['stacking'] / better:15.4f}",
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
