"""Statistics of single columns: what the pass that makes them takes on its ranks, and what they tell each other.

usage: python bench/category_memory.py [--rows 1000000] [--ranks 2]

Allowed: 3 times the codes (4 bytes a row and column), and 16 bytes a row, column and permutation on the wire. Memory is what
NumPy and Python allocate from the rows of a pool on: the rows' new order (bins, labels and hashes travel), numbers of categories,
counts, and bins. Ranks are threads of one process, so that all of it is seen.
"""

import argparse
import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
from generated import CARDINALITIES, make_table

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.params import BoostParams
from gbdist.boosting.rows import Rows, Segment, UnbinnedColumn
from gbdist.categories.begin import begin, categorical_features
from gbdist.categories.rules import CategoricalColumn, CategoryRules, StatisticRule
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective
from gbdist.quantize.categories import read_categories
from gbdist_cluster.collective.threads import run_threads

RULES = (StatisticRule("Borders", (0.0, 0.5, 1.0)), StatisticRule("Counter", (0.0,)))


class Weighing:
    """A collective that weighs what is sent to other ranks."""

    def __init__(self, collective: Collective) -> None:
        self._collective, self.rank, self.size, self.sent = collective, collective.rank, collective.size, 0

    def all_reduce(self, array: Any, **how: Any) -> Any:
        """Weigh, and ask."""
        self.sent += array.nbytes * (self.size - 1)
        return self._collective.all_reduce(array, **how)

    def all_gather(self, item: bytes) -> list[bytes]:
        """Weigh, and ask."""
        self.sent += len(item) * (self.size - 1)
        return self._collective.all_gather(item)

    def all_to_all(self, items: Sequence[bytes]) -> list[bytes]:
        """Weigh, and ask."""
        self.sent += sum(len(item) for rank, item in enumerate(items) if rank != self.rank)
        return self._collective.all_to_all(items)


def rows_of_ranks(n_rows: int, n_ranks: int) -> tuple[list[Rows], np.ndarray]:
    """Quantized rows in equal shares, and bins of the numeric columns."""
    table, labels = make_table(n_rows, 1)
    numeric = [column for column in table if table[column].dtype.kind == "f"]
    edges = np.linspace(-3.0, 3.0, 254)
    bins = np.stack([np.searchsorted(edges, table[column].to_numpy()).astype(np.uint8) for column in numeric])
    hashes = [read_categories(table[column], column, None).hashes() for column in table.columns.drop(numeric)]
    parts = []
    for rank in range(n_ranks):
        some = slice(n_rows * rank // n_ranks, n_rows * (rank + 1) // n_ranks)
        unbinned = tuple(UnbinnedColumn(len(numeric) + i, "hash", each[some]) for i, each in enumerate(hashes))
        label = np.asarray(labels, np.float32)[some]
        segments = (Segment(0, label.shape[0], some.start),)
        parts.append(Rows(np.ascontiguousarray(bins[:, some]), label, None, None, segments, unbinned))
    return parts, np.full(len(numeric), 255)


def params_of(parts: Sequence[Rows]) -> BoostParams:
    """A classifier of CatBoost's defaults, without combinations."""
    columns = tuple(CategoricalColumn(each.position, f"c{i}", None) for i, each in enumerate(parts[0].unbinned))
    categories = CategoryRules(columns, RULES, RULES)
    return BoostParams(make_objective("Logloss", 2), make_metrics("Logloss", 2, "Logloss"), categories=categories)


def main() -> None:
    """Measure once: allocations are counted, not timed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--ranks", type=int, default=2)
    options = parser.parse_args()
    few, n_bins = rows_of_ranks(1_000 * options.ranks, options.ranks)
    run_pass(few, n_bins)  # kernels are loaded
    parts, n_bins = rows_of_ranks(options.rows, options.ranks)
    tracemalloc.start(1)
    ranks = run_pass(parts, n_bins)
    _, peak = tracemalloc.get_traced_memory()
    n_cells = options.rows * len(CARDINALITIES)
    sent = sum(each[1] for each in ranks) / (n_cells * ranks[0][2])
    print(
        f"{options.rows} rows, {options.ranks} ranks: {peak / 1e6:.1f} MB = {peak / (4 * n_cells):.2f} x codes (allowed 3)"
    )
    print(f"{sent:.2f} bytes sent a row, column and permutation (allowed 16)", flush=True)


def run_pass(parts: Sequence[Rows], n_bins: np.ndarray) -> list[tuple[Any, int, int]]:
    """Each rank's features, bytes that it sent, and how many permutations there are."""
    params = params_of(parts)

    def work(collective: Collective) -> tuple[Any, int, int]:
        weighing = Weighing(collective)
        with Crew(1) as crew:
            start = begin([parts[collective.rank]], n_bins, params, weighing, crew)  # type: ignore[arg-type]
            features = categorical_features(start, start.sets[0], crew)
            features.begin_tree(0)
        return features, weighing.sent, features.permutations

    return run_threads(len(parts), work)


if __name__ == "__main__":
    main()
