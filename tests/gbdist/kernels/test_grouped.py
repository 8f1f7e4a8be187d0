"""Losses of ranking: fast kernels equal their NumPy twins, bit for bit, and what groups are cut into leaves no trace."""

from typing import Any

import numpy as np
import pytest

from gbdist.kernels import cpu_grouped, reference_grouped
from gbdist.kernels import grouped as kinds

N_LEAVES = 4
LAMBDA = [(1.0, True, kinds.ALL, False, False), (2.0, False, 3, True, False), (0.5, True, 2, False, True)]
YETI = [
    (kinds.CLASSIC, 0.85, kinds.ALL, 1, False, False, kinds.GUMBEL, 1.0),
    (kinds.CLASSIC, 0.5, kinds.ALL, 1, False, False, kinds.NO_NOISE, 1.0),
    (kinds.NDCG, 0.85, kinds.ALL, 1, False, False, kinds.GUMBEL, 1.0),
    (kinds.NDCG, 0.85, 3, 2, True, True, kinds.GAUSS, 0.5),
    (kinds.DCG, 0.85, 4, kinds.ALL, False, False, kinds.GUMBEL, 1.0),
]


class Groups:
    """Rows of a few groups, of one row and of many, with ties."""

    def __init__(self, seed: int, weighted: bool) -> None:
        rng = np.random.default_rng(seed)
        self.starts = np.cumsum([0, 1, 7, 2, 12, 1, 30, 5]).astype(np.int64)
        self.n = int(self.starts[-1])
        self.label = rng.integers(0, 4, self.n).astype(np.float32)
        self.label[self.starts[1] : self.starts[2]] = 0.0
        self.prediction = np.round(rng.normal(size=self.n) * 2, 1)
        self.weight = (rng.random(self.n if weighted else 0) * 2).astype(np.float32)
        self.weight[10:12] = 0.0
        self.first_rows = self.starts[:-1].astype(np.uint64) + np.uint64(1000)
        self.keys = rng.integers(0, 2**63, 3).astype(np.uint64)
        pairs = [(b, b + 1) for b, e in zip(self.starts, self.starts[1:], strict=False) if e - b > 1] * 2
        pairs.sort()
        self.pairs = (*np.array(pairs, np.int32).T.copy(), (1 + rng.random(len(pairs))).astype(np.float32))
        self.pair_starts = np.searchsorted(self.pairs[0], self.starts).astype(np.int64)

    def calls(self) -> dict[str, tuple[Any, ...]]:
        """Kernel, and options → arguments before the results."""
        rows = (self.label, self.weight, self.starts, self.prediction)
        order = np.zeros(self.n, np.int32)
        yeti = ((self.first_rows, self.keys), (np.zeros(self.n), np.zeros(self.n), order))
        found: dict[str, tuple[Any, ...]] = {"query_rmse_derivatives": rows, "label_pair_derivatives": (*rows, True)}
        found["label_pair_derivatives without loss"] = (*rows, False)
        pairs = (self.pairs, self.pair_starts, self.starts, self.prediction)
        found |= {"listed_pair_derivatives": (*pairs, True), "listed_pair_derivatives without loss": (*pairs, False)}
        for options in ((0.01, 1.0), (0.5, 2.0)):
            found[f"query_softmax_derivatives {options}"] = (*rows, options)
        for of_lambda in LAMBDA:
            plain = (self.label, self.starts, self.prediction, of_lambda, (np.zeros(self.n), order))
            found[f"lambda_mart_derivatives {of_lambda}"] = plain
        for of_yeti in YETI:
            drawn = (*rows[:3], self.prediction[::-1].copy(), rows[3], yeti[0], of_yeti, yeti[1])
            found[f"yeti_rank_derivatives {of_yeti}"] = drawn
        return found

    def results(self, name: str) -> list[np.ndarray]:
        """Where a kernel writes to."""
        pairwise = "pair" in name or "yeti" in name
        out = [np.full(self.n, 7.0), np.full(self.n, 7.0)]
        out += [np.full(self.n, 7.0, np.float32)] if pairwise else []
        return out + ([] if "lambda" in name or "yeti" in name else [np.full(len(self.starts) - 1, 7.0)])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", list(Groups(0, False).calls()))
def test_kernels_equal_their_twins(name: str, weighted: bool) -> None:
    for seed in range(3):
        groups = Groups(seed, weighted)
        found = []
        for module in (cpu_grouped, reference_grouped):
            out = groups.results(name)
            getattr(module, name.partition(" ")[0])(*groups.calls()[name], *out)
            found.append([one.tobytes() for one in out])
        assert found[0] == found[1]


@pytest.mark.parametrize("weighted", [False, True])
def test_sums_of_leaves(weighted: bool) -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 300))
    weight = rng.random(300 if weighted else 0).astype(np.float32)
    leaf_of_row = rng.integers(0, N_LEAVES, 300).astype(np.uint16)
    found = []
    for module in (cpu_grouped, reference_grouped):
        sums = np.ones((N_LEAVES, 4), np.int64)
        module.add_row_leaf_sums(first, second, weight, leaf_of_row, 2.0 ** np.array([9, 40, 30, 29]), sums)
        module.add_group_losses(first[:9], 2.0**20, sums)
        moved = np.empty(300)
        module.shift_predictions(first, leaf_of_row, np.arange(N_LEAVES) / 3.0, moved)
        found.append((sums.tolist(), moved.tobytes()))
    assert found[0] == found[1]


def test_derivatives_are_those_of_the_loss() -> None:
    groups, step = Groups(5, weighted=True), 1e-5
    for name in ("query_softmax_derivatives (0.01, 1.0)", "label_pair_derivatives", "listed_pair_derivatives"):
        kernel, given = getattr(cpu_grouped, name.partition(" ")[0]), list(groups.calls()[name])
        place = next(i for i, one in enumerate(given) if one is groups.prediction)

        def loss_at(
            moved: np.ndarray, kernel: Any = kernel, given: Any = given, place: int = place, name: str = name
        ) -> Any:
            given[place] = moved
            out = groups.results(name)
            kernel(*given, *out)
            return out

        first = loss_at(groups.prediction)[0]
        for row in (5, 9, 20, 40):
            moved = [groups.prediction + sign * step * (np.arange(groups.n) == row) for sign in (1, -1)]
            slope = (loss_at(moved[1])[-1].sum() - loss_at(moved[0])[-1].sum()) / (2 * step)
            assert first[row] == pytest.approx(slope, abs=1e-6)
