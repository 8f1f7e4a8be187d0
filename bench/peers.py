"""The same rows through gbdist, xgboost.dask, lightgbm.dask and single-process CatBoost: time, memory, bytes, quality.

usage: python bench/peers.py [--sizes 100000x28,1000000x28,4000000x28,200000x400] [--repeat 3] [--json FILE]
                             [--only gbdist,xgboost.dask] [--trees 100]

Every measurement is a process of its own with a cluster of two workers of one thread (CatBoost: two threads). Data are
persisted on the workers and a small fit is done before the clock starts, so times are those of a second fit. Contenders
take turns, and the table shows medians. Needs the extra "bench".
"""

import argparse
import contextlib
import itertools
import json
import pathlib
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psutil
from generated import make_collection, make_rows
from sklearn.metrics import log_loss, roc_auc_score

COMMON = {"trees": 100, "depth": 6, "rate": 0.1}
LEAN = {"leaf_estimation_iterations": 1, "bootstrap_type": "No", "random_strength": 0}
CONTENDERS = ["gbdist", "gbdist defaults", "xgboost.dask", "lightgbm.dask", "catboost lean", "catboost defaults"]


class Watch:
    """Peak of the summed resident memory of this process' children (workers) and of itself, sampled every 20 ms."""

    def __init__(self) -> None:
        me = psutil.Process()
        self._groups = {"client": [me], "workers": me.children(recursive=True)}
        self.base = {name: self._now(name) for name in self._groups}
        self.peak = dict(self.base)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _now(self, name: str) -> int:
        total = 0
        for process in self._groups[name]:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
        return total

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            for name in self._groups:
                self.peak[name] = max(self.peak[name], self._now(name))

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def grown_mb(self) -> dict[str, float]:
        """How far each group rose above where it started, in MB."""
        return {name: (self.peak[name] - self.base[name]) / 1e6 for name in self._groups}


def loopback_bytes() -> int:
    """Bytes sent over the loopback interface so far."""
    return int(psutil.net_io_counters(pernic=True)["lo"].bytes_sent)


def make_fit(name: str, client: Any) -> Callable[[Any, Any, int], Any]:
    """How a contender fits X, y with a number of trees; returns something with ``predict_proba`` on NumPy rows."""
    if name.startswith("gbdist"):
        from gbdist import DaskCatBoostClassifier

        more = {} if "defaults" in name else LEAN
        return lambda x, y, trees: DaskCatBoostClassifier(
            iterations=trees, depth=COMMON["depth"], learning_rate=COMMON["rate"], client=client, verbose=False, **more
        ).fit(x, y)
    if name == "xgboost.dask":
        import xgboost.dask

        return lambda x, y, trees: xgboost.dask.DaskXGBClassifier(
            n_estimators=trees, max_depth=COMMON["depth"], learning_rate=COMMON["rate"], tree_method="hist", max_bin=255
        ).fit(x, y)
    if name == "lightgbm.dask":
        import lightgbm

        return lambda x, y, trees: lightgbm.DaskLGBMClassifier(
            n_estimators=trees,
            max_depth=COMMON["depth"],
            num_leaves=64,
            learning_rate=COMMON["rate"],
            max_bin=255,
            verbosity=-1,
        ).fit(x, y)
    import catboost

    more = {} if "defaults" in name else LEAN
    return lambda x, y, trees: catboost.CatBoostClassifier(
        iterations=trees,
        depth=COMMON["depth"],
        learning_rate=COMMON["rate"],
        thread_count=2,
        verbose=False,
        allow_writing_files=False,
        **more,
    ).fit(x, y)


def probabilities(model: Any, x: Any) -> Any:
    """P(1) of NumPy rows by a contender's fitted model, whatever it calls its local form."""
    if hasattr(model, "to_local"):
        model = model.to_local()
    elif hasattr(model, "get_booster"):
        return model.get_booster().inplace_predict(x)
    return model.predict_proba(x)[:, 1]


@contextlib.contextmanager
def rows_for(name: str, n_rows: int, n_features: int) -> Iterator[tuple[Any, Any, Any]]:
    """Client (or None), X and y where the contender wants them."""
    if name.startswith("catboost"):
        parts = 8
        edges = [n_rows * i // parts for i in range(parts + 1)]
        made = [make_rows(b - a, n_features, 1_000 + i) for i, (a, b) in enumerate(itertools.pairwise(edges))]
        yield None, np.concatenate([x for x, _ in made]), np.concatenate([y for _, y in made])
        return
    from distributed import Client, LocalCluster, wait

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster,
        Client(cluster) as client,
    ):
        x, y = client.persist(list(make_collection(n_rows, n_features)))
        wait([x, y])
        yield client, x, y


def measure(name: str, n_rows: int, n_features: int, trees: int) -> dict[str, Any]:
    """One contender, one size: fit once small, once with one tree, once for the clock."""
    with rows_for(name, n_rows, n_features) as (client, x, y):
        fit = make_fit(name, client)
        small = min(n_rows, 20_000)
        fit(x[:small], y[:small], 2)
        before = loopback_bytes()
        fit(x, y, 1)
        one_tree = loopback_bytes() - before
        before = loopback_bytes()
        with Watch() as watch:
            start = time.perf_counter()
            model = fit(x, y, trees)
            seconds = time.perf_counter() - start
        sent = loopback_bytes() - before
        test_x, test_y = make_rows(200_000 if n_features < 100 else 50_000, n_features, 7)
        scores = probabilities(model, test_x)
    return {
        "name": name,
        "rows": n_rows,
        "features": n_features,
        "seconds": seconds,
        "auc": float(roc_auc_score(test_y, scores)),
        "logloss": float(log_loss(test_y, scores)),
        "mb_per_tree": (sent - one_tree) / 1e6 / max(trees - 1, 1),
        "grown_mb": watch.grown_mb(),
        "raw_mb": n_rows * n_features * 4 / 1e6,
    }


def measure_apart(name: str, size: str, trees: int) -> dict[str, Any]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--one", name, "--sizes", size, "--trees", str(trees)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} at {size} failed:\n{done.stderr[-3_000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def print_table(size: str, runs: dict[str, list[dict[str, Any]]]) -> None:
    """One line a contender: medians, and the time against the faster of the two Dask peers."""
    middle = {name: statistics.median(run["seconds"] for run in many) for name, many in runs.items()}
    peers = [middle[name] for name in ("xgboost.dask", "lightgbm.dask") if name in middle]
    print(f"\n{size}")
    print(
        f"{'':20}{'seconds':>9}{'x peer':>8}{'logloss':>9}{'AUC':>8}{'MB/tree':>9}{'workers +MB':>13}{'client +MB':>12}"
    )
    for name, many in runs.items():
        last = many[-1]
        ratio = f"{middle[name] / min(peers):8.2f}" if peers else f"{'':8}"
        print(
            f"{name:20}{middle[name]:9.2f}{ratio}{last['logloss']:9.4f}{last['auc']:8.4f}{last['mb_per_tree']:9.2f}"
            f"{statistics.median(run['grown_mb']['workers'] for run in many):13.0f}"
            f"{statistics.median(run['grown_mb']['client'] for run in many):12.0f}",
            flush=True,
        )


def main() -> None:
    """Let the contenders take turns at every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100000x28,1000000x28,4000000x28,200000x400")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--trees", type=int, default=COMMON["trees"])
    parser.add_argument("--only", default=",".join(CONTENDERS))
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        rows, features = map(int, options.sizes.split("x"))
        print(json.dumps(measure(options.one, rows, features, options.trees)))
        return
    everything = []
    for size in options.sizes.split(","):
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only.split(",")}
        for _ in range(options.repeat):
            for name, many in runs.items():
                many.append(measure_apart(name, size, options.trees))
        print_table(size, runs)
        everything += [run for many in runs.values() for run in many]
    if options.json:
        options.json.write_text(json.dumps(everything, indent=2))


if __name__ == "__main__":
    main()
