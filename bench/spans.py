"""What it costs to know where a rank's time goes: nobody looks, sums by stage, and every span for a profile.

usage: python bench/spans.py [--sizes 1000x10,20000x28,400000x28] [--trees 200] [--rounds 9]

One rank of one thread; the three ways take turns in each round, so that whatever disturbs the machine disturbs all three.
The first line says what a stage costs by itself, and the last column what share of a tree that is: it is known better than the
difference of two times on a machine that does other things too.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.control import Free
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams
from gbdist.boosting.rows import Rows, Segment
from gbdist.boosting.spans import SpanLog, SpanSums
from gbdist.boosting.watch import UNWATCHED, Stage, Watch
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective

BINS = 128
_STAGES = 200_000
WATCHES: dict[str, Callable[[], Watch]] = {
    "nobody looks": lambda: UNWATCHED,
    "sums": SpanSums,
    "all spans": lambda: SpanLog(0, lambda _: None, 0.0, 1_000_000),
}


class Counts:
    """A watch that counts stages."""

    def __init__(self) -> None:
        self.stages = 0

    def stage(self, name: str, number: int = -1) -> Stage:
        self.stages += 1
        return UNWATCHED.stage(name)


def nanoseconds_of_a_stage(watch: Watch) -> float:
    stage, numbers = watch.stage, range(_STAGES)
    began = time.perf_counter()
    for _ in numbers:
        with stage("leaves"):
            pass
    middle = time.perf_counter()
    for _ in numbers:
        pass
    return (2 * middle - began - time.perf_counter()) / _STAGES * 1e9


def measure(n_rows: int, n_features: int, trees: int, rounds: int, nanoseconds: dict[str, float]) -> None:
    rng = np.random.default_rng(1)
    bins = rng.integers(0, BINS, (n_features, n_rows), np.uint8)
    label = (bins[0] + 0.5 * bins[1] + rng.normal(size=n_rows) * 20 > 96).astype(np.float32)
    rows = Rows(bins=bins, label=label, weight=None, baseline=None, segments=(Segment(0, n_rows, 0),))
    loss = "Logloss"
    params = BoostParams(
        objective=make_objective(loss, 2), metrics=make_metrics(loss, 2, loss), iterations=trees, depth=6
    )
    n_bins = np.full(n_features, BINS, np.int64)

    def seconds(watch: Watch) -> float:
        began = time.perf_counter()
        boost(rows, [], n_bins, params, SingleRank(), control=Free(watch))
        return time.perf_counter() - began

    counts = Counts()
    seconds(counts)  # compiles
    times: dict[str, list[float]] = {name: [] for name in WATCHES}
    for _ in range(rounds):
        for name, make in WATCHES.items():
            times[name].append(seconds(make()))
    each = min(times["nobody looks"]) / trees
    print(f"{n_rows:,} x {n_features}: {each * 1e3:.2f} ms and {counts.stages / trees:.0f} stages a tree")
    for name, found in times.items():
        beside = statistics.median(one / off - 1 for one, off in zip(found, times["nobody looks"], strict=True))
        share = nanoseconds[name] * 1e-9 * counts.stages / trees / each
        print(
            f"  {name:<14}{statistics.median(found):8.3f} s, least {min(found):.3f} s, {beside:+.1%}; stages cost {share:.2%}"
        )


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000x10,20000x28,400000x28")
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    nanoseconds = {name: nanoseconds_of_a_stage(make()) for name, make in WATCHES.items()}
    print("a stage costs", ", ".join(f"{value:.0f} ns ({name})" for name, value in nanoseconds.items()))
    for size in given.sizes.split(","):
        n_rows, n_features = map(int, size.split("x"))
        measure(n_rows, n_features, given.trees, given.rounds, nanoseconds)


if __name__ == "__main__":
    main()
