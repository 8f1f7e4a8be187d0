"""What a selection of columns costs: on a cluster, beside fits that quantize anew, and beside CatBoost's own in this process.

usage: python bench/select_features.py [--rows 200000] [--features 40] [--trees 60] [--keep 10] [--steps 4]

Two workers of one thread, persisted float32 rows, of which a fifth are the eval set; what goes is what the loss needs least in
SHAP values. CatBoost gets the same rows, and two threads. Trained are as many models as there are steps, and a last one.
"""

import argparse
import time
from typing import Any

import catboost
from generated import make_collection

from gbdist import DaskCatBoostClassifier
from gbdist_cluster.launch.local import start_local


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("rows", 200_000), ("features", 40), ("trees", 60), ("keep", 10), ("steps", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    params = {"iterations": asked.trees, "learning_rate": 0.1, "use_best_model": False}
    how: dict[str, Any] = {"num_features_to_select": asked.keep, "steps": asked.steps}
    with start_local(workers=2, threads=1, dashboard=False) as local:
        client = local.client
        X, y = client.persist(list(make_collection(asked.rows, asked.features)))
        n_eval = asked.rows // 5
        train, test = (X[n_eval:], y[n_eval:]), (X[:n_eval], y[:n_eval])
        model = DaskCatBoostClassifier(**{**params, "iterations": 2}, client=client, verbose=False)
        model.select_features(*train, test, num_features_to_select=asked.features - 1)  # compiles
        began = time.perf_counter()
        ours = DaskCatBoostClassifier(**params, client=client, verbose=False).select_features(*train, test, **how)
        print(
            f"select_features      {time.perf_counter() - began:7.2f} s  loss {ours['loss_graph']['loss_values'][-1]:.5f}"
        )
        began = time.perf_counter()
        graph = ours["loss_graph"]
        for at in graph["main_indices"]:
            gone = ours["eliminated_features"][: graph["removed_features_count"][at]]
            alone = DaskCatBoostClassifier(**params, client=client, ignored_features=gone, verbose=False)
            alone.fit(*train, eval_set=test)
        print(f"the same fits alone  {time.perf_counter() - began:7.2f} s", flush=True)
        pools = [catboost.Pool(*client.gather(client.compute([each, labels]))) for each, labels in (train, test)]
    began = time.perf_counter()
    theirs = catboost.CatBoostClassifier(**params, thread_count=2, allow_writing_files=False).select_features(
        pools[0],
        eval_set=pools[1],
        features_for_select=list(range(asked.features)),
        logging_level="Silent",
        train_final_model=True,
        **how,
    )
    print(
        f"CatBoost             {time.perf_counter() - began:7.2f} s  loss {theirs['loss_graph']['loss_values'][-1]:.5f}"
    )
    same = len(set(ours["selected_features"]) & set(theirs["selected_features"]))
    print(f"kept by both: {same} of {asked.keep} columns")


if __name__ == "__main__":
    main()
