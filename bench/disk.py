"""What does it cost to train on bins that are larger than the workers' memory, and lie on their disks (bins_on_disk)?

usage: python bench/disk.py [--memory 1GiB] [--times 4] [--rows 4000000] [--trees 3] [--folder DIR] [--policy SymmetricTree]

Two workers of one thread. The quantized rows are --times the memory limit of both workers together; as many features as that
takes, of one byte each, generated lazily. First bins are on disk, in --folder, and workers have the limit; then they are in
memory, and workers have none. Prints seconds of training (after preparation), the ratio, and the peak of the workers' resident
memory; says whether the two models are the same, byte for byte. Needs the extra "bench".
"""

import argparse
import time
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.utils import format_bytes, parse_bytes
from distributed import Client, LocalCluster
from large import watched

from gbdist import DaskCatBoostRegressor, DaskPool
from gbdist.models.catboost_format import cbm_bytes

#: Values of a feature. Tables are small with few, so that bins are what takes time.
VALUES = 32
PART_BYTES = 16 << 20
MOST_SECONDS_RATIO = 2.5


def features_of(block: Any, block_info: Any = None) -> Any:
    """Random bytes: one partition, which is the same whenever it is computed."""
    place = block_info[None]
    rng = np.random.default_rng(place["chunk-location"][0])
    shape = tuple(place["chunk-shape"])
    return (np.frombuffer(rng.bytes(shape[0] * shape[1]), np.uint8) % VALUES).reshape(shape)


def label_of(block: Any) -> Any:
    """A label that depends on some of the features."""
    some = block[:, :6].astype(np.float32) / VALUES
    return some[:, 0] + some[:, 1] * some[:, 2] + (some[:, 3] > 0.4) * some[:, 4] + 0.1 * some[:, 5]


def make_rows(n_rows: int, n_features: int) -> tuple[Any, Any]:
    """Lazy rows and labels."""
    rows = max(1, PART_BYTES // n_features)
    x = da.zeros((n_rows, n_features), chunks=(rows, n_features), dtype=np.uint8)
    x = da.map_blocks(features_of, x, dtype=np.uint8, meta=np.empty((0, 0), np.uint8))
    return x, x.map_blocks(label_of, drop_axis=1, dtype=np.float32, meta=np.empty(0, np.float32))


def trained(options: argparse.Namespace, n_features: int, *, on_disk: bool) -> tuple[bytes, float]:
    """Quantize and train; the model, and seconds of training."""
    limit = parse_bytes(options.memory) if on_disk else 0
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=":0",
            memory_limit=limit,
            local_directory=options.folder,
        ) as cluster,
        Client(cluster) as client,
    ):
        x, y = make_rows(options.rows, n_features)
        given: dict[str, Any] = {"grow_policy": options.policy, "border_count": VALUES - 1, "verbose": False}
        model = DaskCatBoostRegressor(iterations=options.trees, depth=6, client=client, **given)
        warm = DaskCatBoostRegressor(iterations=1, depth=6, client=client, **given)
        warm.fit(*make_rows(20_000, 64))  # kernels are compiled, and modules loaded
        start = time.perf_counter()
        with watched(client) as quantizing:
            pool = DaskPool(x, y, border_count=VALUES - 1, bins_on_disk=on_disk, client=client)
        with pool:
            prepared = time.perf_counter()
            with watched(client) as training:
                model.fit(pool)
            seconds = time.perf_counter() - prepared
            where = f"on disk, limit {format_bytes(limit)}" if limit else "in memory, no limit"
            print(f"bins {where}")
            print(f"  quantized {format_bytes(pool.nbytes)} in {prepared - start:.1f} s, {in_words(quantizing)}")
            print(f"  trained in {seconds:.1f} s, {in_words(training)}", flush=True)
    return cbm_bytes(model.model_), seconds


def in_words(peak: dict[str, int]) -> str:
    """Peaks of a worker."""
    return f"peak of a worker {format_bytes(peak['resident'])}, spilled {format_bytes(peak['spilled'])}"


def main() -> None:
    """Train twice and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", default="1GiB", help="limit of each of the two workers")
    parser.add_argument("--times", type=float, default=4.0, help="bins, as a multiple of the limit of both workers")
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--trees", type=int, default=3)
    parser.add_argument("--folder", default=None, help="where workers keep bins")
    parser.add_argument("--policy", default="SymmetricTree", choices=("SymmetricTree", "Depthwise", "Lossguide"))
    options = parser.parse_args()
    n_features = int(options.times * 2 * parse_bytes(options.memory) / options.rows)
    print(f"{options.rows:,} rows x {n_features:,} features, {options.trees} trees", flush=True)
    with dask.config.set({"distributed.scheduler.work-stealing": False}):
        on_disk, slow = trained(options, n_features, on_disk=True)
        in_memory, fast = trained(options, n_features, on_disk=False)
    print(f"on disk / in memory: {slow / fast:.2f} (wanted: at most {MOST_SECONDS_RATIO})")
    print(f"the same model: {on_disk == in_memory}")


if __name__ == "__main__":
    main()
